//! Holds in general.

use std::sync::Arc;

use tagout_core::hold::{APPROVAL_LIFE_MS, HOLD_LIFE_MS, HoldEvent, HoldState, IllegalStep};
use tagout_core::store::{Opened, Store, StoreError};

use super::fixtures::{NOW, approved, connection_id, grant_id, hold, hold_id, operation, populate};

pub(crate) async fn a_hold_comes_back_as_it_was_put_in<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    let mut made = hold(1, &[(1, 0), (2, 5)]);
    made.grant = Some(grant_id(0));
    let opened = store.open_hold(made.clone(), 1).await;
    assert_eq!(opened, Ok(Opened::New(made.clone())));
    assert_eq!(store.hold(&hold_id(1)).await, Ok(made.clone()));
    assert_eq!(store.latest_hold(operation(1)).await, Ok(Some(made)));
    assert_eq!(store.latest_hold(operation(2)).await, Ok(None));
    assert_eq!(
        store.hold(&hold_id(2)).await,
        Err(StoreError::NotFound("hold"))
    );
}

pub(crate) async fn one_open_hold_for_each_operation<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    let first = hold(1, &[(1, 0)]);
    store.open_hold(first.clone(), 9).await.unwrap();
    let mut second = hold(2, &[(1, 0)]);
    second.operation = operation(1);
    let again = store.open_hold(second.clone(), 9).await;
    assert_eq!(again, Ok(Opened::There(first)));
    store
        .step(&hold_id(1), HoldState::Pending, HoldEvent::Deny, None)
        .await
        .unwrap();
    let after = store.open_hold(second.clone(), 9).await;
    assert_eq!(after, Ok(Opened::New(second.clone())));
    assert_eq!(store.latest_hold(operation(1)).await, Ok(Some(second)));
}

pub(crate) async fn only_so_many_wait<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    for number in 0..3 {
        store.open_hold(hold(number, &[(1, 0)]), 3).await.unwrap();
    }
    let fourth = store.open_hold(hold(3, &[(1, 0)]), 3).await;
    assert_eq!(fourth, Err(StoreError::TooMany(3)));
    let same = store.open_hold(hold(2, &[(1, 0)]), 3).await;
    assert!(matches!(same, Ok(Opened::There(_))));
    let mut other = hold(4, &[(1, 0)]);
    other.connection = connection_id(4);
    let unknown = store.open_hold(other, 3).await;
    assert_eq!(unknown, Err(StoreError::NotFound("connection")));
}

pub(crate) async fn steps_are_compare_and_set<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    let id = &approved(&*store, 1).await.id;
    let step = |from, event, outcome: Option<&str>| {
        let outcome = outcome.map(str::to_owned);
        store.step(id, from, event, outcome)
    };
    let stale = step(HoldState::Pending, HoldEvent::Withdraw, None).await;
    assert_eq!(stale, Err(StoreError::Settled("approved".into())));
    for event in [HoldEvent::Cancel, HoldEvent::Schedule, HoldEvent::Approve] {
        let from = HoldState::Approved;
        let illegal = step(from, event, None).await;
        assert_eq!(illegal, Err(IllegalStep { from, event }.into()));
    }
    let running = step(HoldState::Approved, HoldEvent::Execute, None).await;
    assert_eq!(running.unwrap().state, HoldState::Executing);
    let ran = step(HoldState::Executing, HoldEvent::Succeed, Some("1 gone")).await;
    assert_eq!(ran.unwrap().outcome.as_deref(), Some("1 gone"));
    assert_eq!(store.hold(id).await.unwrap().state, HoldState::Executed);

    let pending = hold(2, &[(1, 0)]);
    store.open_hold(pending.clone(), 9).await.unwrap();
    let (from, event) = (HoldState::Pending, HoldEvent::Approve);
    let unsigned = store.step(&pending.id, from, event, None).await;
    assert_eq!(unsigned, Err(IllegalStep { from, event }.into()));
}

pub(crate) async fn an_approval_is_consumed_once<S: Store + 'static>(store: Arc<S>) {
    populate(&*store).await;
    for number in 0..5 {
        approved(&*store, number).await;
        let consume = |_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let (id, from) = (hold_id(number), HoldState::Approved);
                store.step(&id, from, HoldEvent::Execute, None).await
            })
        };
        let racers: Vec<_> = (0..24).map(consume).collect();
        let mut winners = 0;
        for racer in racers {
            match racer.await.unwrap() {
                Ok(_) => winners += 1,
                Err(lost) => assert_eq!(lost, StoreError::Settled("executing".into())),
            }
        }
        assert_eq!(winners, 1);
    }
}

pub(crate) async fn waiting_and_approved_holds_run_out<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    approved(&*store, 1).await;
    store.open_hold(hold(2, &[(1, 0)]), 9).await.unwrap();
    for (later, expected) in [
        (APPROVAL_LIFE_MS - 1, vec![]),
        (APPROVAL_LIFE_MS, vec![(hold_id(1), HoldState::Lapsed)]),
        (HOLD_LIFE_MS - 1, vec![]),
        (HOLD_LIFE_MS, vec![(hold_id(2), HoldState::Expired)]),
        (HOLD_LIFE_MS * 9, vec![]),
    ] {
        let changed = store.expire_holds(NOW.plus_ms(later)).await.unwrap();
        let changed: Vec<_> = changed
            .into_iter()
            .map(|hold| (hold.id, hold.state))
            .collect();
        assert_eq!(changed, expected, "{later}");
    }
    let mut short = hold(3, &[(1, 0)]);
    short.card.choices[0].document.expires = NOW.plus_ms(5);
    store.open_hold(short, 9).await.unwrap();
    let signature = super::fixtures::signature(0, 0, NOW);
    store.sign(&hold_id(3), signature, None, NOW).await.unwrap();
    let changed = store.expire_holds(NOW.plus_ms(5)).await.unwrap();
    assert_eq!(changed[0].state, HoldState::Lapsed);
}

pub(crate) async fn lists_are_newest_first<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    for number in 0..6 {
        store.open_hold(hold(number, &[(1, 0)]), 9).await.unwrap();
    }
    for number in [1, 3, 4] {
        let (id, from) = (hold_id(number), HoldState::Pending);
        store.step(&id, from, HoldEvent::Deny, None).await.unwrap();
    }
    for (closed, expected) in [
        (0, vec![5, 2, 0]),
        (2, vec![5, 4, 3, 2, 0]),
        (usize::MAX, vec![5, 4, 3, 2, 1, 0]),
    ] {
        let listed = store.list_holds(closed).await.unwrap();
        let listed: Vec<_> = listed.into_iter().map(|hold| hold.id).collect();
        let expected: Vec<_> = expected.into_iter().map(hold_id).collect();
        assert_eq!(listed, expected, "{closed}");
    }
}
