//! What a person may be asked to approve: only what a card shows whole, and together only what belongs
//! together.

use tagout_core::card::{Choice, Hold};
use tagout_core::hold::HoldState;

/// The longest text that counts as shown whole. Nobody reads more before deciding.
pub(crate) const SHOWN_LIMIT_BYTES: usize = 64 * 1024;

/// Why a choice gets no approve button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unapprovable {
    #[error("it is not waiting any more")]
    NotPending,
    #[error("there is no such choice")]
    NoSuchChoice,
    #[error("what would be sent was not shown whole")]
    NotShownWhole,
    #[error("what would be sent is too long to be shown whole")]
    TooLong,
    #[error("what would be signed belongs to another hold")]
    OtherHold,
}

/// The choice of that number, if a person can approve it: all that would be signed as shown is what
/// the card shows.
pub(crate) fn approvable(hold: &Hold, index: usize) -> Result<&Choice, Unapprovable> {
    if hold.state != HoldState::Pending {
        return Err(Unapprovable::NotPending);
    }
    let choice = hold.card.choices.get(index);
    let choice = choice.ok_or(Unapprovable::NoSuchChoice)?;
    if choice.document.hold != hold.id || hold.card.hold != hold.id {
        return Err(Unapprovable::OtherHold);
    }
    let shown = choice.shown.raw();
    if shown.is_empty() || choice.document.shown != shown {
        return Err(Unapprovable::NotShownWhole);
    }
    if shown.len() > SHOWN_LIMIT_BYTES || hold.card.operation.raw().len() > SHOWN_LIMIT_BYTES {
        return Err(Unapprovable::TooLong);
    }
    Ok(choice)
}

/// Whether two holds may stand on one card: both wait, one agent asked for one task, and they would
/// reach the same environment.
pub(crate) fn together(one: &Hold, other: &Hold) -> bool {
    let pending = |hold: &Hold| hold.state == HoldState::Pending;
    pending(one)
        && pending(other)
        && one.connection == other.connection
        && one.grant == other.grant
        && one.upstream == other.upstream
        && one.card.environment == other.card.environment
}

/// The pending holds in groups that may be judged together, each in the order given.
pub(crate) fn groups(holds: &[Hold]) -> Vec<Vec<&Hold>> {
    let mut groups: Vec<Vec<&Hold>> = Vec::new();
    for hold in holds.iter().filter(|hold| hold.state == HoldState::Pending) {
        let fits = |group: &&mut Vec<&Hold>| group.first().is_some_and(|one| together(one, hold));
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(hold),
            None => groups.push(vec![hold]),
        }
    }
    groups
}
