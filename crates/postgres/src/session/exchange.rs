//! Sending a script and taking its answers: rows stream to the agent as they come, and nothing is gathered
//! but what the gateway asked for itself.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::link::{Link, WRITE_AT};
use super::script::{Expected, Route, Script, Until};
use crate::error::PostgresError;
use crate::unit::Copied;
use crate::wire::server::{ServerMessage, Status};
use crate::wire::{Arrived, Frame, Header, write};

/// How often it is asked whether all this may go on.
const LOOK_UP: Duration = Duration::from_millis(150);

/// The most rows of answers to ourselves that are kept.
const OWN_ROWS: usize = 100_000;

/// Whether a session may go on: not after a freeze or a revocation.
pub(crate) type GoesOn<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// An error of the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerError {
    pub(crate) sqlstate: String,
    pub(crate) message: String,
    pub(crate) frame: Bytes,
}

/// A row of an answer to ourselves.
pub(crate) type Row = Vec<Option<String>>;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answers {
    /// The first error in what the agent gets. It was given to the agent already, unless it was kept.
    pub(crate) error: Option<ServerError>,
    /// The first error in what the gateway asked itself.
    pub(crate) own_error: Option<ServerError>,
    /// Where the server's session stood at the end.
    pub(crate) status: Status,
    /// Rows of the gateway's own queries, each query's by itself.
    pub(crate) rows: Vec<Vec<Row>>,
    /// What is kept back for the agent.
    pub(crate) kept: BytesMut,
    /// Command tags of what the agent gets, in order.
    pub(crate) tags: Vec<String>,
    /// Command tags of what the gateway asked itself.
    pub(crate) own_tags: Vec<String>,
    /// How many of the agent's statements and portals were prepared or closed.
    pub(crate) parsed: usize,
    /// Whether rows, or data of a COPY, went to the agent.
    pub(crate) delivered: bool,
    /// What the agent copied in.
    pub(crate) copied: Option<Copied>,
}

/// One script on its way.
pub(crate) struct Exchange<'a> {
    link: &'a mut Link,
    goes_on: GoesOn<'a>,
    expected: VecDeque<Expected>,
    /// An error with this SQLSTATE is not given to the agent if no row was: it is only a sign.
    sign: Option<&'static str>,
    answers: Answers,
}

/// Whether an answer asks for data.
#[derive(PartialEq, Eq)]
enum Wants {
    Nothing,
    CopyIn,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(link: &'a mut Link, goes_on: GoesOn<'a>) -> Self {
        Self {
            link,
            goes_on,
            expected: VecDeque::new(),
            sign: None,
            answers: Answers {
                error: None,
                own_error: None,
                status: Status::Idle,
                rows: Vec::new(),
                kept: BytesMut::new(),
                tags: Vec::new(),
                own_tags: Vec::new(),
                parsed: 0,
                delivered: false,
                copied: None,
            },
        }
    }

    /// Keeps an error with this SQLSTATE from the agent, as long as the agent saw no row.
    pub(crate) const fn taking_as_sign(mut self, sqlstate: &'static str) -> Self {
        self.sign = Some(sqlstate);
        self
    }

    /// Sends all of it, and takes all the answers. What the agent gets is in its buffer at the end, not yet
    /// written, unless it was much.
    ///
    /// Whoever drops this half-way leaves the link out of step, which then says so.
    pub(crate) async fn run(mut self, script: Script) -> Result<Answers, PostgresError> {
        if self.link.out_of_step {
            return Err(PostgresError::Stopped);
        }
        self.link.out_of_step = true;
        self.expected = script.expected;
        let mut out = script.bytes;
        loop {
            while let Some(arrived) = self.link.server.frames.next_buffered()? {
                self.take_arrived(arrived).await?;
            }
            if self.expected.is_empty() && out.is_empty() {
                self.link.out_of_step = false;
                return Ok(self.answers);
            }
            let server = &mut self.link.server;
            let arrived = tokio::select! {
                biased;
                wrote = server.writer.write_buf(&mut out), if !out.is_empty() => {
                    if wrote? == 0 {
                        return Err(PostgresError::ServerGone);
                    }
                    if out.is_empty() {
                        server.writer.flush().await?;
                    }
                    continue;
                }
                arrived = server.frames.next(&mut server.reader) => arrived?,
                () = tokio::time::sleep(LOOK_UP) => {
                    self.may_go_on()?;
                    continue;
                }
            };
            self.take_arrived(arrived.ok_or(PostgresError::ServerGone)?)
                .await?;
        }
    }

    fn may_go_on(&self) -> Result<(), PostgresError> {
        if (self.goes_on)() {
            Ok(())
        } else {
            Err(PostgresError::Stopped)
        }
    }

    async fn take_arrived(&mut self, arrived: Arrived) -> Result<(), PostgresError> {
        let wants = match arrived {
            Arrived::Frame(frame) => self.take(&frame)?,
            Arrived::Large(header) => {
                self.take_large(&header).await?;
                Wants::Nothing
            }
        };
        if self.link.client.out.len() > WRITE_AT {
            self.write_client().await?;
        }
        if wants == Wants::CopyIn {
            self.copy_in().await?;
        }
        Ok(())
    }

    /// Writes to the agent, who may be slow, for as long as all this may go on.
    async fn write_client(&mut self) -> Result<(), PostgresError> {
        loop {
            let client = &mut self.link.client;
            if client.out.is_empty() {
                client.writer.flush().await?;
                return Ok(());
            }
            tokio::select! {
                wrote = client.writer.write_buf(&mut client.out) => {
                    if wrote? == 0 {
                        return Err(PostgresError::ClientGone);
                    }
                }
                () = tokio::time::sleep(LOOK_UP) => self.may_go_on()?,
            }
        }
    }

    fn take(&mut self, frame: &Frame) -> Result<Wants, PostgresError> {
        match frame.tag {
            b'N' | b'A' => self.link.client.put(frame),
            b'S' => self.take_setting(frame)?,
            b'E' => self.take_error(frame)?,
            b'Z' => self.take_ready(frame)?,
            _ => return self.take_answer(frame),
        }
        Ok(Wants::Nothing)
    }

    /// A setting that decides how text is read must not change under us.
    fn take_setting(&mut self, frame: &Frame) -> Result<(), PostgresError> {
        if let ServerMessage::ParameterStatus { name, value } = ServerMessage::read(frame)? {
            let bad = match name {
                "client_encoding" => value != "UTF8",
                "standard_conforming_strings" => value != "on",
                _ => false,
            };
            if bad {
                return Err(PostgresError::SettingChanged(
                    name.escape_debug().to_string(),
                ));
            }
        }
        self.link.client.put(frame);
        Ok(())
    }

    fn take_error(&mut self, frame: &Frame) -> Result<(), PostgresError> {
        let ServerMessage::ErrorResponse(report) = ServerMessage::read(frame)? else {
            return Err(PostgresError::Confused("an error was expected"));
        };
        let error = ServerError {
            sqlstate: report.sqlstate().into_owned(),
            message: report.message().into_owned(),
            frame: frame.bytes.clone(),
        };
        let front = self.expected.front().copied();
        if front.is_some_and(|front| front.route == Route::Own) {
            self.answers.own_error.get_or_insert(error);
        } else {
            let sign = self.sign == Some(error.sqlstate.as_str()) && !self.answers.delivered;
            if !sign {
                self.give(frame);
            }
            self.answers.error.get_or_insert(error);
        }
        if front.is_some_and(|front| front.until != Until::Ready) {
            self.skip_to_sync();
        }
        Ok(())
    }

    /// After an error in a series the server skips everything up to its end, simple queries included.
    fn skip_to_sync(&mut self) {
        while self
            .expected
            .front()
            .is_some_and(|front| front.until != Until::Synced)
        {
            self.expected.pop_front();
        }
    }

    fn take_ready(&mut self, frame: &Frame) -> Result<(), PostgresError> {
        let ServerMessage::ReadyForQuery(status) = ServerMessage::read(frame)? else {
            return Err(PostgresError::Confused("the end of a query was expected"));
        };
        self.answers.status = status;
        match self.expected.pop_front() {
            Some(Expected {
                until: Until::Ready | Until::Synced,
                ..
            }) => Ok(()),
            _ => Err(PostgresError::Confused("the end of a query came too soon")),
        }
    }

    fn take_answer(&mut self, frame: &Frame) -> Result<Wants, PostgresError> {
        let front = self.expected.front().copied();
        let front = front.ok_or(PostgresError::Confused("nothing was asked"))?;
        match frame.tag {
            b'C' | b'I' | b's' => self.take_complete(frame, front)?,
            b'G' if front.route == Route::Own => {
                return Err(PostgresError::Confused("data were asked of us"));
            }
            b'G' => {
                self.give(frame);
                return Ok(Wants::CopyIn);
            }
            b'W' | b'V' => return Err(PostgresError::Confused("such an answer was not asked for")),
            _ if front.route == Route::Own => self.keep_own(frame)?,
            _ => self.give(frame),
        }
        self.end_if_over(frame.tag, front);
        Ok(Wants::Nothing)
    }

    fn end_if_over(&mut self, tag: u8, front: Expected) {
        let over = match front.until {
            Until::ParseComplete => tag == b'1',
            Until::BindComplete => tag == b'2',
            Until::Closed | Until::Forgotten => tag == b'3',
            Until::Described => matches!(tag, b'T' | b'n'),
            Until::Executed => matches!(tag, b'C' | b'I' | b's'),
            Until::Ready | Until::Synced => false,
        };
        if over {
            self.expected.pop_front();
        }
        if matches!(tag, b'1' | b'3') && front.route != Route::Own {
            self.answers.parsed += 1;
        }
    }

    fn take_complete(&mut self, frame: &Frame, front: Expected) -> Result<(), PostgresError> {
        if let ServerMessage::CommandComplete { tag } = ServerMessage::read(frame)? {
            let tags = match front.route {
                Route::Own => &mut self.answers.own_tags,
                Route::Agent | Route::KeepBack => &mut self.answers.tags,
            };
            tags.push(tag.to_owned());
        }
        if front.route == Route::Own {
            return Ok(());
        }
        self.let_go();
        match front.route {
            Route::KeepBack => self.answers.kept.extend_from_slice(&frame.bytes),
            Route::Own | Route::Agent => self.give(frame),
        }
        Ok(())
    }

    /// Gives the agent a message, after what was kept back: only the last completion is.
    fn give(&mut self, frame: &Frame) {
        self.let_go();
        self.answers.delivered |= matches!(frame.tag, b'D' | b'd' | b'H' | b'G');
        self.link.client.put(frame);
    }

    fn let_go(&mut self) {
        let kept = self.answers.kept.split();
        self.link.client.out.extend_from_slice(&kept);
    }

    /// Rows that the gateway asked for itself.
    fn keep_own(&mut self, frame: &Frame) -> Result<(), PostgresError> {
        match ServerMessage::read(frame)? {
            ServerMessage::RowDescription(_) => self.answers.rows.push(Vec::new()),
            ServerMessage::DataRow(values) => {
                let value = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                let row = values.iter().map(|each| each.map(value)).collect();
                if let Some(rows) = self.answers.rows.last_mut() {
                    rows.push(row);
                    if rows.len() > OWN_ROWS {
                        return Err(PostgresError::Confused("too many rows for ourselves"));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A message too long to be put together: passed on in pieces, or skipped.
    async fn take_large(&mut self, header: &Header) -> Result<(), PostgresError> {
        let front = self.expected.front().copied();
        let agents = front.is_some_and(|front| front.route != Route::Own);
        if !matches!(header.tag, b'D' | b'd') {
            return Err(PostgresError::Confused("a message is too long"));
        }
        if agents {
            self.let_go();
            self.answers.delivered = true;
            self.link.client.out.extend_from_slice(&header.bytes);
        }
        loop {
            let server = &mut self.link.server;
            let piece = tokio::select! {
                piece = server.frames.piece(&mut server.reader) => piece?,
                () = tokio::time::sleep(LOOK_UP) => {
                    self.may_go_on()?;
                    continue;
                }
            };
            let Some(piece) = piece else { return Ok(()) };
            if agents {
                self.link.client.out.extend_from_slice(&piece);
                self.write_client().await?;
            }
        }
    }

    /// Passes on what the agent copies in, until it ends or the server has had enough.
    async fn copy_in(&mut self) -> Result<(), PostgresError> {
        self.write_client().await?;
        let mut data = Data::default();
        let series = self.expected.front().map(|front| front.until) == Some(Until::Executed);
        let ended = self.copy(&mut data).await;
        self.answers.copied = Some(data.into_copied());
        ended?;
        if series {
            // The server passed over the Sync that we sent before the data.
            let mut sync = BytesMut::new();
            write::sync(&mut sync);
            self.send_on(&sync).await?;
            self.link.server.writer.flush().await?;
        }
        Ok(())
    }

    async fn copy(&mut self, data: &mut Data) -> Result<(), PostgresError> {
        loop {
            let link = &mut *self.link;
            let (client, server) = (&mut link.client, &mut link.server);
            tokio::select! {
                biased;
                arrived = server.frames.next(&mut server.reader) => {
                    let Arrived::Frame(frame) = arrived?.ok_or(PostgresError::ServerGone)? else {
                        return Err(PostgresError::Confused("a message is too long"));
                    };
                    self.take(&frame)?;
                    if frame.tag == b'E' {
                        return Ok(());
                    }
                }
                arrived = client.frames.next(&mut client.reader) => {
                    let arrived = arrived?.ok_or(PostgresError::ClientGone)?;
                    if self.pass_on(arrived, data).await? {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep(LOOK_UP) => self.may_go_on()?,
            }
        }
    }

    /// Passes on one message of the agent's; whether it was the last.
    async fn pass_on(&mut self, arrived: Arrived, data: &mut Data) -> Result<bool, PostgresError> {
        match arrived {
            Arrived::Frame(frame) => match frame.tag {
                b'd' => {
                    data.take(frame.body());
                    self.send_on(&frame.bytes).await?;
                }
                b'c' | b'f' => {
                    self.send_on(&frame.bytes).await?;
                    self.link.server.writer.flush().await?;
                    return Ok(true);
                }
                // The server ignores both while it copies.
                b'H' | b'S' => {}
                b'X' => return Err(PostgresError::ClientGone),
                _ => {
                    return Err(PostgresError::Confused(
                        "only data can be sent during a copy",
                    ));
                }
            },
            Arrived::Large(header) if header.tag == b'd' => {
                self.send_on(&header.bytes).await?;
                let client = &mut self.link.client;
                while let Some(piece) = client.frames.piece(&mut client.reader).await? {
                    data.take(&piece);
                    self.link.server.writer.write_all(&piece).await?;
                }
            }
            Arrived::Large(_) => return Err(PostgresError::Confused("a message is too long")),
        }
        Ok(false)
    }

    async fn send_on(&mut self, bytes: &[u8]) -> Result<(), PostgresError> {
        self.link.server.writer.write_all(bytes).await?;
        Ok(())
    }
}

/// Data of a COPY, as far as they are known.
#[derive(Default)]
struct Data {
    bytes: u64,
    hash: Sha256,
}

impl Data {
    fn take(&mut self, data: &[u8]) {
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        self.hash.update(data);
    }

    fn into_copied(self) -> Copied {
        let hash = self.hash.finalize();
        Copied {
            bytes: self.bytes,
            sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}
