//! A session at a server, signed in.

use std::collections::BTreeMap;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt as _;

use super::cancel::CancelTarget;
use super::error::ServerError;
use super::server::said;
use super::transport::Transport;
use crate::wire::server::ServerMessage;
use crate::wire::{Arrived, Frame, Frames, Malformed, Values, write};

/// A row of an answer to us, as text; `None` is null.
pub type Row = Vec<Option<String>>;

/// Rows of an answer to us.
const MOST_ROWS: usize = 10_000;

/// Bytes of an answer to us.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A session at a server. Nothing has run in it yet.
#[derive(Debug)]
pub struct Backend {
    /// The way to it.
    pub transport: Transport,
    /// What came and was not taken.
    pub frames: Frames,
    /// What the server reports of its settings.
    pub parameters: BTreeMap<String, String>,
    /// The minor version of the protocol that it speaks.
    pub minor: u16,
    /// How it is stopped; servers need not say.
    pub target: Option<CancelTarget>,
}

impl Backend {
    /// Asks a question of our own, in one simple query. Must be called only between two commands.
    ///
    /// The server resolves the names in it by the session's `search_path`: write them with their schema,
    /// operators as well.
    ///
    /// # Errors
    /// [`ServerError`]. After [`ServerError::Said`], [`ServerError::TooMuch`] and a text that is not UTF-8 the
    /// session can still be used; after any other it can't.
    pub async fn ask(&mut self, sql: &str) -> Result<Vec<Row>, ServerError> {
        let mut out = BytesMut::new();
        write::query(&mut out, sql);
        let sent = async {
            self.transport.write_all(&out).await?;
            self.transport.flush().await
        };
        sent.await.map_err(|_| ServerError::Gone)?;
        let mut answer = Answer::default();
        while !answer.is_over {
            match self.frames.next(&mut self.transport).await? {
                Some(Arrived::Frame(frame)) => self.take(&frame, &mut answer)?,
                Some(Arrived::Large(_)) => {
                    answer.failed(ServerError::TooMuch);
                    self.frames.skip(&mut self.transport).await?;
                }
                None => return Err(ServerError::Gone),
            }
        }
        answer.failure.map_or(Ok(answer.rows), Err)
    }

    fn take(&mut self, frame: &Frame, answer: &mut Answer) -> Result<(), ServerError> {
        match ServerMessage::read(frame)? {
            ServerMessage::DataRow(row) => answer.add(row, frame.bytes.len()),
            ServerMessage::ErrorResponse(report) => answer.failed(said(&report)),
            ServerMessage::ReadyForQuery(_) => answer.is_over = true,
            ServerMessage::ParameterStatus { name, value } => {
                self.parameters.insert(name.to_owned(), value.to_owned());
            }
            ServerMessage::RowDescription(_)
            | ServerMessage::CommandComplete { .. }
            | ServerMessage::EmptyQueryResponse
            | ServerMessage::NoticeResponse(_)
            | ServerMessage::NotificationResponse => {}
            _ => return Err(ServerError::OutOfTurn(frame.tag)),
        }
        Ok(())
    }

    /// Asks the server, on a way of its own, to stop what this session does.
    ///
    /// # Errors
    /// [`ServerError`] when it can't be asked.
    pub async fn cancel(&self) -> Result<(), ServerError> {
        match &self.target {
            Some(target) => target.cancel().await,
            None => Err(ServerError::OutOfTurn(b'K')),
        }
    }
}

/// An answer that is coming.
#[derive(Default)]
struct Answer {
    rows: Vec<Row>,
    bytes: usize,
    /// The first thing that went wrong.
    failure: Option<ServerError>,
    is_over: bool,
}

impl Answer {
    fn add(&mut self, row: Values<'_>, bytes: usize) {
        self.bytes += bytes;
        if self.rows.len() >= MOST_ROWS || self.bytes > MOST_BYTES {
            self.failed(ServerError::TooMuch);
        }
        if self.failure.is_some() {
            return;
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
        match row
            .iter()
            .map(|value| value.map(text).transpose())
            .collect()
        {
            Ok(row) => self.rows.push(row),
            Err(_) => self.failed(Malformed::NotUtf8.into()),
        }
    }

    fn failed(&mut self, error: ServerError) {
        self.failure.get_or_insert(error);
    }
}
