//! The two ends of a session: the agent's connection and the server's.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::error::PostgresError;
use crate::wire::{Frame, Frames, Limits};

/// The longest message of an agent that is put together: a statement with its parameters. What is longer
/// is refused, or passed on in pieces where it is data of a COPY.
pub(crate) const LONGEST_FROM_AGENT: usize = 16 * 1024 * 1024;

/// The longest message of a server that is put together; longer rows pass in pieces.
const LONGEST_FROM_SERVER: usize = 256 * 1024;

/// What waits for an end is written when it is so much.
pub(crate) const WRITE_AT: usize = 32 * 1024;

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// One end: what was read and not taken, and what is to be written.
pub(crate) struct End {
    pub(crate) frames: Frames,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    pub(crate) out: BytesMut,
}

/// Both ends.
pub(crate) struct Link {
    pub(crate) client: End,
    pub(crate) server: End,
    /// An exchange was broken off: what the server sends next belongs to nobody knows what.
    pub(crate) out_of_step: bool,
}

impl End {
    pub(crate) fn client<S>(stream: S, frames: Option<Frames>) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        Self::over(stream, frames, Limits::whole(LONGEST_FROM_AGENT))
    }

    pub(crate) fn server<S>(stream: S, frames: Option<Frames>) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        Self::over(stream, frames, Limits::whole(LONGEST_FROM_SERVER))
    }

    fn over<S>(stream: S, frames: Option<Frames>, limits: Limits) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (reader, writer) = tokio::io::split(stream);
        let mut frames = frames.unwrap_or_else(|| Frames::new(limits));
        frames.set_limits(limits);
        Self {
            frames,
            reader: Box::new(reader),
            writer: Box::new(writer),
            out: BytesMut::new(),
        }
    }

    /// Writes all that waits.
    pub(crate) async fn flush(&mut self) -> Result<(), PostgresError> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.writer.write_all(&self.out).await?;
        self.out.clear();
        self.writer.flush().await?;
        Ok(())
    }

    pub(crate) fn put(&mut self, frame: &Frame) {
        self.out.extend_from_slice(&frame.bytes);
    }
}
