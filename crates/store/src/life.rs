//! The rules of a hold's life that need no database, so that each backend has the same.

use std::collections::BTreeSet;

use tagout_core::card::{Choice, Hold, SignedApproval};
use tagout_core::hold::{APPROVAL_LIFE_MS, HoldEvent, HoldState, IllegalStep};
use tagout_core::ids::PersonId;
use tagout_core::store::StoreError;
use tagout_core::time::UnixMs;

/// The hold with one more signature; approved or scheduled if that was the last one needed.
///
/// Signatures for another choice stay on the hold but don't count for this one. Once a choice is
/// complete its signatures come first, because [`Hold::chosen`] goes by the first.
///
/// # Errors
/// [`StoreError::Settled`] if it does not wait any more or has expired, [`StoreError::NotFound`] for
/// a choice that the card doesn't have, [`StoreError::SamePerson`].
pub(crate) fn signed(
    mut hold: Hold,
    approval: SignedApproval,
    solo_after_ms: Option<u64>,
    now: UnixMs,
) -> Result<Hold, StoreError> {
    let choice = signable(&hold, approval.choice, now)?.clone();
    admit(&hold, &approval, solo_after_ms, now)?;
    let signed = approval.choice;
    hold.approvals.push(approval);
    if agreeing(&hold, signed, solo_after_ms) >= usize::from(choice.document.approvals.max(1)) {
        hold.approvals.sort_by_key(|other| other.choice != signed);
        complete(&mut hold, choice.document.delay_ms, now)?;
    }
    Ok(hold)
}

fn signable(hold: &Hold, choice: usize, now: UnixMs) -> Result<&Choice, StoreError> {
    if hold.state != HoldState::Pending {
        return Err(StoreError::Settled(hold.state.word().to_owned()));
    }
    let choice = hold.card.choices.get(choice);
    let choice = choice.ok_or(StoreError::NotFound("choice"))?;
    if now >= hold.card.expires || now >= choice.document.expires {
        return Err(StoreError::Settled(HoldState::Expired.word().to_owned()));
    }
    Ok(choice)
}

/// Lets a person sign a choice once, or again after `solo_after_ms`.
fn admit(
    hold: &Hold,
    approval: &SignedApproval,
    solo_after_ms: Option<u64>,
    now: UnixMs,
) -> Result<(), StoreError> {
    let earlier = hold
        .approvals
        .iter()
        .filter(|other| other.person == approval.person && other.choice == approval.choice)
        .map(|other| other.at)
        .max();
    match (earlier, solo_after_ms) {
        (None, _) => Ok(()),
        (Some(at), Some(wait_ms)) if now.since_ms(at) >= wait_ms => Ok(()),
        (Some(_), _) => Err(StoreError::SamePerson),
    }
}

/// How many signatures count for a choice: one a person, or every admitted one where the same person
/// may sign again.
fn agreeing(hold: &Hold, choice: usize, solo_after_ms: Option<u64>) -> usize {
    let same = hold.approvals.iter().filter(|other| other.choice == choice);
    if solo_after_ms.is_some() {
        return same.count();
    }
    let people: BTreeSet<&PersonId> = same.map(|other| &other.person).collect();
    people.len()
}

fn complete(hold: &mut Hold, delay_ms: u64, now: UnixMs) -> Result<(), IllegalStep> {
    hold.state = hold.state.after(HoldEvent::Approve)?;
    hold.approved = Some(now);
    if delay_ms > 0 {
        hold.state = hold.state.after(HoldEvent::Schedule)?;
        hold.run_at = Some(now.plus_ms(delay_ms));
    }
    Ok(())
}

/// When an approval that nobody uses lapses: fifteen minutes after it was complete, or earlier if
/// what was signed says so. `None` unless approved.
pub(crate) fn lapses(hold: &Hold) -> Option<UnixMs> {
    if hold.state != HoldState::Approved {
        return None;
    }
    let unused = hold.approved?.plus_ms(APPROVAL_LIFE_MS);
    Some(match hold.chosen() {
        Some(choice) => unused.min(choice.document.expires),
        None => unused,
    })
}

/// The state after a step that no signature takes part in.
///
/// # Errors
/// [`IllegalStep`] also for approving and scheduling: only signatures do that.
pub(crate) fn unsigned(from: HoldState, event: HoldEvent) -> Result<HoldState, IllegalStep> {
    match event {
        HoldEvent::Approve | HoldEvent::Schedule => Err(IllegalStep { from, event }),
        _ => from.after(event),
    }
}

/// Where a hold goes when its connection or grant ends; `None` if that can't reach it any more.
pub(crate) fn ended(from: HoldState) -> Option<HoldState> {
    let by = |event| from.after(event).ok();
    by(HoldEvent::Withdraw).or_else(|| by(HoldEvent::Cancel))
}
