//! From a request on the wire to the written form that is classified.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use http_body_util::Limited;
use hyper::body::Incoming;
use tagout_core::operation::Attempt;

use crate::limits::{BODY_TIMEOUT, REQUEST_BODY_LIMIT_BYTES};
use crate::message::{Message, strip_hop_by_hop};
use crate::surface::route::Routed;

/// Headers that say where a request came from. We know that better, and upstreams may trust them.
const CLAIMS: [HeaderName; 2] = [header::FORWARDED, header::EXPECT];

/// Beginnings of the same.
const CLAIM_PREFIXES: [&str; 2] = ["x-forwarded-", "x-real-ip"];

/// Why a body is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoBody {
    /// Longer than we classify.
    TooLong,
    /// Broken off, or too slow.
    BrokenOff,
}

/// Reads a request's body, up to the limit and within the time.
pub(crate) async fn read_body(body: Incoming) -> Result<Bytes, NoBody> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let limit = u64::try_from(REQUEST_BODY_LIMIT_BYTES).unwrap_or(u64::MAX);
    if body.size_hint().lower() > limit {
        return Err(NoBody::TooLong);
    }
    let reading = Limited::new(body, REQUEST_BODY_LIMIT_BYTES).collect();
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(NoBody::TooLong),
        _ => Err(NoBody::BrokenOff),
    }
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
