//! The queue in which reads wait to be recorded in groups.
//!
//! A read waits for nothing but a place in the queue, and wakes nobody: the queue is emptied a few times a
//! second, because waking a thread costs more than all the rest of a read's record. Within a second of it (plus the time of one append)
//! its group is in the ledger; a read that is taken late makes a group of its own. A full queue refuses the read, and so does a ledger that could not record
//! the last group: reads fail closed like everything else, only in arrears of a second. A crash loses at
//! most that second of reads; effects never come this way.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
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

/// How often the queue is emptied and seconds that are over are looked for.
const TICK: Duration = Duration::from_millis(200);

/// Tells the time, in milliseconds since 1970 in UTC.
pub type ClockMs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Takes the records of reads and sees to it that they get into the ledger.
pub struct ReadQueue {
    waiting: Arc<Waiting>,
    clock_ms: ClockMs,
    failure: Arc<Mutex<Option<LedgerError>>>,
    thread: Option<JoinHandle<()>>,
}

/// Reads that are in no group yet.
struct Waiting {
    capacity: usize,
    reads: Mutex<Reads>,
    /// Rung when half the room is used, or when the queue stops.
    hurry: Condvar,
}

#[derive(Default)]
struct Reads {
    waiting: Vec<Read>,
    stopped: bool,
}

impl Waiting {
    fn push(&self, read: Read) -> Result<(), LedgerError> {
        let mut reads = lock(&self.reads);
        if reads.stopped {
            return Err(LedgerError::ReadsRefused(
                "the queue has stopped".to_owned(),
            ));
        }
        if reads.waiting.len() >= self.capacity {
            return Err(LedgerError::QueueFull);
        }
        reads.waiting.push(read);
        if reads.waiting.len() == self.capacity.div_ceil(2) {
            self.hurry.notify_one();
        }
        Ok(())
    }

    /// What came within a tick, and whether that was all.
    fn take(&self) -> (Vec<Read>, bool) {
        let is_idle =
            |reads: &mut Reads| !reads.stopped && reads.waiting.len() < self.capacity.div_ceil(2);
        let waited = self
            .hurry
            .wait_timeout_while(lock(&self.reads), TICK, is_idle);
        let mut reads = waited.unwrap_or_else(PoisonError::into_inner).0;
        (std::mem::take(&mut reads.waiting), reads.stopped)
    }

    fn stop(&self) {
        lock(&self.reads).stopped = true;
        self.hurry.notify_one();
    }
}

/// Stops the queue however its thread ends, a panic included.
struct Stops(Arc<Waiting>);

impl Drop for Stops {
    fn drop(&mut self) {
        self.0.stop();
    }
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
        let waiting = Arc::new(Waiting {
            capacity: capacity.max(1),
            reads: Mutex::default(),
            hurry: Condvar::new(),
        });
        let failure = Arc::new(Mutex::new(None));
        let recorder = Recorder {
            ledger,
            clock_ms: Arc::clone(&clock_ms),
            grouper: ReadGrouper::default(),
            failure: Arc::clone(&failure),
            unrecorded: Vec::new(),
        };
        let stops = Stops(Arc::clone(&waiting));
        let thread = thread::Builder::new()
            .name("ledger-reads".to_owned())
            .spawn(move || recorder.run(&stops))
            .map_err(io_error(
                "start a thread for",
                std::path::Path::new("ledger-reads"),
            ))?;
        Ok(Self {
            waiting,
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
        self.waiting.push(read)
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
        self.waiting.stop();
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
}

impl Recorder {
    fn run(mut self, stops: &Stops) {
        loop {
            let (reads, stopped) = stops.0.take();
            reads.into_iter().for_each(|read| self.take(read));
            let second = if stopped {
                u64::MAX
            } else {
                (self.clock_ms)() / 1000
            };
            self.close_before(second);
            self.record_closed();
            if stopped {
                return;
            }
        }
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
