//! How far the ledger had got, kept in the store: so that a ledger folder that was set back as a whole
//! is noticed, and so that a start needs to read only what is new.

use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};

use tagout_core::store::Store;
use tagout_ledger::{LedgerError, NoteVerifier, SignedCheckpoint};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::receipts::RECEIPT_LIFE_MS;

const CHECKPOINT: &str = "ledger:checkpoint";
const SETTLED_BELOW: &str = "ledger:settled-below";

/// The mark is kept this often.
const EVERY_MS: u64 = 30_000;

/// The last checkpoint that the engine kept in the store, for [`tagout_ledger::Options::must_extend`].
///
/// # Errors
/// [`EngineError`] when the store can't be read, or what it holds was not signed by this ledger.
pub async fn kept_checkpoint(
    store: &dyn Store,
    verifier: &NoteVerifier,
) -> Result<Option<SignedCheckpoint>, EngineError> {
    let Some(note) = store.sealed(CHECKPOINT).await? else {
        return Ok(None);
    };
    let malformed = LedgerError::MalformedNote("the checkpoint in the store is not text");
    let note = String::from_utf8(note).map_err(|_| malformed)?;
    Ok(Some(SignedCheckpoint::open(&note, verifier)?))
}

impl Engine {
    /// The index below which every intent had its outcome when the mark was kept; zero if there is no
    /// mark or it does not fit the ledger.
    pub(crate) async fn settled_below(&self) -> Result<u64, EngineError> {
        let kept = self.store.sealed(SETTLED_BELOW).await?.unwrap_or_default();
        let index = kept.try_into().map_or(0, u64::from_be_bytes);
        let size = self.record.ledger().durable_size();
        Ok(if index <= size { index } else { 0 })
    }

    /// Keeps the mark, if it is time.
    pub(crate) async fn keep_mark_sometimes(&self) -> Result<(), EngineError> {
        let now_ms = self.clock.monotonic_ms();
        let last = self.marks().back().map(|(at_ms, _)| *at_ms);
        match last {
            Some(at_ms) if now_ms.saturating_sub(at_ms) < EVERY_MS => Ok(()),
            _ => self.keep_mark().await,
        }
    }

    /// Keeps the newest checkpoint; and an index that is old enough for the next start to read on from
    /// it and still find every receipt that counts.
    pub(crate) async fn keep_mark(&self) -> Result<(), EngineError> {
        let now_ms = self.clock.monotonic_ms();
        let note = self.record.checkpoint_note().into_bytes();
        self.store.keep(CHECKPOINT, note).await?;
        let mark = (now_ms, self.record.settled_below());
        if let Some(below) = self.old_enough(mark) {
            let below = below.to_be_bytes().to_vec();
            self.store.keep(SETTLED_BELOW, below).await?;
        }
        Ok(())
    }

    fn marks(&self) -> MutexGuard<'_, VecDeque<(u64, u64)>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a mark, and takes out the newest one that is older than any receipt.
    fn old_enough(&self, mark: (u64, u64)) -> Option<u64> {
        let mut marks = self.marks();
        marks.push_back(mark);
        let mut old = None;
        while let Some((at_ms, below)) = marks.front().copied() {
            if mark.0.saturating_sub(at_ms) <= RECEIPT_LIFE_MS {
                break;
            }
            old = Some(below);
            marks.pop_front();
        }
        old
    }
}
