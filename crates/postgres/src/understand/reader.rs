//! Reads SQL on threads of its own, whose stacks are large enough for whatever nesting the grammar lets
//! through, and remembers what it has read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::parse::{LONGEST_BYTES, NotUnderstood, understand};
use super::remembered::Remembered;
use super::statement::Statement;

/// What reading may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest text that is looked into.
    pub longest_bytes: usize,
    /// How long a caller waits, for its turn and for the reading. The longest text takes a tenth of it.
    pub time_limit: Duration,
    /// How many threads read.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            longest_bytes: LONGEST_BYTES,
            time_limit: Duration::from_secs(2),
            threads: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }
}

/// The grammar lets some 1500 nodes stand in each other, and each takes up to 30 kB of stack while it is
/// decoded without optimisation. Only what is used of this is ever backed by memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// How many texts may wait for a thread.
const QUEUE: usize = 256;

type Meaning = Result<Arc<[Statement]>, NotUnderstood>;

struct Job {
    sql: Arc<[u8]>,
    answer: Box<dyn FnOnce(Meaning) + Send>,
}

/// Reads SQL, and remembers it by its exact bytes. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    jobs: SyncSender<Job>,
    remembered: Arc<Remembered>,
}

impl Reader {
    /// Starts the threads; they end when the reader is dropped.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(limits: Limits) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let remembered = Arc::new(Remembered::default());
        for number in 0..limits.threads.max(1) {
            let queue = Arc::clone(&queue);
            let remembered = Arc::clone(&remembered);
            std::thread::Builder::new()
                .name(format!("sql-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || work(&queue, &remembered, limits.longest_bytes))?;
        }
        Ok(Self {
            limits,
            jobs,
            remembered,
        })
    }

    /// What these bytes mean, statement by statement. The same bytes always mean the same.
    ///
    /// # Errors
    /// If they mean nothing that we know; see [`NotUnderstood`].
    pub async fn read(&self, sql: &[u8]) -> Meaning {
        if let Some(known) = self.remembered.of(sql) {
            return Ok(known);
        }
        let (sender, answer) = tokio::sync::oneshot::channel();
        self.send(sql, move |meaning| {
            // Whoever asked may have gone.
            let _ = sender.send(meaning);
        })?;
        match tokio::time::timeout(self.limits.time_limit, answer).await {
            Ok(Ok(meaning)) => meaning,
            Ok(Err(_)) => Err(NotUnderstood::Failed),
            Err(_) => Err(self.too_slow()),
        }
    }

    /// The same for callers without a runtime; blocks the thread.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read_blocking(&self, sql: &[u8]) -> Meaning {
        if let Some(known) = self.remembered.of(sql) {
            return Ok(known);
        }
        let (sender, answer) = sync_channel(1);
        self.send(sql, move |meaning| {
            let _ = sender.send(meaning);
        })?;
        answer
            .recv_timeout(self.limits.time_limit)
            .unwrap_or_else(|_| Err(self.too_slow()))
    }

    /// What these bytes mean if they were read lately; asks no thread.
    #[must_use]
    pub fn known(&self, sql: &[u8]) -> Option<Arc<[Statement]>> {
        self.remembered.of(sql)
    }

    fn send(
        &self,
        sql: &[u8],
        answer: impl FnOnce(Meaning) + Send + 'static,
    ) -> Result<(), NotUnderstood> {
        // Before it is copied.
        super::parse::text(sql, self.limits.longest_bytes)?;
        let job = Job {
            sql: sql.into(),
            answer: Box::new(answer),
        };
        self.jobs.try_send(job).map_err(|_| self.too_slow())
    }

    fn too_slow(&self) -> NotUnderstood {
        let limit_ms = u64::try_from(self.limits.time_limit.as_millis()).unwrap_or(u64::MAX);
        NotUnderstood::TooSlow { limit_ms }
    }
}

/// Reads until nobody can ask any more.
fn work(queue: &Mutex<Receiver<Job>>, remembered: &Remembered, longest_bytes: usize) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { sql, answer }) = next else {
            return;
        };
        let read = catch_unwind(AssertUnwindSafe(|| understand(&sql, longest_bytes)));
        let meaning: Meaning = read.unwrap_or(Err(NotUnderstood::Failed)).map(Into::into);
        if let Ok(statements) = &meaning {
            remembered.keep(sql, statements);
        }
        answer(meaning);
    }
}
