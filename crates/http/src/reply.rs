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
pub struct ReplyBody {
    inner: Inner,
    /// Asked before each part of a stream: whether it may go on.
    goes_on: Option<GoesOn>,
}

/// Whether an answer may go on.
pub(crate) type GoesOn = Box<dyn Fn() -> bool + Send + Sync>;

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
            body: Inner::Whole(Full::new(body)).into(),
        }
    }

    pub(crate) fn streamed(status: StatusCode, headers: HeaderMap, body: Scrubbed) -> Self {
        Self {
            status,
            headers,
            body: Inner::Streamed(Box::new(body)).into(),
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
            body: Inner::Events(events.boxed_unsync()).into(),
        }
    }

    /// The same answer, broken off before the first part of it that comes when `goes_on` says no.
    pub(crate) fn while_it(mut self, goes_on: GoesOn) -> Self {
        self.body.goes_on = Some(goes_on);
        self
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

impl From<Inner> for ReplyBody {
    fn from(inner: Inner) -> Self {
        Self {
            inner,
            goes_on: None,
        }
    }
}

impl ReplyBody {
    /// What is whole was there before anybody said stop; only streams are cut.
    fn is_cut(&self) -> bool {
        let stopped = self.goes_on.as_ref().is_some_and(|goes_on| !goes_on());
        stopped && !matches!(self.inner, Inner::Whole(_))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if self.is_cut() {
            return Poll::Ready(Some(Err(BrokenOff("a person stopped it".to_owned()))));
        }
        match &mut self.inner {
            Inner::Whole(whole) => Pin::new(whole)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Inner::Streamed(streamed) => Pin::new(streamed).poll_frame(context),
            Inner::Events(events) => Pin::new(events).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Whole(whole) => whole.is_end_stream(),
            Inner::Streamed(streamed) => streamed.is_end_stream(),
            Inner::Events(events) => events.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Whole(whole) => whole.size_hint(),
            Inner::Streamed(_) | Inner::Events(_) => SizeHint::default(),
        }
    }
}
