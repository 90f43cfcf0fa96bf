//! Budgets and sealed secrets.

use std::sync::Arc;

use tagout_core::effect::Effect;
use tagout_core::grant::{Overspent, Spending};
use tagout_core::store::{Purse, Store, StoreError};

use super::fixtures::{budget, connection_id, destroy, grant_id};

fn purses() -> (Purse, Purse) {
    (
        Purse::Grant(grant_id(0)),
        Purse::Connection(connection_id(0)),
    )
}

pub(crate) async fn all_purses_or_none<S: Store>(store: Arc<S>) {
    let (child, parent) = purses();
    let chain = vec![(child.clone(), budget(9)), (parent.clone(), budget(3))];
    assert_eq!(store.spend(chain.clone(), destroy(2)).await, Ok(()));
    let over = Overspent {
        effect: Effect::Destroy,
        limit: 3,
        spent: 2,
        asked: 2,
    };
    assert_eq!(
        store.spend(chain, destroy(2)).await,
        Err(StoreError::Overspent(over))
    );
    for purse in [child, parent] {
        assert_eq!(store.spent(&purse).await, Ok(destroy(2)));
    }
    let other = Purse::Grant(grant_id(1));
    assert_eq!(store.spent(&other).await, Ok(Spending::default()));
    let huge = vec![(other.clone(), budget(u64::MAX))];
    store.spend(huge.clone(), destroy(u64::MAX)).await.unwrap();
    assert_eq!(store.spent(&other).await, Ok(destroy(u64::MAX)));
}

pub(crate) async fn never_over_budget<S: Store + 'static>(store: Arc<S>) {
    let spend = |number: u64| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let child = Purse::Grant(grant_id(number % 3));
            let parent = Purse::Connection(connection_id(0));
            let chain = vec![(child, budget(20)), (parent, budget(50))];
            store.spend(chain, destroy(3)).await
        })
    };
    let racers: Vec<_> = (0..60).map(spend).collect();
    let mut booked = 0;
    for racer in racers {
        booked += u64::from(racer.await.unwrap().is_ok()) * 3;
    }
    assert_eq!(booked, 48, "16 spends of 3 fit into 50");
    let parent = store.spent(&Purse::Connection(connection_id(0))).await;
    assert_eq!(parent, Ok(destroy(48)));
    let mut children = Spending::default();
    for number in 0..3 {
        let spent = store.spent(&Purse::Grant(grant_id(number))).await.unwrap();
        assert!(
            spent
                .0
                .get(&Effect::Destroy)
                .is_none_or(|count| *count <= 20)
        );
        children = children.plus(&spent);
    }
    assert_eq!(children, destroy(48));
}

pub(crate) async fn refunds_come_back<S: Store>(store: Arc<S>) {
    let (child, parent) = purses();
    let chain = vec![(child.clone(), budget(3)), (parent.clone(), budget(3))];
    store.spend(chain.clone(), destroy(3)).await.unwrap();
    store
        .refund(vec![child.clone(), parent], destroy(1))
        .await
        .unwrap();
    assert_eq!(store.spent(&child).await, Ok(destroy(2)));
    assert_eq!(store.spend(chain, destroy(1)).await, Ok(()));
    store
        .refund(vec![child.clone()], destroy(99))
        .await
        .unwrap();
    assert_eq!(
        store.spent(&child).await,
        Ok(destroy(0)),
        "never below nothing"
    );
}

pub(crate) async fn sealed_secrets_are_replaced<S: Store>(store: Arc<S>) {
    assert_eq!(store.sealed("ca").await, Ok(None));
    for bytes in [vec![0, 255], vec![]] {
        store.keep("ca", bytes.clone()).await.unwrap();
        assert_eq!(store.sealed("ca").await, Ok(Some(bytes)));
    }
    assert_eq!(store.sealed("other").await, Ok(None));
}
