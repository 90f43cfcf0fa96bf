//! What the writer, the publisher and the readers share.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    LedgerError, SignedCheckpoint,
    journal::{Span, lock},
    merkle::{Frontier, TreeHash},
};

/// The parts of a ledger that several threads look at.
pub(crate) struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
    pub(crate) spans: Mutex<Vec<Span>>,
}

/// How far the log has got.
pub(crate) struct Progress {
    /// Entries that are durable in the journal.
    pub(crate) durable: u64,
    /// The root over them.
    pub(crate) durable_root: TreeHash,
    /// The newest checkpoint on the disk.
    pub(crate) published: Option<SignedCheckpoint>,
    /// Why the last publication failed.
    pub(crate) publish_error: Option<LedgerError>,
    /// The writer will not make anything durable any more.
    pub(crate) writer_done: bool,
}

impl Progress {
    /// Where recovery ended.
    pub(crate) fn new(recovered: &Frontier, published: Option<SignedCheckpoint>) -> Self {
        Self {
            durable: recovered.size(),
            durable_root: recovered.root(),
            published,
            publish_error: None,
            writer_done: false,
        }
    }

    pub(crate) fn published_size(&self) -> u64 {
        self.published.as_ref().map_or(0, SignedCheckpoint::size)
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.published.is_none() || self.published_size() < self.durable
    }
}

impl Shared {
    pub(crate) const fn new(progress: Progress, spans: Vec<Span>) -> Self {
        Self {
            progress: Mutex::new(progress),
            changed: Condvar::new(),
            spans: Mutex::new(spans),
        }
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    /// Changes the progress and wakes everyone who waits for it.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress());
        self.changed.notify_all();
    }

    /// Waits until `done` holds or the time is over; tells which.
    pub(crate) fn wait(&self, limit: Option<Duration>, done: impl Fn(&Progress) -> bool) -> bool {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let mut progress = self.progress();
        while !done(&progress) {
            let Some(deadline) = deadline else {
                progress = self
                    .changed
                    .wait(progress)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            let waited = self.changed.wait_timeout(progress, left);
            progress = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
