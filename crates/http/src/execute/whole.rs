//! Reads a body to its end, up to a limit.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;

use crate::limits::ANSWER_IDLE_TIMEOUT;

/// Why a body is not here whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotWhole {
    /// Longer than the limit.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The connection broke.
    #[error("the answer broke off: {0}")]
    BrokenOff(String),
    /// It stopped coming.
    #[error("the answer stopped in the middle")]
    Stopped,
}

/// Reads `body` whole.
pub(crate) async fn read_whole<B>(mut body: B, limit_bytes: usize) -> Result<Bytes, NotWhole>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(ANSWER_IDLE_TIMEOUT, body.frame()).await;
        let frame = match frame.map_err(|_| NotWhole::Stopped)? {
            None => return Ok(joined(first, &rest)),
            Some(frame) => frame.map_err(|error| NotWhole::BrokenOff(error.to_string()))?,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len();
        if length > limit_bytes {
            return Err(NotWhole::TooLong(limit_bytes));
        }
        match first {
            None => first = Some(data),
            Some(_) => rest.extend_from_slice(&data),
        }
    }
}

/// Most answers are one piece, which is not copied.
fn joined(first: Option<Bytes>, rest: &BytesMut) -> Bytes {
    let first = first.unwrap_or_default();
    if rest.is_empty() {
        return first;
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(rest);
    whole.freeze()
}
