//! The body of an upstream's answer. When it was read to its end, its connection can be used again.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1;

use crate::upload::RequestBody;
use crate::upstream::Pool;

/// A body that gives its connection back.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    incoming: Incoming,
    lease: Option<(http1::SendRequest<RequestBody>, Arc<Pool>)>,
}

impl AnswerBody {
    /// Takes the body, and the connection to give back (none for one that is shared).
    pub(crate) fn new(
        incoming: Incoming,
        lease: Option<(http1::SendRequest<RequestBody>, Arc<Pool>)>,
    ) -> Self {
        let mut body = Self { incoming, lease };
        if body.incoming.is_end_stream() {
            body.give_back();
        }
        body
    }

    fn give_back(&mut self) {
        if let Some((sender, pool)) = self.lease.take() {
            pool.keep(sender);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Err(_))) => self.lease = None,
            Poll::Ready(None) => self.give_back(),
            Poll::Ready(Some(Ok(_))) if self.incoming.is_end_stream() => self.give_back(),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
