//! The heads of requests as they stood on the wire.
//!
//! Of a request that gives its length in two ways the server keeps one and drops the other, so that we
//! could not tell. Another server in front of us may have kept the other one and seen two requests
//! where we see one: such requests are refused.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::{HeaderMap, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::{REQUEST_HEAD_LIMIT_BYTES, REQUEST_HEADERS_LIMIT};

/// The head that is arriving, or has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Heads(Arc<Mutex<Head>>);

#[derive(Debug)]
struct Head {
    bytes: Vec<u8>,
    complete: bool,
}

/// A stream whose request heads are kept until the request is answered.
#[derive(Debug)]
pub(crate) struct Tapped<S> {
    inner: S,
    heads: Heads,
}

/// Listens to a stream.
pub(crate) fn tap<S>(inner: S) -> (Tapped<S>, Heads) {
    let head = Head {
        bytes: Vec::new(),
        complete: false,
    };
    let heads = Heads(Arc::new(Mutex::new(head)));
    (
        Tapped {
            inner,
            heads: heads.clone(),
        },
        heads,
    )
}

impl Heads {
    /// Whether a request with these headers had exactly one way to say its length on the wire. Only those
    /// with a transfer encoding can have two; what was not seen whole is not trusted.
    pub(crate) fn has_one_length(&self, headers: &HeaderMap) -> bool {
        if !headers.contains_key(header::TRANSFER_ENCODING) {
            return true;
        }
        let head = self.lock();
        head.complete
            && names(&head.bytes).is_some_and(|names| {
                let has = |wanted: &str| {
                    names
                        .iter()
                        .filter(|name| name.eq_ignore_ascii_case(wanted))
                        .count()
                };
                has("transfer-encoding") == 1 && has("content-length") == 0
            })
    }

    /// Begins with the next head. To be called when a request is answered.
    pub(crate) fn next(&self) {
        let mut head = self.lock();
        head.bytes.clear();
        head.complete = false;
    }

    fn lock(&self) -> MutexGuard<'_, Head> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names of all header lines.
fn names(head: &[u8]) -> Option<Vec<&str>> {
    let mut lines = [httparse::EMPTY_HEADER; REQUEST_HEADERS_LIMIT];
    let mut request = httparse::Request::new(&mut lines);
    request
        .parse(head)
        .ok()
        .filter(httparse::Status::is_complete)?;
    Some(request.headers.iter().map(|line| line.name).collect())
}

impl Head {
    fn take(&mut self, arrived: &[u8]) {
        if self.complete || self.bytes.len() > REQUEST_HEAD_LIMIT_BYTES {
            return;
        }
        // The end may be cut by the border between two reads.
        let from = self.bytes.len().saturating_sub(3);
        self.bytes.extend_from_slice(arrived);
        let rest = self.bytes.get(from..).unwrap_or_default();
        if let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
            self.bytes.truncate(from + end + 4);
            self.complete = true;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        if !arrived.is_empty() {
            self.heads.lock().take(arrived);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn has_one_length(pieces: &[&str]) -> bool {
        let (tapped, heads) = tap(());
        for piece in pieces {
            tapped.heads.lock().take(piece.as_bytes());
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
        heads.has_one_length(&headers)
    }

    #[test]
    fn two_lengths_are_seen_however_they_arrive() {
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(has_one_length(&[chunked]));
        assert!(has_one_length(&[chunked, "5\r\ncontent-length: 1\r\n\r\n"]));
        for cut in 0..chunked.len() {
            assert!(has_one_length(&[&chunked[..cut], &chunked[cut..]]), "{cut}");
        }
        let both = "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(!has_one_length(&[both]));
        assert!(!has_one_length(&[
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
        ]));
        assert!(!has_one_length(&[]));
        let (_, heads) = tap(());
        assert!(heads.has_one_length(&HeaderMap::new()));
    }
}
