//! Where messages begin and end.
//!
//! **Memory.** A [`Frames`] holds at most `limits.whole` + 64 KiB, and at most 64 KiB when no long message
//! is half read; a connection has one for each side, and holds at most the sum of both. What is longer than
//! `limits.whole` is never put together: it is announced by its header and comes in pieces of at most
//! 64 KiB, or is skipped. A [`Frame`] shares its memory with those that came with it, up to 64 KiB: copy
//! what is to be kept for long.

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Read at once, and kept for the next read.
const READ: usize = 16 * 1024;

/// Bytes of tag and length.
const HEADER: usize = 5;

/// How long messages may be, in bytes, with tag and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest that is put together.
    pub whole: usize,
    /// The longest that is taken at all.
    pub most: usize,
}

impl Limits {
    /// For whoever has not signed in: what PostgreSQL takes as a first packet.
    pub const STRANGER: Self = Self {
        whole: 10_000,
        most: 10_000,
    };

    /// For messages up to `whole` bytes, and longer ones in pieces.
    #[must_use]
    pub const fn whole(whole: usize) -> Self {
        Self {
            whole,
            most: i32::MAX as usize,
        }
    }
}

/// One message, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub tag: u8,
    /// All of it, tag and length included: to be passed on.
    pub bytes: Bytes,
}

impl Frame {
    /// What follows tag and length.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }
}

/// The beginning of a message that is too long to be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its type.
    pub tag: u8,
    /// Bytes that follow.
    pub body: usize,
    /// As it came, to be passed on.
    pub bytes: [u8; HEADER],
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// A message.
    Frame(Frame),
    /// A message whose body has to be taken in pieces ([`Frames::piece`]) or skipped ([`Frames::skip`])
    /// before there is a next one.
    Large(Header),
}

/// Why no message can be read any more. The connection can't be used further.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side went away in the middle of a message.
    #[error("the connection ended in the middle of a message")]
    Cut,
    /// No message is so short.
    #[error("`{0}` is not a message's length")]
    Length(i32),
    /// Longer than is taken here.
    #[error("a message of {length} bytes is too long here; at most {most} are taken")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// A long message is still to be taken or skipped.
    #[error("a message was asked for before the last one was taken")]
    Untaken,
    /// The network's.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
}

impl PartialEq for FrameError {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Io(one), Self::Io(two)) => one.kind() == two.kind(),
            _ => self.to_string() == other.to_string(),
        }
    }
}

/// Reads messages from one side of a connection. It owns what was read, not what it reads from. All its
/// futures may be dropped: nothing that came is lost.
#[derive(Debug)]
pub struct Frames {
    buffer: BytesMut,
    limits: Limits,
    /// Bytes of a large message that nobody has taken yet.
    untaken: usize,
}

impl Frames {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            buffer: BytesMut::new(),
            limits,
            untaken: 0,
        }
    }

    /// From now on these limits hold.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Whether nothing was read that was not taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.untaken == 0
    }

    /// The next message, as soon as it is there; `None` when the other side has ended between two.
    ///
    /// # Errors
    /// [`FrameError`].
    pub async fn next<R: AsyncRead + Unpin>(
        &mut self,
        from: &mut R,
    ) -> Result<Option<Arrived>, FrameError> {
        loop {
            if let Some(arrived) = self.next_buffered()? {
                return Ok(Some(arrived));
            }
            if self.fill(from).await? == 0 {
                return self.ended();
            }
        }
    }

    /// The next message, if all of it (or the beginning of a large one) was read already.
    ///
    /// # Errors
    /// [`FrameError`], but never the network's.
    pub fn next_buffered(&mut self) -> Result<Option<Arrived>, FrameError> {
        if self.untaken > 0 {
            return Err(FrameError::Untaken);
        }
        let Some(bytes) = self.buffer.first_chunk::<HEADER>().copied() else {
            return Ok(None);
        };
        let [tag, length @ ..] = bytes;
        let total = 1 + self.checked(i32::from_be_bytes(length), 1)?;
        if total > self.limits.whole {
            self.buffer.advance(HEADER);
            self.untaken = total - HEADER;
            let body = self.untaken;
            return Ok(Some(Arrived::Large(Header { tag, body, bytes })));
        }
        let bytes = self.take_whole(total);
        Ok(bytes.map(|bytes| Arrived::Frame(Frame { tag, bytes })))
    }

    /// The next packet without a tag, as a client begins with, without its length.
    ///
    /// # Errors
    /// [`FrameError`].
    pub async fn next_untagged<R: AsyncRead + Unpin>(
        &mut self,
        from: &mut R,
    ) -> Result<Option<Bytes>, FrameError> {
        loop {
            if let Some(length) = self.buffer.first_chunk::<4>().copied() {
                let total = self.checked(i32::from_be_bytes(length), 0)?;
                if let Some(mut packet) = self.take_whole(total) {
                    packet.advance(4);
                    return Ok(Some(packet));
                }
            }
            if self.fill(from).await? == 0 {
                return self.ended();
            }
        }
    }

    /// The next piece of a large message's body; `None` when there is no more of it.
    ///
    /// # Errors
    /// [`FrameError`].
    pub async fn piece<R: AsyncRead + Unpin>(
        &mut self,
        from: &mut R,
    ) -> Result<Option<Bytes>, FrameError> {
        if self.untaken == 0 {
            return Ok(None);
        }
        if self.buffer.is_empty() && self.fill(from).await? == 0 {
            return Err(FrameError::Cut);
        }
        let length = self.buffer.len().min(self.untaken);
        self.untaken -= length;
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Reads over what is left of a large message.
    ///
    /// # Errors
    /// [`FrameError`].
    pub async fn skip<R: AsyncRead + Unpin>(&mut self, from: &mut R) -> Result<(), FrameError> {
        while self.piece(from).await?.is_some() {}
        Ok(())
    }

    /// The length as a number of bytes. It counts itself, and `before` bytes stand before it.
    fn checked(&self, length: i32, before: usize) -> Result<usize, FrameError> {
        let bytes = usize::try_from(length).map_err(|_| FrameError::Length(length))?;
        if bytes < 4 {
            return Err(FrameError::Length(length));
        }
        let most = self.limits.most;
        if bytes > most.saturating_sub(before) {
            return Err(FrameError::TooLong {
                length: bytes,
                most,
            });
        }
        Ok(bytes)
    }

    fn take_whole(&mut self, total: usize) -> Option<Bytes> {
        if self.buffer.len() < total {
            self.buffer.reserve(total - self.buffer.len());
            return None;
        }
        let taken = self.buffer.split_to(total).freeze();
        if total > READ {
            // Else the memory of the longest message would be kept for as long as the connection.
            self.buffer = BytesMut::from(self.buffer.as_ref());
        }
        Some(taken)
    }

    async fn fill<R: AsyncRead + Unpin>(&mut self, from: &mut R) -> Result<usize, FrameError> {
        if self.buffer.capacity() - self.buffer.len() < READ / 4 {
            self.buffer.reserve(READ);
        }
        Ok(from.read_buf(&mut self.buffer).await?)
    }

    fn ended<T>(&self) -> Result<Option<T>, FrameError> {
        if self.is_empty() {
            Ok(None)
        } else {
            Err(FrameError::Cut)
        }
    }
}
