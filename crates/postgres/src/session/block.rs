//! Where a session's transaction stands, as the agent sees it.

use std::sync::Arc;

use crate::catalog::closure::Closure;
use crate::catalog::measure::Measure;
use crate::understand::statement::Statement;
use crate::unit::{Copied, Step};
use crate::wire::server::Status;

/// The agent's transaction block.
#[derive(Debug, Default)]
pub(crate) enum Block {
    /// None is open.
    #[default]
    None,
    /// Open, with what was done in it.
    Open(Work),
    /// The server aborted it; a savepoint may bring it back.
    Failed(Work),
    /// The gateway rolled it back; the agent has still to end it.
    Gone,
}

/// What was done in a transaction.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// What changes something, and the savepoints between, in order.
    pub(crate) steps: Vec<Step>,
    pub(crate) statements: Vec<Arc<Statement>>,
    pub(crate) closures: Vec<Arc<Closure>>,
    /// Whether anything but reading was tried in it.
    pub(crate) tried: bool,
    /// Where in `steps` the first one is that would have been held by itself.
    pub(crate) held_from: Option<usize>,
    /// What the last copy brought.
    pub(crate) copied: Option<Copied>,
    /// What it takes to measure it at its end.
    pub(crate) measure: Measure,
}

impl Block {
    /// What the agent hears when it may go on.
    pub(crate) const fn status(&self) -> Status {
        match self {
            Self::None => Status::Idle,
            Self::Open(_) => Status::Transaction,
            Self::Failed(_) | Self::Gone => Status::Failed,
        }
    }

    /// The work, where a transaction is open at the server.
    pub(crate) const fn work(&mut self) -> Option<&mut Work> {
        match self {
            Self::Open(work) | Self::Failed(work) => Some(work),
            Self::None | Self::Gone => None,
        }
    }

    /// As [`Self::follow`], where the server's transaction may be gone and the agent's not yet.
    pub(crate) fn follow_unless_gone(&mut self, status: Status) {
        if !matches!(self, Self::Gone) {
            self.follow(status);
        }
    }

    /// Follows what the server says after a statement.
    pub(crate) fn follow(&mut self, status: Status) {
        *self = match (std::mem::take(self), status) {
            (Self::Open(work) | Self::Failed(work), Status::Transaction) => Self::Open(work),
            (Self::Open(work) | Self::Failed(work), Status::Failed) => Self::Failed(work),
            (Self::None | Self::Gone, Status::Transaction) => Self::Open(Work::default()),
            (Self::None, Status::Failed) => Self::Failed(Work::default()),
            (Self::Gone, Status::Failed) => Self::Gone,
            (_, Status::Idle) => Self::None,
        };
    }
}
