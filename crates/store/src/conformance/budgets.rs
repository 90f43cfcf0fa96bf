//! Budgets and sealed secrets.

use std::sync::Arc;

use tagout_core::store::{Booked, Purse, Store, StoreError};

use super::fixtures::{connection_id, destroy, grant_id};

fn purses() -> (Purse, Purse) {
    (
        Purse::Grant(grant_id(0)),
        Purse::Connection(connection_id(0)),
    )
}

fn booked(counts: &[(&Purse, u64)], below: u64) -> Booked {
    let spent = counts
        .iter()
        .map(|(purse, count)| ((*purse).clone(), destroy(*count)));
    Booked {
        spent: spent.collect(),
        below,
    }
}

pub(crate) async fn stretches_of_the_ledger_are_counted_once<S: Store>(store: Arc<S>) {
    let (grant, connection) = purses();
    assert_eq!(store.booked().await, Ok(Booked::default()));
    let first = booked(&[(&grant, 2), (&connection, 2)], 10);
    assert_eq!(store.book(0, first.clone()).await, Ok(()));
    for from in [0, 9, 11] {
        let settled = StoreError::Settled("booked to 10".to_owned());
        assert_eq!(store.book(from, first.clone()).await, Err(settled));
    }
    assert_eq!(store.booked().await, Ok(first));
    let more = booked(&[(&connection, 3)], 17);
    assert_eq!(store.book(10, more).await, Ok(()));
    let sum = booked(&[(&grant, 2), (&connection, 5)], 17);
    assert_eq!(store.booked().await, Ok(sum));
    let most = booked(&[(&grant, u64::MAX)], 18);
    assert_eq!(store.book(17, most).await, Ok(()), "no sum overflows");
    let sum = booked(&[(&grant, u64::MAX), (&connection, 5)], 18);
    assert_eq!(store.booked().await, Ok(sum));
}

pub(crate) async fn one_of_those_who_race_books<S: Store + 'static>(store: Arc<S>) {
    let (grant, _) = purses();
    let book = |_| {
        let (store, more) = (Arc::clone(&store), booked(&[(&grant, 1)], 5));
        tokio::spawn(async move { store.book(0, more).await })
    };
    let racers: Vec<_> = (0..20).map(book).collect();
    let mut won = 0;
    for racer in racers {
        won += usize::from(racer.await.unwrap().is_ok());
    }
    assert_eq!(won, 1);
    assert_eq!(store.booked().await, Ok(booked(&[(&grant, 1)], 5)));
}

pub(crate) async fn sealed_secrets_are_replaced<S: Store>(store: Arc<S>) {
    assert_eq!(store.sealed("ca").await, Ok(None));
    for bytes in [vec![0, 255], vec![]] {
        store.keep("ca", bytes.clone()).await.unwrap();
        assert_eq!(store.sealed("ca").await, Ok(Some(bytes)));
    }
    assert_eq!(store.sealed("other").await, Ok(None));
}
