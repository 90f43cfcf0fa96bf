//! One agent's session with one database.
//!
//! A session asks the pipeline about everything that it sends, in this order: what only observes runs in a
//! read-only transaction of the gateway's own; what may change something runs in a transaction of the
//! gateway's, or of the agent's, and is measured before it commits; what no transaction takes back is
//! submitted before it is sent. A session never decides, never holds anything while it owns locks, and never
//! lets the agent hear that something is complete before it is committed.

pub(crate) mod exchange;
pub(crate) mod link;
pub(crate) mod script;
pub(crate) mod settle;

mod alone;
mod asked;
mod block;
mod commit;
mod control;
pub(crate) mod ground;
mod halt;
mod observed;
mod pending;
mod prepared;
mod read;
mod series;
mod simple;
pub(crate) mod vetted;
mod within;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tagout_core::pipeline::Caller;
use tagout_core::session::Sessions;
use tagout_core::verdict::Mode;

pub(crate) use self::pending::PendingHolds;

use self::block::Block;
use self::exchange::{Answers, Exchange};
use self::halt::Halt;
use self::link::LONGEST_FROM_AGENT;
use self::prepared::Prepared;
use self::read::Remembered;
use self::script::Script;
use crate::adapter::{Committed, SessionAdapter};
use crate::catalog::database::Database;
use crate::catalog::here::Here;
use crate::catalog::{Catalog, SessionNames};
use crate::error::PostgresError;
use crate::refused;
use crate::sign_in::CancelTarget;
use crate::wire::write::{self, Said};
use crate::wire::{Arrived, Frame, Header};

/// How often an idle session looks whether it may stay.
const LOOK_UP: Duration = Duration::from_millis(250);

/// Messages of a series that are gathered before they are sent on without waiting for its end.
const SERIES_MESSAGES: usize = 4096;

/// What a session is made of.
pub(crate) struct Parts {
    pub(crate) adapter: Arc<SessionAdapter>,
    pub(crate) pipeline: Arc<dyn Sessions<Committed>>,
    pub(crate) caller: Caller,
    pub(crate) mode: Mode,
    pub(crate) catalog: Catalog,
    pub(crate) database: Database,
    pub(crate) pending: Arc<PendingHolds>,
    /// How what runs at the server is stopped.
    pub(crate) target: Option<CancelTarget>,
}

/// One agent's session.
pub(crate) struct Session {
    adapter: Arc<SessionAdapter>,
    pipeline: Arc<dyn Sessions<Committed>>,
    caller: Caller,
    mode: Mode,
    catalog: Catalog,
    database: Database,
    pending: Arc<PendingHolds>,
    target: Option<CancelTarget>,
    names: SessionNames,
    here: Option<Here>,
    block: Block,
    prepared: Prepared,
    reads: HashMap<String, Remembered>,
    series: Vec<Frame>,
    /// After an error in a series, the rest of it is passed over.
    skipping: bool,
    /// How many of the agent's messages that prepare or close were answered in this run.
    parsed: usize,
}

impl Session {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            adapter: parts.adapter,
            pipeline: parts.pipeline,
            caller: parts.caller,
            mode: parts.mode,
            catalog: parts.catalog,
            database: parts.database,
            pending: parts.pending,
            target: parts.target,
            names: SessionNames::default(),
            here: None,
            block: Block::None,
            prepared: Prepared::default(),
            reads: HashMap::new(),
            series: Vec::new(),
            skipping: false,
            parsed: 0,
        }
    }

    /// Serves the agent until one of the two ends goes away, or a person stops it.
    pub(crate) async fn run(mut self) -> Result<(), PostgresError> {
        loop {
            let took = match self.next().await {
                Ok(Some(Arrived::Frame(frame))) if frame.tag == b'X' => return Ok(()),
                Ok(Some(Arrived::Frame(frame))) => self.take(frame).await,
                Ok(Some(Arrived::Large(header))) => self.take_too_long(&header).await,
                Ok(None) => return Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = took {
                self.stop_the_server().await;
                self.say_goodbye(&error).await;
                return Err(error);
            }
        }
    }

    /// The agent's next message. What the server says meanwhile by itself is passed on.
    async fn next(&mut self) -> Result<Option<Arrived>, PostgresError> {
        let mut link = self.adapter.link.lock().await;
        loop {
            if let Some(arrived) = link.client.frames.next_buffered()? {
                return Ok(Some(arrived));
            }
            link.client.flush().await?;
            let link = &mut *link;
            let (client, server) = (&mut link.client, &mut link.server);
            tokio::select! {
                arrived = client.frames.next(&mut client.reader) => return Ok(arrived?),
                arrived = server.frames.next(&mut server.reader) => {
                    let Arrived::Frame(frame) = arrived?.ok_or(PostgresError::ServerGone)? else {
                        return Err(PostgresError::Confused("a message is too long"));
                    };
                    client.put(&frame);
                    if frame.tag == b'E' {
                        client.flush().await?;
                        return Err(PostgresError::ServerGone);
                    }
                }
                () = tokio::time::sleep(LOOK_UP) => {
                    if !(self.adapter.goes_on)() {
                        return Err(PostgresError::Stopped);
                    }
                }
            }
        }
    }

    async fn take(&mut self, frame: Frame) -> Result<(), PostgresError> {
        match frame.tag {
            b'Q' => self.simple(&frame).await,
            b'S' => self.sync().await,
            b'H' if self.skipping => Ok(()),
            b'H' => self.send_series().await,
            // What is left of a copy that failed. The server passes over it, too.
            b'd' | b'c' | b'f' => Ok(()),
            b'F' => self.refuse_fast_path().await,
            _ if self.skipping => Ok(()),
            _ => {
                self.series.push(frame);
                if self.series.len() >= SERIES_MESSAGES {
                    return self.send_series().await;
                }
                Ok(())
            }
        }
    }

    /// The fast path calls functions by number, past everything that understands SQL.
    async fn refuse_fast_path(&mut self) -> Result<(), PostgresError> {
        let halt = Halt::denied(
            "the fast path (FunctionCall) is not served; call the function in a query. It was not executed.",
        );
        self.tell(Err(halt)).await?;
        self.ready().await
    }

    async fn take_too_long(&mut self, header: &Header) -> Result<(), PostgresError> {
        {
            let mut link = self.adapter.link.lock().await;
            let client = &mut link.client;
            client.frames.skip(&mut client.reader).await?;
        }
        if header.tag == b'd' || (self.skipping && header.tag != b'Q') {
            return Ok(());
        }
        let halt = Halt::Said {
            sqlstate: "54000",
            message: format!(
                "a message of {} bytes is too long for tagout; at most {LONGEST_FROM_AGENT} are taken. It was not executed.",
                header.body
            ),
        };
        let simple = header.tag == b'Q';
        self.tell(Err(halt)).await?;
        if simple {
            return self.ready().await;
        }
        self.series.clear();
        self.skipping = true;
        Ok(())
    }

    fn may_go_on(&self) -> Result<(), PostgresError> {
        if (self.adapter.goes_on)() {
            Ok(())
        } else {
            Err(PostgresError::Stopped)
        }
    }

    /// Sends a script and takes its answers.
    async fn exchange(&mut self, script: Script) -> Result<Answers, PostgresError> {
        let mut link = self.adapter.link.lock().await;
        let goes_on = self.adapter.goes_on.as_ref();
        let answers = Exchange::new(&mut link, goes_on).run(script).await?;
        // A rollback of ours that follows prepares nothing, and takes nothing back.
        self.parsed = self.parsed.max(answers.parsed);
        Ok(answers)
    }

    /// Says to the agent why something went no further. In a transaction, what was done in it is undone.
    async fn tell(&mut self, said: Result<(), Halt>) -> Result<bool, PostgresError> {
        match said {
            Ok(()) => return Ok(true),
            Err(Halt::Failed) => return Ok(false),
            Err(Halt::Broken(error)) => return Err(error),
            Err(Halt::Refused(refusal)) => {
                let mut link = self.adapter.link.lock().await;
                refused::error_response(&mut link.client.out, "ERROR", &refusal);
            }
            Err(Halt::Said { sqlstate, message }) => {
                let said = Said {
                    severity: "ERROR",
                    sqlstate,
                    message: &message,
                    detail: None,
                    hint: None,
                };
                let mut link = self.adapter.link.lock().await;
                write::error_response(&mut link.client.out, &said);
            }
        }
        self.abandon().await?;
        Ok(false)
    }

    /// Rolls the agent's transaction back, if one is open. The agent still has to end it.
    async fn abandon(&mut self) -> Result<(), PostgresError> {
        if self.block.work().is_some() {
            self.roll_back().await?;
            self.block = Block::Gone;
        }
        Ok(())
    }

    async fn roll_back(&mut self) -> Result<(), PostgresError> {
        let mut script = Script::default();
        script.own_query("ROLLBACK");
        let answers = self.exchange(script).await?;
        self.catalog.settled();
        match answers.own_error {
            None => Ok(()),
            Some(_) => Err(PostgresError::Confused("a rollback failed")),
        }
    }

    /// Tells the agent that it may go on.
    async fn ready(&mut self) -> Result<(), PostgresError> {
        let mut link = self.adapter.link.lock().await;
        write::ready_for_query(&mut link.client.out, self.block.status());
        Ok(())
    }

    /// A server notices only when it has finished that nobody listens any more, and keeps its locks until
    /// then.
    async fn stop_the_server(&self) {
        let Some(target) = &self.target else { return };
        if let Err(error) = target.cancel().await {
            tracing::debug!(%error, "what ran at the server could not be stopped");
        }
    }

    async fn say_goodbye(&mut self, error: &PostgresError) {
        let (sqlstate, message) = match error {
            PostgresError::ClientGone => return,
            PostgresError::Stopped => (
                "TG004",
                "FROZEN by tagout: a person has stopped everything or this connection, or changed this database's settings. What was not committed is undone.".to_owned(),
            ),
            PostgresError::ServerGone => ("08006", format!("tagout: {error}")),
            error => ("08P01", format!("tagout: {error}")),
        };
        let said = Said {
            severity: "FATAL",
            sqlstate,
            message: &message,
            detail: None,
            hint: None,
        };
        let mut link = self.adapter.link.lock().await;
        write::error_response(&mut link.client.out, &said);
        let limited = tokio::time::timeout(Duration::from_secs(1), link.client.flush());
        // It may have gone already; then there is nobody to tell.
        let _ = limited.await;
    }
}
