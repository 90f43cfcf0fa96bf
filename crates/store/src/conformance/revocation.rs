//! What ends when something is taken away.

use std::sync::Arc;

use tagout_core::grant::GrantState;
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::store::{Store, StoreError};

use super::fixtures::{
    NOW, accept, approved, connect, connection, connection_id, freeze, grant, grant_id, hold,
    hold_id, open_grant, populate, signature,
};

fn settled<T>(word: &str) -> Result<T, StoreError> {
    Err(StoreError::Settled(word.to_owned()))
}

pub(crate) async fn connections_end_with_all_below<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    accept(&*store, 0, connect(1)).await.unwrap();
    for (child, parent) in [(2, 0), (3, 2), (4, 3), (5, 1)] {
        let child = connection(child, Some(parent));
        store.add_child_connection(child).await.unwrap();
    }
    store.add_child_grant(grant(1, 3, Some(0))).await.unwrap();
    let mut ended = store.revoke_connection(&connection_id(2)).await.unwrap();
    ended.sort();
    assert_eq!(ended, [2, 3, 4].map(connection_id));
    let authority = store.authority().await.unwrap();
    let left: Vec<_> = authority
        .connections
        .into_iter()
        .map(|left| left.id)
        .collect();
    assert_eq!(left, [0, 1, 5].map(connection_id));
    let left: Vec<_> = authority.grants.into_iter().map(|left| left.id).collect();
    assert_eq!(left, [grant_id(0)], "the grant of 3 ended with it");
    assert_eq!(store.revoke_connection(&connection_id(2)).await, Ok(vec![]));
    let unknown = store.revoke_connection(&connection_id(9)).await;
    assert_eq!(unknown, Err(StoreError::NotFound("connection")));
}

pub(crate) async fn grants_end_with_all_below<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    accept(&*store, 0, open_grant(1, 0, None)).await.unwrap();
    for (child, parent) in [(2, 0), (3, 2), (4, 1)] {
        let child = grant(child, 0, Some(parent));
        store.add_child_grant(child).await.unwrap();
    }
    store.trip_grant(&grant_id(3)).await.unwrap();
    let mut ended = store.revoke_grant(&grant_id(0)).await.unwrap();
    ended.sort();
    assert_eq!(ended, [0, 2, 3].map(grant_id));
    let left = store.authority().await.unwrap().grants;
    assert_eq!(left, [grant(1, 0, None), grant(4, 0, Some(1))]);
    assert_eq!(store.trip_grant(&grant_id(3)).await, settled("revoked"));
    store.trip_grant(&grant_id(4)).await.unwrap();
    let left = store.authority().await.unwrap().grants;
    assert_eq!(left[1].state, GrantState::Tripped);
    let unknown = store.revoke_grant(&grant_id(9)).await;
    assert_eq!(unknown, Err(StoreError::NotFound("grant")));
}

pub(crate) async fn what_was_revoked_opens_and_sends_nothing<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    let mut under_grant = hold(1, &[(1, 0)]);
    under_grant.grant = Some(grant_id(0));
    store.open_hold(under_grant.clone(), 9).await.unwrap();
    let signed = signature(0, 0, NOW);
    store.sign(&hold_id(1), signed, None, NOW).await.unwrap();
    store.revoke_grant(&grant_id(0)).await.unwrap();
    let (id, from) = (hold_id(1), HoldState::Approved);
    let sent = store.step(&id, from, HoldEvent::Execute, None).await;
    assert_eq!(sent, settled("revoked"));
    under_grant.operation = super::fixtures::operation(2);
    under_grant.id = hold_id(2);
    assert_eq!(store.open_hold(under_grant, 9).await, settled("revoked"));
    store.revoke_connection(&connection_id(0)).await.unwrap();
    let opened = store.open_hold(hold(3, &[(1, 0)]), 9).await;
    assert_eq!(opened, settled("revoked"));
}

pub(crate) async fn a_freeze_sends_nothing<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    approved(&*store, 1).await;
    store.freeze(freeze(0)).await.unwrap();
    let (id, from) = (hold_id(1), HoldState::Approved);
    let sent = store.step(&id, from, HoldEvent::Execute, None).await;
    assert_eq!(sent, settled("frozen"));
    let withdrawn = store.step(&id, from, HoldEvent::Withdraw, None).await;
    assert!(withdrawn.is_ok());
}

pub(crate) async fn everything_open_is_withdrawn<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    approved(&*store, 1).await;
    approved(&*store, 2).await;
    let (id, from) = (hold_id(2), HoldState::Approved);
    store
        .step(&id, from, HoldEvent::Execute, None)
        .await
        .unwrap();
    store.open_hold(hold(3, &[(1, 500)]), 9).await.unwrap();
    let signed = signature(0, 0, NOW);
    store.sign(&hold_id(3), signed, None, NOW).await.unwrap();
    let mut under_grant = hold(4, &[(1, 0)]);
    under_grant.grant = Some(grant_id(0));
    store.open_hold(under_grant, 9).await.unwrap();

    let connection = connection_id(0);
    let changed = store.withdraw_of(&connection, Some(&grant_id(0))).await;
    let changed: Vec<_> = changed
        .unwrap()
        .into_iter()
        .map(|hold| (hold.id, hold.state))
        .collect();
    assert_eq!(changed, [(hold_id(4), HoldState::Withdrawn)]);
    let changed = store.withdraw_of(&connection, None).await.unwrap();
    let changed: Vec<_> = changed
        .into_iter()
        .map(|hold| (hold.id, hold.state))
        .collect();
    let expected = [
        (hold_id(1), HoldState::Withdrawn),
        (hold_id(3), HoldState::Cancelled),
    ];
    assert_eq!(changed, expected);
    let sent = store.hold(&hold_id(2)).await.unwrap().state;
    assert_eq!(
        sent,
        HoldState::Executing,
        "what is on its way can't be taken back"
    );
}

pub(crate) async fn children_need_a_parent_in_force<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    let orphan = store.add_child_connection(connection(2, None)).await;
    assert!(matches!(orphan, Err(StoreError::NotFound(_))));
    let orphan = store.add_child_grant(grant(2, 0, None)).await;
    assert!(matches!(orphan, Err(StoreError::NotFound(_))));

    let mut long = grant(2, 0, Some(0));
    long.expires = NOW.plus_ms(999_999);
    store.add_child_grant(long).await.unwrap();
    let grants = store.authority().await.unwrap().grants;
    assert_eq!(
        grants[1].expires, grants[0].expires,
        "ends no later than its parent"
    );
    store.trip_grant(&grant_id(0)).await.unwrap();
    let below = store.add_child_grant(grant(3, 0, Some(2))).await;
    assert_eq!(below, settled("tripped"), "also further up");

    store.revoke_connection(&connection_id(0)).await.unwrap();
    let below = store.add_child_connection(connection(2, Some(0))).await;
    assert_eq!(below, settled("revoked"));
}
