//! The future of an append, and how to wait for it without an async runtime.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::sync::oneshot;

use crate::{LedgerError, queue::Appended};

/// Resolves when the entry is durable.
#[must_use = "an entry is durable only when this future has resolved"]
#[derive(Debug)]
pub struct Append(pub(crate) State);

#[derive(Debug)]
pub(crate) enum State {
    Waiting(oneshot::Receiver<Result<Appended, LedgerError>>),
    Refused(Option<LedgerError>),
}

impl Future for Append {
    type Output = Result<Appended, LedgerError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let gone = || LedgerError::WriterDead("it went without an answer".to_owned());
        match &mut self.0 {
            State::Waiting(answer) => Pin::new(answer)
                .poll(context)
                .map(|answer| answer.unwrap_or_else(|_| Err(gone()))),
            State::Refused(error) => Poll::Ready(Err(error.take().unwrap_or_else(gone))),
        }
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}
