//! How a ledger is opened, and the points at which tests can make it fail.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    LedgerError, SignedCheckpoint,
    journal::{DiskProbe, MIN_SEGMENT_BYTES, system_disk_probe},
    note::NoteSigner,
};

/// A moment in the life of an entry at which a fault can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultPoint {
    /// A group of entries is about to be written to the journal.
    BeforeJournalWrite,
    /// It is written but not yet durable.
    AfterJournalWriteBeforeSync,
    /// It is durable but nobody has been told.
    AfterSyncBeforeAck,
    /// Tiles are written, the checkpoint that covers them is not.
    BeforeCheckpoint,
    /// The checkpoint is durable.
    AfterCheckpoint,
}

/// Called at each fault point. It may end the process, or answer with an error, which then counts as
/// the disk's own: at the first three points it stops the writer for good, at the last two the
/// publication is tried again later.
pub type FaultHook = Arc<dyn Fn(FaultPoint) -> io::Result<()> + Send + Sync>;

/// How to open a ledger.
#[derive(Clone)]
pub struct Options {
    /// Where the log lies. Created if it is not there.
    pub directory: PathBuf,
    /// The log's key; its name is the log's origin.
    pub signer: NoteSigner,
    /// Size of one journal segment; at least 128 KiB. One more is kept pre-written.
    pub segment_bytes: u64,
    /// Pre-written room that only [`crate::Class::Refusal`] may use; at most half a segment.
    pub refusal_reserve_bytes: u64,
    /// Disk space that the journal leaves alone. When less is free, effects are refused.
    pub disk_reserve_bytes: u64,
    /// Entries that may wait to become durable. Refusals may exceed it by a quarter.
    pub queue_entries: usize,
    /// Bytes that may wait to become durable. Refusals may exceed it by a quarter.
    pub queue_bytes: usize,
    /// How long an entry of [`crate::Ledger::append_soon`] may wait for another to become durable with.
    pub linger: Duration,
    /// The least time between two published checkpoints.
    pub publish_interval: Duration,
    /// A checkpoint kept elsewhere (the store, a witness): the log must extend it or is not opened.
    pub must_extend: Option<SignedCheckpoint>,
    /// How free disk space is found out.
    pub disk_probe: DiskProbe,
    /// Called at each fault point; none in production.
    pub fault_hook: Option<FaultHook>,
}

impl Options {
    /// The defaults: 32 MiB segments, 4 MiB reserved for refusals, 256 MiB of the disk left alone, a
    /// checkpoint at most every 100 ms, 5 ms for what need not be durable at once.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, signer: NoteSigner) -> Self {
        Self {
            directory: directory.into(),
            signer,
            segment_bytes: 32 << 20,
            refusal_reserve_bytes: 4 << 20,
            disk_reserve_bytes: 256 << 20,
            queue_entries: 16_384,
            queue_bytes: 32 << 20,
            linger: Duration::from_millis(5),
            publish_interval: Duration::from_millis(100),
            must_extend: None,
            disk_probe: system_disk_probe(),
            fault_hook: None,
        }
    }

    pub(crate) const fn check(&self) -> Result<(), LedgerError> {
        if self.segment_bytes < MIN_SEGMENT_BYTES {
            return Err(LedgerError::BadOption(
                "`segment_bytes` must be at least 131072",
            ));
        }
        if self.refusal_reserve_bytes > self.segment_bytes / 2 {
            return Err(LedgerError::BadOption(
                "`refusal_reserve_bytes` exceeds half a segment",
            ));
        }
        if self.queue_entries == 0 || self.queue_bytes == 0 {
            return Err(LedgerError::BadOption("the queue must hold something"));
        }
        Ok(())
    }

    pub(crate) fn fault(&self, point: FaultPoint) -> Result<(), LedgerError> {
        let Some(hook) = &self.fault_hook else {
            return Ok(());
        };
        hook(point).map_err(crate::error::io_error(
            "write (injected fault)",
            &self.directory,
        ))
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("directory", &self.directory)
            .field("signer", &self.signer)
            .finish_non_exhaustive()
    }
}
