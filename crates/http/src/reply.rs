//! The answer to an agent: an upstream's own, or one of ours, with its body whole or streamed.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

use crate::execute::Scrubbed;

/// An answer on its way to an agent. Its headers are already free of what must not reach it.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The header lines.
    pub headers: HeaderMap,
    /// The body.
    pub body: ReplyBody,
}

/// The body of a [`Reply`].
pub struct ReplyBody(Inner);

enum Inner {
    Whole(Full<Bytes>),
    Streamed(Box<Scrubbed>),
    Events(UnsyncBoxBody<Bytes, BrokenOff>),
}

/// The upstream's connection broke in the middle of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream's answer broke off: {0}")]
pub struct BrokenOff(pub String);

impl Reply {
    /// An answer whose body is here.
    #[must_use]
    pub fn whole(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            status,
            headers,
            body: ReplyBody(Inner::Whole(Full::new(body))),
        }
    }

    pub(crate) fn streamed(status: StatusCode, headers: HeaderMap, body: Scrubbed) -> Self {
        Self {
            status,
            headers,
            body: ReplyBody(Inner::Streamed(Box::new(body))),
        }
    }

    pub(crate) fn events(
        status: StatusCode,
        headers: HeaderMap,
        events: impl Body<Data = Bytes, Error = BrokenOff> + Send + 'static,
    ) -> Self {
        Self {
            status,
            headers,
            body: ReplyBody(Inner::Events(events.boxed_unsync())),
        }
    }

    /// The answer as `hyper` sends it.
    pub(crate) fn into_response(self) -> Response<ReplyBody> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", self.status)
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut self.0 {
            Inner::Whole(whole) => Pin::new(whole)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Inner::Streamed(streamed) => Pin::new(streamed).poll_frame(context),
            Inner::Events(events) => Pin::new(events).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(whole) => whole.is_end_stream(),
            Inner::Streamed(streamed) => streamed.is_end_stream(),
            Inner::Events(events) => events.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(whole) => whole.size_hint(),
            Inner::Streamed(_) | Inner::Events(_) => SizeHint::default(),
        }
    }
}
