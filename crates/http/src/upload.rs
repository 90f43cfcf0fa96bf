//! Bodies that are too long to be looked at, on routes that a pack declares for uploads: they go to a
//! file without a name, are recorded with size and hash, and are sent from there.
//!
//! The written form of such a request has no body. Its first header line says size and hash instead, so
//! that the same bytes always mean the same; agents can't write that line.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tagout_core::digest::BytesDigest;
use tagout_core::operation::Operation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::limits::{UPLOAD_IDLE_TIMEOUT, UPLOAD_LIMIT_BYTES};

/// The header line that stands for a body.
const LINE: &[u8] = b"tagout-upload: ";

/// Bytes that are read from the file at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// A body in a file. The file is gone when this is.
#[derive(Debug)]
pub(crate) struct Spooled {
    file: File,
    /// Its length.
    pub(crate) size_bytes: u64,
    /// Its digest, the same as of the bytes in memory.
    pub(crate) digest: BytesDigest,
    /// What the agent calls it.
    pub(crate) content_type: Option<HeaderValue>,
}

/// Why a body could not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSpooled {
    /// Longer than the limit for uploads.
    TooLong,
    /// Broken off, or too slow.
    BrokenOff,
    /// There is no room for it.
    NoRoom,
}

/// The bodies that are here now, by digest.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<HashMap<BytesDigest, Weak<Spooled>>>);

impl Uploads {
    /// Makes a body known for as long as somebody keeps it.
    pub(crate) fn keep(&self, spooled: &Arc<Spooled>) {
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.retain(|_, spooled| spooled.strong_count() > 0);
        uploads.insert(spooled.digest, Arc::downgrade(spooled));
    }

    /// The body of an upload, if it is still here. `None` also for what is no upload.
    pub(crate) fn of(&self, operation: &Operation) -> Option<Arc<Spooled>> {
        let digest = operation.canonical.get("upload")?.get(3)?.as_str()?;
        let digest = BytesDigest::try_from(digest.to_owned()).ok()?;
        let uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.get(&digest)?.upgrade()
    }
}

/// Whether an operation has a body that is not in its bytes.
pub(crate) fn has_body_elsewhere(operation: &Operation) -> bool {
    let size = operation
        .canonical
        .get("upload")
        .and_then(|upload| upload.get(2));
    let is_empty = operation.exact.bytes().ends_with(b"\r\n\r\n");
    is_empty && size.and_then(Value::as_u64).is_some_and(|size| size > 0)
}

/// Takes a body to a file.
pub(crate) async fn spool(
    mut body: Incoming,
    content_type: Option<HeaderValue>,
) -> Result<Spooled, NotSpooled> {
    let file = tokio::task::spawn_blocking(tempfile::tempfile).await;
    let file = file.ok().and_then(Result::ok).ok_or(NotSpooled::NoRoom)?;
    let mut writer = tokio::fs::File::from_std(file);
    let (mut hash, mut size_bytes) = (begin_hash(), 0_u64);
    loop {
        let frame = tokio::time::timeout(UPLOAD_IDLE_TIMEOUT, body.frame()).await;
        let data = match frame.map_err(|_| NotSpooled::BrokenOff)? {
            None => break,
            Some(frame) => frame.map_err(|_| NotSpooled::BrokenOff)?.into_data(),
        };
        let Ok(data) = data else { continue };
        size_bytes = size_bytes.saturating_add(data.len() as u64);
        if size_bytes > UPLOAD_LIMIT_BYTES {
            return Err(NotSpooled::TooLong);
        }
        hash.update(&data);
        writer
            .write_all(&data)
            .await
            .map_err(|_| NotSpooled::NoRoom)?;
    }
    writer.flush().await.map_err(|_| NotSpooled::NoRoom)?;
    let file = writer.into_std().await;
    let digest = end_hash(hash).ok_or(NotSpooled::NoRoom)?;
    Ok(Spooled {
        file,
        size_bytes,
        digest,
        content_type,
    })
}

/// As [`BytesDigest::of`], piece by piece.
fn begin_hash() -> Sha256 {
    Sha256::new()
        .chain_update(BytesDigest::PREFIX)
        .chain_update([0])
}

fn end_hash(hash: Sha256) -> Option<BytesDigest> {
    let hex: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    BytesDigest::try_from(hex).ok()
}

/// Puts size and digest into a written head, in the place of the body.
pub(crate) fn with_line(head: &Bytes, spooled: &Spooled) -> Bytes {
    let end = head
        .windows(2)
        .position(|two| two == b"\r\n")
        .map_or(head.len(), |at| at + 2);
    let (first, rest) = head.split_at(end);
    let said = format!("{} {}\r\n", spooled.digest, spooled.size_bytes);
    let mut out = BytesMut::with_capacity(head.len() + LINE.len() + said.len());
    for part in [first, LINE, said.as_bytes(), rest] {
        out.put_slice(part);
    }
    out.freeze()
}

/// Takes that line out again: the head, the size and the digest. `None` for any other request.
pub(crate) fn without_line(written: &Bytes) -> Option<(Bytes, u64, BytesDigest)> {
    let end = written.windows(2).position(|two| two == b"\r\n")? + 2;
    let said = written.get(end..)?.strip_prefix(LINE)?;
    let length = said.windows(2).position(|two| two == b"\r\n")?;
    let (digest, size) = std::str::from_utf8(said.get(..length)?)
        .ok()?
        .split_once(' ')?;
    let digest = BytesDigest::try_from(digest.to_owned()).ok()?;
    let head = [written.get(..end)?, said.get(length + 2..)?].concat();
    Some((head.into(), size.parse().ok()?, digest))
}

/// What we send: bytes, or a file.
#[derive(Debug)]
pub(crate) enum RequestBody {
    Whole(Full<Bytes>),
    File(UnsyncBoxBody<Bytes, std::io::Error>, u64),
}

impl RequestBody {
    /// These bytes.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }

    /// The whole file, from its beginning.
    pub(crate) fn file(spooled: &Spooled) -> std::io::Result<Self> {
        let mut file = spooled.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let pieces = stream::unfold(tokio::fs::File::from_std(file), |mut file| async {
            let mut piece = BytesMut::with_capacity(PIECE_BYTES);
            match file.read_buf(&mut piece).await {
                Ok(0) => None,
                Ok(_) => Some((Ok(Frame::data(piece.freeze())), file)),
                Err(error) => Some((Err(error), file)),
            }
        });
        Ok(Self::File(
            StreamBody::new(pieces).boxed_unsync(),
            spooled.size_bytes,
        ))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match &mut *self {
            Self::Whole(whole) => Pin::new(whole)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Self::File(file, _) => Pin::new(file).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::File(file, _) => file.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::File(_, size_bytes) => SizeHint::with_exact(*size_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_line_goes_in_and_out() {
        let head = Bytes::from_static(b"POST /up HTTP/1.1\r\nhost: a\r\n\r\n");
        let digest = BytesDigest::of(b"body");
        let file = tempfile::tempfile().unwrap();
        let spooled = Spooled {
            file,
            size_bytes: 4,
            digest,
            content_type: None,
        };
        let written = with_line(&head, &spooled);
        assert_eq!(without_line(&written), Some((head.clone(), 4, digest)));
        assert_eq!(without_line(&head), None);
        let elsewhere =
            Bytes::from_static(b"POST /up HTTP/1.1\r\nhost: a\r\ntagout-upload: x 1\r\n\r\n");
        assert_eq!(without_line(&elsewhere), None);
    }

    #[test]
    fn the_digest_is_that_of_the_bytes() {
        let hash = begin_hash().chain_update(b"bo").chain_update(b"dy");
        assert_eq!(end_hash(hash), Some(BytesDigest::of(b"body")));
    }

    proptest! {
        #[test]
        fn any_bytes_have_the_line_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = without_line(&Bytes::from([b"X\r\n", LINE, &bytes].concat()));
            let _ = without_line(&Bytes::from(bytes));
        }
    }
}
