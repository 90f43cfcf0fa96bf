//! Telling somebody. A notice names what waits and where to look; it never carries a way to decide.

use serde::Serialize;
use tagout_core::ids::{FreezeId, GrantId, HoldId, ProposalId};

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "notice")]
pub enum Notice {
    /// A hold waits.
    Held {
        /// Which.
        hold: HoldId,
        /// Its card's headline, escaped and cut.
        headline: String,
    },
    /// A proposal waits.
    Proposed {
        /// Which.
        proposal: ProposalId,
    },
    /// What became of something can't be known.
    Unknown {
        /// A line about it.
        line: String,
    },
    /// An agent sent a credential that is not its token.
    Stray {
        /// A line about it.
        line: String,
    },
    /// A budget stopped a task.
    Tripped {
        /// Its grant.
        grant: GrantId,
    },
    /// Everything was stopped.
    Frozen {
        /// Which freeze.
        freeze: FreezeId,
    },
}

/// Where notices go. Must not block: a notice that can't be delivered is lost, a decision is not.
pub trait Notify: Send + Sync {
    /// Takes a notice.
    fn notify(&self, notice: Notice);
}

/// For tests and for installations that look at the console.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Notify for Silent {
    fn notify(&self, _notice: Notice) {}
}
