//! What an agent could not hear the end of, so that a mutation whose answer was lost is not sent again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tagout_core::digest::OperationDigest;
use tagout_core::pipeline::Outcome;
use tagout_core::time::UnixMs;

/// How long an identical request gets the stored receipt.
pub(crate) const RECEIPT_LIFE_MS: u64 = 10 * 60 * 1000;

/// More receipts than this are not kept; the oldest go.
const MOST: usize = 16_384;

/// One receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// It is on its way, and whoever asked for it has gone.
    OnItsWay,
    /// It ended so.
    Ended(Outcome),
}

/// Receipts by operation. In memory; at a start those of the last minutes come from the ledger.
#[derive(Debug, Default)]
pub(crate) struct Receipts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    kept: HashMap<OperationDigest, (UnixMs, Receipt)>,
    order: VecDeque<(UnixMs, OperationDigest)>,
}

impl Receipts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps how it ended.
    pub(crate) fn keep(&self, operation: OperationDigest, outcome: &Outcome, now: UnixMs) {
        let mut state = self.state();
        state.put(operation, Receipt::Ended(outcome.clone()), now);
    }

    /// Whoever asked has gone before it ended.
    pub(crate) fn keep_open(&self, operation: OperationDigest, now: UnixMs) {
        let mut state = self.state();
        if state.fresh(operation, now).is_none() {
            state.put(operation, Receipt::OnItsWay, now);
        }
    }

    /// It was never sent, so it may be asked again.
    pub(crate) fn forget(&self, operation: OperationDigest) {
        self.state().kept.remove(&operation);
    }

    /// What became of it, if that is not too long ago.
    pub(crate) fn of(&self, operation: OperationDigest, now: UnixMs) -> Option<Receipt> {
        self.state().fresh(operation, now).cloned()
    }
}

impl State {
    fn fresh(&self, operation: OperationDigest, now: UnixMs) -> Option<&Receipt> {
        let (at, receipt) = self.kept.get(&operation)?;
        (now.since_ms(*at) < RECEIPT_LIFE_MS).then_some(receipt)
    }

    fn put(&mut self, operation: OperationDigest, receipt: Receipt, now: UnixMs) {
        self.kept.insert(operation, (now, receipt));
        self.order.push_back((now, operation));
        while let Some((at, oldest)) = self.order.front().copied() {
            if self.order.len() <= MOST && now.since_ms(at) < RECEIPT_LIFE_MS {
                return;
            }
            self.order.pop_front();
            // A newer receipt of the same operation has its own place in the order.
            if self.kept.get(&oldest).is_some_and(|kept| kept.0 == at) {
                self.kept.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> OperationDigest {
        OperationDigest::of(&number.to_be_bytes())
    }

    #[test]
    fn receipts_end_and_are_bounded() {
        let receipts = Receipts::default();
        let done = Outcome::Done("ok".to_owned());
        for number in 0..MOST + 10 {
            receipts.keep(digest(number), &done, UnixMs(number as u64));
        }
        let now = UnixMs(MOST as u64 + 10);
        assert_eq!(receipts.of(digest(0), now), None);
        assert_eq!(receipts.of(digest(10), now), Some(Receipt::Ended(done)));
        assert!(receipts.state().kept.len() <= MOST && receipts.state().order.len() <= MOST);
        let later = now.plus_ms(RECEIPT_LIFE_MS);
        assert_eq!(receipts.of(digest(10), later), None);
    }

    #[test]
    fn an_end_is_not_overwritten_by_a_late_goodbye() {
        let receipts = Receipts::default();
        let done = Outcome::Done("ok".to_owned());
        receipts.keep(digest(1), &done, UnixMs(5));
        receipts.keep_open(digest(1), UnixMs(6));
        assert_eq!(
            receipts.of(digest(1), UnixMs(7)),
            Some(Receipt::Ended(done))
        );
        receipts.forget(digest(1));
        assert_eq!(receipts.of(digest(1), UnixMs(7)), None);
    }
}
