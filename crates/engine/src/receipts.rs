//! What was sent in the last ten minutes, so that a mutation whose answer was lost is not sent again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tagout_core::digest::OperationDigest;
use tagout_core::pipeline::Outcome;
use tagout_core::time::UnixMs;

/// How long an identical request gets the stored receipt.
pub(crate) const RECEIPT_LIFE_MS: u64 = 10 * 60 * 1000;

/// Old receipts are swept out when there are more than this many.
const SWEEP_AT: usize = 4096;

/// Outcomes by operation. In memory: after a restart the ledger and the holds say the same.
#[derive(Debug, Default)]
pub(crate) struct Receipts(Mutex<HashMap<OperationDigest, (UnixMs, Outcome)>>);

impl Receipts {
    pub(crate) fn keep(&self, operation: OperationDigest, outcome: &Outcome, now: UnixMs) {
        let mut receipts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if receipts.len() > SWEEP_AT {
            receipts.retain(|_, (at, _)| now.since_ms(*at) < RECEIPT_LIFE_MS);
        }
        receipts.insert(operation, (now, outcome.clone()));
    }

    /// What became of it, if that is not too long ago.
    pub(crate) fn of(&self, operation: OperationDigest, now: UnixMs) -> Option<Outcome> {
        let receipts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, outcome) = receipts.get(&operation)?;
        (now.since_ms(*at) < RECEIPT_LIFE_MS).then(|| outcome.clone())
    }
}
