//! Signatures on holds.

use std::sync::Arc;

use tagout_core::hold::{HOLD_LIFE_MS, HoldEvent, HoldState};
use tagout_core::store::{Store, StoreError};

use super::fixtures::{NOW, hold, hold_id, populate, signature};

pub(crate) async fn one_signature_approves<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    store.open_hold(hold(1, &[(1, 0)]), 9).await.unwrap();
    let id = hold_id(1);
    let missing = store.sign(&id, signature(0, 1, NOW), None, NOW).await;
    assert_eq!(missing, Err(StoreError::NotFound("choice")));
    let signed = store.sign(&id, signature(0, 0, NOW), None, NOW).await;
    let signed = signed.unwrap();
    assert_eq!(
        (signed.state, signed.approved),
        (HoldState::Approved, Some(NOW))
    );
    assert_eq!(signed.approvals, [signature(0, 0, NOW)]);
    assert_eq!(store.hold(&id).await, Ok(signed));
    let again = store.sign(&id, signature(1, 0, NOW), None, NOW).await;
    assert_eq!(again, Err(StoreError::Settled("approved".into())));
}

pub(crate) async fn two_people_for_the_same_choice<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    store
        .open_hold(hold(1, &[(2, 0), (2, 0)]), 9)
        .await
        .unwrap();
    let sign = |person, choice| {
        let store = &store;
        async move {
            let signature = signature(person, choice, NOW);
            let signed = store.sign(&hold_id(1), signature, None, NOW).await;
            signed.map(|hold| hold.state)
        }
    };
    assert_eq!(sign(0, 0).await, Ok(HoldState::Pending));
    assert_eq!(sign(0, 0).await, Err(StoreError::SamePerson));
    assert_eq!(sign(1, 1).await, Ok(HoldState::Pending));
    assert_eq!(sign(2, 1).await, Ok(HoldState::Approved));
    let hold = store.hold(&hold_id(1)).await.unwrap();
    assert_eq!(hold.approvals.len(), 3);
    assert_eq!(
        hold.approvals[0].choice, 1,
        "the chosen one is what two people signed"
    );
}

pub(crate) async fn a_solo_person_signs_later_again<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    store.open_hold(hold(1, &[(2, 0)]), 9).await.unwrap();
    let solo = |later_ms, after_ms| {
        let store = &store;
        async move {
            let at = NOW.plus_ms(later_ms);
            let signed = store
                .sign(&hold_id(1), signature(0, 0, at), after_ms, at)
                .await;
            signed.map(|hold| hold.state)
        }
    };
    assert_eq!(solo(0, Some(100)).await, Ok(HoldState::Pending));
    assert_eq!(solo(99, Some(100)).await, Err(StoreError::SamePerson));
    assert_eq!(solo(100, None).await, Err(StoreError::SamePerson));
    assert_eq!(solo(100, Some(100)).await, Ok(HoldState::Approved));
}

pub(crate) async fn a_delay_schedules<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    store.open_hold(hold(1, &[(1, 500)]), 9).await.unwrap();
    let signed = store
        .sign(&hold_id(1), signature(0, 0, NOW), None, NOW)
        .await;
    let signed = signed.unwrap();
    assert_eq!(signed.state, HoldState::Scheduled);
    assert_eq!(signed.run_at, Some(NOW.plus_ms(500)));
    assert_eq!(store.due_holds(NOW.plus_ms(499)).await, Ok(vec![]));
    assert_eq!(store.due_holds(NOW.plus_ms(500)).await, Ok(vec![signed]));
    assert_eq!(
        store.expire_holds(NOW.plus_ms(HOLD_LIFE_MS * 99)).await,
        Ok(vec![])
    );
    let (id, from) = (hold_id(1), HoldState::Scheduled);
    store
        .step(&id, from, HoldEvent::Cancel, None)
        .await
        .unwrap();
    assert_eq!(store.due_holds(NOW.plus_ms(500)).await, Ok(vec![]));
}

pub(crate) async fn expired_holds_are_not_signed<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    store.open_hold(hold(1, &[(1, 0)]), 9).await.unwrap();
    let id = hold_id(1);
    let late = NOW.plus_ms(HOLD_LIFE_MS);
    let signed = store.sign(&id, signature(0, 0, late), None, late).await;
    assert_eq!(signed, Err(StoreError::Settled("expired".into())));
    assert_eq!(store.hold(&id).await.unwrap().approvals, []);
    let early = NOW.plus_ms(HOLD_LIFE_MS - 1);
    assert!(
        store
            .sign(&id, signature(0, 0, early), None, early)
            .await
            .is_ok()
    );
}

pub(crate) async fn concurrent_signatures_all_count<S: Store + 'static>(store: Arc<S>) {
    populate(&*store).await;
    store.open_hold(hold(1, &[(8, 0)]), 9).await.unwrap();
    let sign = |person: u64| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let (id, signature) = (hold_id(1), signature(person / 2, 0, NOW));
            store.sign(&id, signature, None, NOW).await
        })
    };
    let racers: Vec<_> = (0..16_u64).map(sign).collect();
    let mut approved = 0;
    for racer in racers {
        let state = racer.await.unwrap().map(|hold| hold.state);
        approved += usize::from(state == Ok(HoldState::Approved));
    }
    assert_eq!(approved, 1);
    let hold = store.hold(&hold_id(1)).await.unwrap();
    assert_eq!(hold.approvals.len(), 8);
}
