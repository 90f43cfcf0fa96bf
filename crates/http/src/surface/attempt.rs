//! From a request on the wire to the written form that is classified.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use tagout_core::operation::Attempt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{BODIES_LIMIT_BYTES, BODY_TIMEOUT, BODY_UNIT_BYTES, REQUEST_BODY_LIMIT_BYTES};
use crate::message::{Message, strip_hop_by_hop};
use crate::surface::route::Routed;

/// Headers that say where a request came from. We know that better, and upstreams may trust them.
const CLAIMS: [HeaderName; 2] = [header::FORWARDED, header::EXPECT];

/// Beginnings of the same, and of headers that only we write.
const CLAIM_PREFIXES: [&str; 3] = ["x-forwarded-", "x-real-ip", "tagout-"];

/// Why a body is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoBody {
    /// Longer than we classify.
    TooLong,
    /// Broken off, or too slow.
    BrokenOff,
}

/// Whether a body may be too long to be looked at: it says so, or does not say how long it is.
pub(crate) fn may_be_long(body: &Incoming) -> bool {
    let length = body.size_hint().exact().map(usize::try_from);
    !matches!(length, Some(Ok(length)) if length <= REQUEST_BODY_LIMIT_BYTES)
}

/// A request's body, and its share of the memory that bodies may take.
pub(crate) struct ReadBody {
    pub(crate) bytes: Bytes,
    pub(crate) share: Option<OwnedSemaphorePermit>,
}

/// Memory for bodies, in units of [`BODY_UNIT_BYTES`].
pub(crate) fn body_memory() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(BODIES_LIMIT_BYTES / BODY_UNIT_BYTES))
}

/// Reads a request's body, up to the limit and within the time, which includes waiting for memory.
pub(crate) async fn read_body(body: Incoming, memory: &Arc<Semaphore>) -> Result<ReadBody, NoBody> {
    if body.is_end_stream() {
        return Ok(ReadBody {
            bytes: Bytes::new(),
            share: None,
        });
    }
    let length = body
        .size_hint()
        .exact()
        .map_or(Ok(REQUEST_BODY_LIMIT_BYTES), usize::try_from);
    let length = length.unwrap_or(usize::MAX);
    if length > REQUEST_BODY_LIMIT_BYTES {
        return Err(NoBody::TooLong);
    }
    let reading = async {
        let units = u32::try_from(length / BODY_UNIT_BYTES + 1).unwrap_or(u32::MAX);
        let share = Arc::clone(memory).acquire_many_owned(units).await.ok();
        let collected = Limited::new(body, REQUEST_BODY_LIMIT_BYTES).collect().await;
        collected.map(|collected| ReadBody {
            bytes: collected.to_bytes(),
            share,
        })
    };
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(NoBody::TooLong),
        _ => Err(NoBody::BrokenOff),
    }
}

/// Reads what is left of a request before it is refused, and keeps nothing: a client that is cut off
/// while it still sends reports a broken connection, and never shows the refusal.
pub(crate) async fn drain(body: Incoming) {
    let mut body = Limited::new(body, REQUEST_BODY_LIMIT_BYTES);
    let draining = async { while let Some(Ok(_)) = body.frame().await {} };
    // Whether it came to its end makes no difference any more.
    let _ = tokio::time::timeout(BODY_TIMEOUT, draining).await;
}

/// Writes the request down for its upstream. `headers` are free of credentials already.
pub(crate) fn attempt(
    routed: &Routed,
    method: Method,
    mut headers: HeaderMap,
    body: Bytes,
) -> Attempt {
    strip_hop_by_hop(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    strip_claims(&mut headers);
    if let Ok(host) = HeaderValue::from_str(&routed.to.authority) {
        headers.insert(header::HOST, host);
    }
    let message = Message {
        method,
        target: routed.target.clone(),
        headers,
        body,
    };
    Attempt {
        upstream: routed.to.upstream.name.clone(),
        bytes: message.write(),
    }
}

fn strip_claims(headers: &mut HeaderMap) {
    for name in CLAIMS {
        headers.remove(name);
    }
    let claims = |name: &&HeaderName| {
        CLAIM_PREFIXES
            .iter()
            .any(|prefix| name.as_str().starts_with(prefix))
    };
    let claimed: Vec<HeaderName> = headers.keys().filter(claims).cloned().collect();
    for name in claimed {
        headers.remove(name);
    }
}
