//! Transactions that wait for a person, found again by how they begin.
//!
//! The gateway learns only at its commit what all of a transaction is. When it comes again, it is recognised
//! at the first statement that would be held, and is not run again just to be held again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tagout_core::digest::BytesDigest;
use tagout_core::ids::{ConnectionId, HoldId};
use tagout_core::refusal::Refusal;

/// So many are remembered; beyond that, all are forgotten, and held again when they come again.
const MOST: usize = 4096;

/// A transaction that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) hold: HoldId,
    pub(crate) refusal: Box<Refusal>,
}

/// All of them, by who asked and how they begin.
#[derive(Debug, Default)]
pub(crate) struct PendingHolds(Mutex<HashMap<(ConnectionId, BytesDigest), Waiting>>);

impl PendingHolds {
    fn all(&self) -> MutexGuard<'_, HashMap<(ConnectionId, BytesDigest), Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn of(&self, caller: &ConnectionId, prefix: &BytesDigest) -> Option<Waiting> {
        self.all().get(&(caller.clone(), *prefix)).cloned()
    }

    pub(crate) fn keep(
        &self,
        caller: ConnectionId,
        prefix: BytesDigest,
        hold: HoldId,
        refusal: Refusal,
    ) {
        let mut all = self.all();
        if all.len() >= MOST {
            all.clear();
        }
        let refusal = Box::new(refusal);
        all.insert((caller, prefix), Waiting { hold, refusal });
    }
}
