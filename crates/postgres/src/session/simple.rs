//! Simple queries.

use std::sync::Arc;

use tagout_core::verdict::Mode;

use super::Session;
use super::asked::{Asked, Control, Sending};
use super::block::Block;
use super::halt::Halt;
use super::script::{Route, Script, Until};
use crate::error::PostgresError;
use crate::understand::statement::{Flow, Statement};
use crate::unit::Step;
use crate::wire::client::ClientMessage;
use crate::wire::{Frame, write};

impl Session {
    pub(super) async fn simple(&mut self, frame: &Frame) -> Result<(), PostgresError> {
        self.may_go_on()?;
        // A simple query ends a series that was not ended.
        self.skipping = false;
        self.series.clear();
        let said = match ClientMessage::read(frame) {
            Ok(ClientMessage::Query { sql }) => self.query(sql).await,
            Ok(_) => Err(Halt::Broken(PostgresError::Confused("no query"))),
            Err(malformed) => Err(Halt::Said {
                sqlstate: malformed.sqlstate(),
                message: malformed.to_string(),
            }),
        };
        self.tell(said).await?;
        self.ready().await
    }

    async fn query(&mut self, sql: &str) -> Result<(), Halt> {
        let read = self.adapter.reader.read(sql.as_bytes()).await;
        match read {
            _ if self.mode == Mode::Observe => self.observed_query(sql, read.ok()).await,
            Err(why) => self.not_understood(sql, &why.to_string()).await,
            Ok(statements) if statements.is_empty() => self.as_it_is(sql).await,
            Ok(statements) => self.statements(sql, &statements).await,
        }
    }

    async fn statements(&mut self, sql: &str, statements: &[Statement]) -> Result<(), Halt> {
        let controls = statements.iter().any(|it| Control::of(it).is_some());
        let outside = |it: &Statement| it.flow == Flow::Outside;
        if statements.len() > 1 && statements.iter().any(outside) {
            return Err(Halt::denied(
                "a command that can't run in a transaction has to be sent by itself. Nothing of this was executed.",
            ));
        }
        if !controls || statements.len() == 1 {
            return self.group(sql, statements).await;
        }
        for statement in statements {
            self.group(&statement.sql, std::slice::from_ref(statement))
                .await?;
        }
        Ok(())
    }

    async fn group(&mut self, sql: &str, statements: &[Statement]) -> Result<(), Halt> {
        if let [one] = statements
            && let Some(control) = Control::of(one)
        {
            return self.control(control, sql).await;
        }
        if let Some(halt) = statements
            .iter()
            .find_map(|it| self.refused_name(it, statements))
        {
            return Err(halt);
        }
        let asked = Asked {
            statements: statements
                .iter()
                .map(|it| self.prepared.effective(it))
                .collect::<Vec<Arc<Statement>>>(),
            steps: vec![Step::plain(sql)],
            sending: Sending::Simple(sql.to_owned()),
        };
        let ran = self.run_asked(&asked).await;
        match ran {
            Ok(()) => self.prepared.follow(statements),
            Err(_) => self.prepared.doubt(statements),
        }
        ran
    }

    /// As [`Prepared::refuses`](super::prepared::Prepared::refuses). What is prepared and executed in one
    /// query is not what stood behind the name when it was looked up.
    fn refused_name(&self, statement: &Statement, all: &[Statement]) -> Option<Halt> {
        let executes = matches!(statement.flow, Flow::Execute(_));
        let names = |it: &Statement| matches!(it.flow, Flow::Prepare { .. } | Flow::Deallocate(_));
        if executes && all.iter().any(names) {
            return Some(Halt::denied(
                "PREPARE or DEALLOCATE and EXECUTE have to be sent one after the other. Nothing of this was executed.",
            ));
        }
        self.prepared.refuses(statement)
    }

    /// Runs what does not act on the transaction itself, as the transaction stands.
    pub(super) async fn run_asked(&mut self, asked: &Asked) -> Result<(), Halt> {
        match &self.block {
            Block::None => self.alone(asked).await,
            Block::Open(_) => self.within(asked).await,
            Block::Failed(_) => self.refused_by_server(asked).await,
            Block::Gone => Err(aborted()),
        }
    }

    /// In an aborted transaction the server runs nothing; it says so itself.
    async fn refused_by_server(&mut self, asked: &Asked) -> Result<(), Halt> {
        let mut script = Script::default();
        asked.put(&mut script, false);
        if asked.is_series() {
            script.sync(Route::Agent);
        }
        let answers = self.exchange(script).await?;
        self.block.follow(answers.status);
        if answers.error.is_some() {
            return Err(Halt::Failed);
        }
        Ok(())
    }

    /// Nothing but comments.
    async fn as_it_is(&mut self, sql: &str) -> Result<(), Halt> {
        let mut script = Script::default();
        script.query(sql, Route::Agent);
        let answers = self.exchange(script).await?;
        self.block.follow(answers.status);
        Ok(())
    }

    /// Our parser does not understand it. The server is asked to parse it, and to do nothing else: nearly
    /// always it does not understand it either, and says why best.
    async fn not_understood(&mut self, sql: &str, why: &str) -> Result<(), Halt> {
        if !matches!(self.block, Block::Gone) {
            let mut script = Script::default();
            write::parse(&mut script.bytes, "", sql, &[]);
            script.expected.push_back(super::script::Expected {
                until: Until::ParseComplete,
                route: Route::Own,
            });
            script.sync(Route::Own);
            let answers = self.exchange(script).await?;
            self.block.follow(answers.status);
            if let Some(error) = answers.own_error {
                let mut link = self.adapter.link.lock().await;
                link.client.out.extend_from_slice(&error.frame);
                return Err(Halt::Failed);
            }
        }
        Err(Halt::denied(&format!(
            "this could not be understood ({why}). It was not executed."
        )))
    }
}

pub(super) fn aborted() -> Halt {
    Halt::Said {
        sqlstate: "25P02",
        message: "current transaction is aborted (by tagout), commands ignored until end of transaction block".to_owned(),
    }
}
