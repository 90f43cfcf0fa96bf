//! A thread that owns a connection and runs what it is sent, one after the other.

use std::thread::JoinHandle;

use tagout_core::store::{StoreError, Stored};
use tokio::sync::{mpsc, oneshot};

use super::failure::Failure;
use super::reserve::Session;

/// How many requests may wait for the thread; more make their askers wait.
const WAITING: usize = 256;

type Job = Box<dyn FnOnce(&mut Session) + Send>;

/// The other end of the thread.
pub(crate) struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn start(name: &str, mut session: Session) -> Result<Self, StoreError> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING);
        let work = move || {
            while let Some(job) = waiting.blocking_recv() {
                job(&mut session);
            }
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(|cause| StoreError::Database(format!("no thread for it: {cause}")))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Has the thread do `work`, and gives its answer.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, Failure> + Send + 'static,
    ) -> Stored<'_, T> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |session| {
            // Nobody may be waiting any more; what was done stays done.
            let _ = reply.send(work(session).map_err(StoreError::from));
        });
        Box::pin(async move {
            let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
            jobs.send(job).await.map_err(|_| stopped())?;
            answer.await.map_err(|_| stopped())?
        })
    }
}

fn stopped() -> StoreError {
    StoreError::Database("its thread has stopped".to_owned())
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to finish.
            let _ = thread.join();
        }
    }
}
