//! The ledger as others use it: open, append, read, prove.

use std::{
    collections::VecDeque,
    fs::{self, File, TryLockError},
    ops::Range,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use tagout_core::permit::{Permit, Recorded};
use tokio::sync::oneshot;

use crate::{
    LedgerError, SignedCheckpoint,
    append::{Append, State, block_on},
    bodies::{BodyHash, BodyStore},
    entries::Entries,
    error::io_error,
    files::sync_directory,
    journal::{Segment, SegmentPool},
    merkle::TreeHash,
    options::Options,
    proofs,
    publisher::Publisher,
    queue::{Appended, Class, Pending, Queue, Urgency},
    recovery::{Recovered, Recovery, recover},
    state::{Progress, Shared},
    tiles::{MAX_ENTRY_BYTES, TileReader},
    writer::Writer,
};

/// The longest body that goes into the journal with the entry that names it, in bytes.
pub const MAX_JOURNAL_BODY_BYTES: usize = 32 << 10;

/// An open ledger. Clones share it; the last one to go waits until what was appended is published.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    pool: Arc<SegmentPool>,
    bodies: Arc<BodyStore>,
    threads: Vec<JoinHandle<()>>,
    /// Locked for as long as the ledger is open; the system unlocks it if the process dies.
    _lock: File,
}

/// How the ledger is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Entries that are durable.
    pub durable_size: u64,
    /// Entries that wait to become durable.
    pub waiting: usize,
    /// Entries that the published checkpoint covers.
    pub published_size: u64,
    /// Pre-written bytes beyond the active segment.
    pub ready_bytes: u64,
    /// Free bytes on the disk.
    pub available_bytes: u64,
    /// Whether effects are refused because the disk is nearly full.
    pub disk_is_low: bool,
    /// Why the last publication failed, if it did.
    pub publish_error: Option<LedgerError>,
    /// Whether the writer has stopped.
    pub writer_stopped: bool,
}

impl Ledger {
    /// Opens a ledger, or starts a new one, after checking that it contradicts neither itself nor its
    /// published checkpoint.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] when it is open elsewhere; [`LedgerError::Truncated`],
    /// [`LedgerError::Contradiction`], [`LedgerError::JournalDamaged`] or
    /// [`LedgerError::CheckpointMissing`] when it is not what was signed; otherwise IO errors.
    pub fn open(options: Options) -> Result<(Self, Recovery), LedgerError> {
        options.check()?;
        let directory = options.directory.clone();
        fs::create_dir_all(&directory).map_err(io_error("create directory", &directory))?;
        let lock = lock_directory(&options)?;
        let bodies = Arc::new(BodyStore::new(&directory));
        bodies.remove_unfinished();
        let verifier = options.signer.verifier().clone();
        let must_extend = options.must_extend.as_ref();
        let found = recover(&directory, &verifier, options.segment_bytes, must_extend)?;
        let report = found.report.clone();
        let inner = Inner::start(options, found, bodies, lock)?;
        Ok((
            Self {
                inner: Arc::new(inner),
            },
            report,
        ))
    }

    /// Queues an entry at once and gives a future that resolves when it is durable. Entries become
    /// durable in the order of the calls. Dropping the future does not take the entry back.
    ///
    /// The future's errors: [`LedgerError::EntryTooLarge`], [`LedgerError::QueueFull`],
    /// [`LedgerError::LedgerFull`], [`LedgerError::WriterDead`].
    pub fn append(&self, class: Class, entry: Vec<u8>) -> Append {
        self.push(class, Urgency::Now, (entry, None))
    }

    /// [`Ledger::append`] for what nobody waits for: it becomes durable with the next entry that is wanted at
    /// once, and so costs no sync of its own; after [`Options::linger`] without one, by itself. Until then a
    /// crash loses it.
    pub fn append_soon(&self, class: Class, entry: Vec<u8>) -> Append {
        self.push(class, Urgency::Soon, (entry, None))
    }

    fn push(
        &self,
        class: Class,
        urgency: Urgency,
        (entry, body): (Vec<u8>, Option<Vec<u8>>),
    ) -> Append {
        if entry.len() > MAX_ENTRY_BYTES {
            let error = LedgerError::EntryTooLarge {
                bytes: entry.len(),
                limit: MAX_ENTRY_BYTES,
            };
            return Append(State::Refused(Some(error)));
        }
        let (reply, answer) = oneshot::channel();
        match self.inner.queue.push(Pending {
            class,
            urgency,
            entry,
            body,
            reply,
        }) {
            Ok(()) => Append(State::Waiting(answer)),
            Err(error) => Append(State::Refused(Some(error))),
        }
    }

    /// [`Ledger::append`] for callers outside an async runtime: blocks this thread until the entry is
    /// durable.
    ///
    /// # Errors
    /// Those of [`Ledger::append`].
    pub fn append_blocking(&self, class: Class, entry: Vec<u8>) -> Result<Appended, LedgerError> {
        block_on(self.append(class, entry))
    }

    /// Records the intent of a permit. Only when it is durable may the permit be executed, and this is
    /// the only way to get the [`Recorded`] that executors ask for.
    ///
    /// `body` is one that the intent names by its hash. It becomes durable in the same sync, and lies beside
    /// the log when the checkpoint covers the intent. Longer than [`MAX_JOURNAL_BODY_BYTES`] it is put there
    /// first, which takes syncs of its own.
    ///
    /// # Errors
    /// Those of [`Ledger::append`] and [`BodyStore::put`]; the permit is consumed either way.
    pub async fn record_intent(
        &self,
        permit: Permit,
        intent: Vec<u8>,
        body: Option<Vec<u8>>,
    ) -> Result<Recorded<Permit>, LedgerError> {
        let body = match body {
            Some(long) if long.len() > MAX_JOURNAL_BODY_BYTES => {
                self.put_body(long).await?;
                None
            }
            body => body,
        };
        let appended = self
            .push(Class::Effect, Urgency::Now, (intent, body))
            .await?;
        Ok(Recorded::new(
            tagout_seal::LedgerSeal::new(),
            permit,
            appended.index,
        ))
    }

    /// [`BodyStore::put`] on a thread for blocking work.
    ///
    /// # Errors
    /// Those of [`BodyStore::put`].
    pub async fn put_body(&self, body: Vec<u8>) -> Result<BodyHash, LedgerError> {
        let ledger = self.clone();
        let put = tokio::task::spawn_blocking(move || ledger.bodies().put(&body));
        put.await
            .map_err(|error| LedgerError::ReadsRefused(error.to_string()))?
    }

    /// The newest published checkpoint. Everything it covers can be read and proved.
    #[must_use]
    pub fn checkpoint(&self) -> SignedCheckpoint {
        let published = self.inner.shared.progress().published.clone();
        published.unwrap_or_else(|| {
            SignedCheckpoint::sign(&self.inner.options.signer, 0, crate::merkle::empty_root())
        })
    }

    /// Waits (blocking this thread) until the published checkpoint covers `tree_size` entries.
    ///
    /// # Errors
    /// [`LedgerError::NotPublished`] when it has not by then.
    pub fn wait_published(
        &self,
        tree_size: u64,
        limit: Duration,
    ) -> Result<SignedCheckpoint, LedgerError> {
        let reached = |progress: &Progress| progress.published_size() >= tree_size;
        if self.inner.shared.wait(Some(limit), reached) {
            return Ok(self.checkpoint());
        }
        let error = self.inner.shared.progress().publish_error.clone();
        let cause = error.map_or_else(String::new, |error| format!(": {error}"));
        Err(LedgerError::NotPublished {
            wanted: tree_size,
            cause,
        })
    }

    /// The entries of a range, oldest first, as far as they are durable at the time of the call: from
    /// the tiles, and beyond the published checkpoint from the journal. Each comes with its index.
    #[must_use]
    pub fn entries(&self, range: Range<u64>) -> Entries {
        let end = range.end.min(self.inner.shared.progress().durable);
        let shared = Arc::clone(&self.inner.shared);
        Entries::new(
            self.inner.options.directory.clone(),
            shared,
            range.start..end,
        )
    }

    /// The proof that an entry is in the tree of the newest published checkpoint, with that checkpoint.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`] when the checkpoint does not cover the entry yet.
    pub fn prove_inclusion(
        &self,
        index: u64,
    ) -> Result<(Vec<TreeHash>, SignedCheckpoint), LedgerError> {
        let checkpoint = self.checkpoint();
        let source = TileReader::new(&self.inner.options.directory, checkpoint.size());
        let proof = proofs::prove_inclusion(&source, index, checkpoint.size())?;
        Ok((proof, checkpoint))
    }

    /// The proof that the tree of `old_size` is a prefix of that of the newest published checkpoint.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`] when the checkpoint is smaller.
    pub fn prove_consistency(
        &self,
        old_size: u64,
    ) -> Result<(Vec<TreeHash>, SignedCheckpoint), LedgerError> {
        let checkpoint = self.checkpoint();
        let source = TileReader::new(&self.inner.options.directory, checkpoint.size());
        let proof = proofs::prove_consistency(&source, old_size, checkpoint.size())?;
        Ok((proof, checkpoint))
    }

    /// The bodies beside this log.
    #[must_use]
    pub fn bodies(&self) -> &BodyStore {
        &self.inner.bodies
    }

    /// Entries that are durable.
    #[must_use]
    pub fn durable_size(&self) -> u64 {
        self.inner.shared.progress().durable
    }

    /// How the ledger is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        let available_bytes = self.inner.pool.available_bytes();
        let waiting = self.inner.queue.waiting();
        let progress = self.inner.shared.progress();
        Status {
            durable_size: progress.durable,
            waiting,
            published_size: progress.published_size(),
            ready_bytes: self.inner.pool.ready_bytes(),
            available_bytes,
            disk_is_low: available_bytes < self.inner.options.disk_reserve_bytes,
            publish_error: progress.publish_error.clone(),
            writer_stopped: progress.writer_done,
        }
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({})", self.inner.options.directory.display())
    }
}

impl Inner {
    /// Publishes what recovery found, then starts the threads.
    fn start(
        options: Options,
        found: Recovered,
        bodies: Arc<BodyStore>,
        lock: File,
    ) -> Result<Self, LedgerError> {
        let pool = Arc::new(pool(&options, found.spares, found.active.number));
        let progress = Progress::new(&found.frontier, found.published);
        let shared = Arc::new(Shared::new(progress, found.spans));
        let (most, bytes) = (options.queue_entries, options.queue_bytes);
        let queue = Arc::new(Queue::new(most, bytes, options.linger));
        let publisher = start_publishing(&options, &shared, &bodies, found.first_index)?;
        sync_directory(&options.directory)?;
        let (wake_preparer, wakes) = mpsc::sync_channel(1);
        // Asks for the first spare segment; the channel is empty, so this cannot fail.
        let _ = wake_preparer.try_send(());
        let writer = Writer {
            options: options.clone(),
            queue: Arc::clone(&queue),
            shared: Arc::clone(&shared),
            pool: Arc::clone(&pool),
            frontier: found.frontier,
            active: found.active,
            wake_preparer,
        };
        let preparer = Arc::clone(&pool);
        // Made first, so that a thread that cannot be started takes the others with it.
        let threads = Vec::new();
        let mut inner = Self {
            options,
            queue,
            shared,
            pool,
            bodies,
            threads,
            _lock: lock,
        };
        inner.spawn("ledger-preparer", move || {
            prepare_segments(&preparer, &wakes)
        })?;
        inner.spawn("ledger-writer", move || writer.run())?;
        inner.spawn("ledger-publisher", move || publisher.run())?;
        Ok(inner)
    }

    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), LedgerError> {
        let builder = thread::Builder::new().name(name.to_owned());
        let started = builder.spawn(work);
        let error = io_error("start a thread for", &self.options.directory);
        self.threads.push(started.map_err(error)?);
        Ok(())
    }
}

/// The pre-written segments; new ones are numbered after all there are.
fn pool(options: &Options, spares: VecDeque<Segment>, active_number: u64) -> SegmentPool {
    let next_number = spares.back().map_or(active_number, |last| last.number) + 1;
    SegmentPool::new(
        (options.directory.join("journal"), options.segment_bytes),
        (Arc::clone(&options.disk_probe), options.disk_reserve_bytes),
        spares,
        next_number,
    )
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue
            .close(LedgerError::WriterDead("the ledger was closed".to_owned()));
        for thread in self.threads.drain(..) {
            // A thread that panicked has already refused what it held.
            let _ = thread.join();
        }
    }
}

/// Publishes what recovery found, so that tiles and checkpoint are whole before the first append. A full
/// disk does not keep an existing log from opening: refusals still have their reserved room.
fn start_publishing(
    options: &Options,
    shared: &Arc<Shared>,
    bodies: &Arc<BodyStore>,
    first_index: u64,
) -> Result<Publisher, LedgerError> {
    let (shared_too, bodies) = (Arc::clone(shared), Arc::clone(bodies));
    let mut publisher = Publisher::new(options.clone(), shared_too, bodies, first_index)?;
    let result = publisher.publish();
    let exists = shared.progress().published.is_some();
    match result {
        Err(LedgerError::Io { .. }) if exists => Ok(publisher),
        Err(error) => Err(error),
        Ok(()) => Ok(publisher),
    }
}

fn prepare_segments(pool: &SegmentPool, wakes: &mpsc::Receiver<()>) {
    while wakes.recv().is_ok() {
        // Without room the writer finds out by itself, and refuses what it must.
        let _ = pool.prepare();
    }
}

fn lock_directory(options: &Options) -> Result<File, LedgerError> {
    let path = options.directory.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(LedgerError::Locked(options.directory.display().to_string()))
        }
        Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
    }
}
