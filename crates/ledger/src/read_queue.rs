//! The queue in which reads wait to be recorded in groups.
//!
//! A read waits for nothing but a place in the queue. Within a second of it (plus the time of one append)
//! its group is in the ledger; a read that is taken late makes a group of its own. A full queue refuses the read, and so does a ledger that could not record
//! the last group: reads fail closed like everything else, only in arrears of a second. A crash loses at
//! most that second of reads; effects never come this way.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tagout_core::permit::{Permit, QueuedRead};

use crate::{
    Class, Ledger, LedgerError,
    commitment::Salt,
    error::io_error,
    groups::{ClosedGroup, ReadGrouper},
    journal::lock,
};

/// How often seconds that are over are looked for.
const TICK: Duration = Duration::from_millis(200);

/// Tells the time, in milliseconds since 1970 in UTC.
pub type ClockMs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Takes the records of reads and sees to it that they get into the ledger.
pub struct ReadQueue {
    sender: Option<SyncSender<Read>>,
    clock_ms: ClockMs,
    failure: Arc<Mutex<Option<LedgerError>>>,
    thread: Option<JoinHandle<()>>,
}

struct Read {
    grant: String,
    at_ms: u64,
    record: Vec<u8>,
}

impl ReadQueue {
    /// Starts the queue, with room for `capacity` reads that are not yet in a group.
    ///
    /// # Errors
    /// [`LedgerError::Io`] when no thread can be started.
    pub fn start(ledger: Ledger, clock_ms: ClockMs, capacity: usize) -> Result<Self, LedgerError> {
        let (sender, reads) = sync_channel(capacity.max(1));
        let failure = Arc::new(Mutex::new(None));
        let recorder = Recorder {
            ledger,
            clock_ms: Arc::clone(&clock_ms),
            grouper: ReadGrouper::default(),
            failure: Arc::clone(&failure),
            unrecorded: Vec::new(),
            second: 0,
        };
        let thread = thread::Builder::new()
            .name("ledger-reads".to_owned())
            .spawn(move || recorder.run(&reads))
            .map_err(io_error(
                "start a thread for",
                std::path::Path::new("ledger-reads"),
            ))?;
        Ok(Self {
            sender: Some(sender),
            clock_ms,
            failure,
            thread: Some(thread),
        })
    }

    /// Queues the record of a read under its grant. Never waits.
    ///
    /// # Errors
    /// [`LedgerError::QueueFull`], or [`LedgerError::ReadsRefused`] while earlier groups cannot be
    /// recorded: the read must not happen.
    pub fn record(&self, grant: &str, record: Vec<u8>) -> Result<(), LedgerError> {
        if let Some(error) = lock(&self.failure).as_ref() {
            return Err(LedgerError::ReadsRefused(error.to_string()));
        }
        let read = Read {
            grant: grant.to_owned(),
            at_ms: (self.clock_ms)(),
            record,
        };
        let stopped = || LedgerError::ReadsRefused("the queue has stopped".to_owned());
        match self.sender.as_ref().ok_or_else(stopped)?.try_send(read) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(LedgerError::QueueFull),
            Err(TrySendError::Disconnected(_)) => Err(stopped()),
        }
    }

    /// Queues the record of a permitted read and clears it for execution.
    ///
    /// # Errors
    /// Those of [`ReadQueue::record`]; the permit is consumed either way.
    pub fn admit(
        &self,
        permit: Permit,
        grant: &str,
        record: Vec<u8>,
    ) -> Result<QueuedRead, LedgerError> {
        self.record(grant, record)?;
        Ok(QueuedRead::new(tagout_seal::LedgerSeal::new(), permit))
    }
}

impl std::fmt::Debug for ReadQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReadQueue")
    }
}

impl Drop for ReadQueue {
    /// Records what is queued, then stops.
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has already stopped the queue from taking reads.
            let _ = thread.join();
        }
    }
}

struct Recorder {
    ledger: Ledger,
    clock_ms: ClockMs,
    grouper: ReadGrouper,
    failure: Arc<Mutex<Option<LedgerError>>>,
    /// Closed groups that are not in the ledger yet.
    unrecorded: Vec<ClosedGroup>,
    /// The second up to which groups were closed last.
    second: u64,
}

impl Recorder {
    fn run(mut self, reads: &Receiver<Read>) {
        loop {
            let idle = match reads.recv_timeout(TICK) {
                Ok(read) => {
                    self.take(read);
                    false
                }
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let second = (self.clock_ms)() / 1000;
            if idle || second != self.second {
                self.second = second;
                self.close_before(second);
                self.record_closed();
            }
        }
        self.close_before(u64::MAX);
        self.record_closed();
    }

    fn take(&mut self, read: Read) {
        let closed = self
            .grouper
            .add(&read.grant, read.at_ms / 1000, read.record, Salt::random);
        match closed {
            Ok(group) => self.unrecorded.extend(group),
            Err(error) => self.fail(error),
        }
    }

    fn close_before(&mut self, second: u64) {
        match self.grouper.close_before(second, Salt::random) {
            Ok(groups) => self.unrecorded.extend(groups),
            Err(error) => self.fail(error),
        }
    }

    /// Records what is closed. What fails stays and is tried again; until it succeeds, reads are
    /// refused.
    fn record_closed(&mut self) {
        while let Some(group) = self.unrecorded.first() {
            if let Err(error) = self.record_group(group) {
                return self.fail(error);
            }
            self.unrecorded.remove(0);
            *lock(&self.failure) = None;
        }
    }

    fn record_group(&self, group: &ClosedGroup) -> Result<(), LedgerError> {
        self.ledger.bodies().put(&group.body)?;
        self.ledger
            .append_blocking(Class::Effect, group.leaf.to_entry())
            .map(|_| ())
    }

    fn fail(&self, error: LedgerError) {
        *lock(&self.failure) = Some(error);
    }
}
