//! A mark for what a page shows, so that an open page can tell that something changed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tagout_core::card::Hold;
use tagout_core::proposal::Proposal;

/// The mark of a list of holds and proposals: their ids, states and numbers of answers.
pub(crate) fn of_inbox(holds: &[Hold], proposals: &[Proposal]) -> String {
    let mut hash = DefaultHasher::new();
    for hold in holds {
        (hold.id.as_str(), hold.state, hold.approvals.len()).hash(&mut hash);
    }
    for proposal in proposals {
        proposal.id.as_str().hash(&mut hash);
    }
    format!("{:016x}", hash.finish())
}

/// The mark of the holds on one card, each whole.
pub(crate) fn of_card(holds: &[Hold]) -> String {
    let mut hash = DefaultHasher::new();
    serde_json::to_string(holds)
        .unwrap_or_default()
        .hash(&mut hash);
    format!("{:016x}", hash.finish())
}
