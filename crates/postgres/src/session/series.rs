//! The extended protocol: a series of messages up to its Sync or Flush.
//!
//! What a statement does is decided when it is bound, since planning already runs functions. Each run of
//! messages between two that act on the transaction is sent in one go.

use std::sync::Arc;

use bytes::BytesMut;
use tagout_core::verdict::Mode;

use super::Session;
use super::asked::{Asked, Control, Sending};
use super::block::Block;
use super::halt::Halt;
use super::prepared::{Ready, not_there, own_name};
use super::script::{OWN, Route, Script, Until};
use crate::error::PostgresError;
use crate::understand::statement::Statement;
use crate::unit::{Parameter, Step};
use crate::wire::client::{Bind, ClientMessage, Target};
use crate::wire::{Frame, write};

/// Messages that are sent together.
#[derive(Default)]
struct Run {
    messages: Vec<(Frame, Until)>,
    statements: Vec<Arc<Statement>>,
    steps: Vec<Step>,
    /// What each Parse and Close changes, in order: a statement's name, with what stood behind it.
    changes: Vec<Option<(String, Option<Ready>)>>,
}

impl Session {
    /// The end of a series.
    pub(super) async fn sync(&mut self) -> Result<(), PostgresError> {
        if !self.skipping {
            self.send_series().await?;
        }
        self.skipping = false;
        if matches!(self.block, Block::None) {
            self.prepared.transaction_ended();
        }
        self.ready().await
    }

    /// Sends on what was gathered.
    pub(super) async fn send_series(&mut self) -> Result<(), PostgresError> {
        let messages = std::mem::take(&mut self.series);
        if messages.is_empty() {
            return Ok(());
        }
        self.may_go_on()?;
        let said = self.messages(&messages).await;
        if !self.tell(said).await? {
            self.skipping = true;
        }
        Ok(())
    }

    async fn messages(&mut self, messages: &[Frame]) -> Result<(), Halt> {
        let mut run = Run::default();
        for frame in messages {
            match self.message(frame, &mut run).await {
                Ok(None) => {}
                Ok(Some((control, sql))) => {
                    let before = std::mem::take(&mut run);
                    self.send_run(before).await?;
                    self.control(control, &sql).await?;
                }
                Err(halt) => {
                    self.unprepare(&run, 0);
                    return Err(halt);
                }
            }
        }
        self.send_run(run).await
    }

    /// Takes one message into a run. One that acts on the transaction is given back instead.
    async fn message(
        &mut self,
        frame: &Frame,
        run: &mut Run,
    ) -> Result<Option<(Control, String)>, Halt> {
        let message = ClientMessage::read(frame).map_err(|malformed| Halt::Said {
            sqlstate: malformed.sqlstate(),
            message: malformed.to_string(),
        })?;
        let until = match message {
            ClientMessage::Parse { name, sql, .. } => {
                self.parse(name, sql, run).await?;
                Until::ParseComplete
            }
            ClientMessage::Bind(bind) => {
                self.bind(&bind, run)?;
                Until::BindComplete
            }
            ClientMessage::Describe(_) => Until::Described,
            ClientMessage::Close(target) => {
                self.close_target(target, run)?;
                Until::Closed
            }
            ClientMessage::Execute { portal, .. } => {
                if let Some(Ready::Statement(statement)) = self.prepared.portal(portal)
                    && self.mode != Mode::Observe
                    && let Some(control) = Control::of(statement)
                {
                    return Ok(Some((control, statement.sql.clone())));
                }
                Until::Executed
            }
            _ => {
                return Err(Halt::Broken(PostgresError::Confused(
                    "no such message here",
                )));
            }
        };
        run.messages.push((frame.clone(), until));
        Ok(None)
    }

    async fn parse(&mut self, name: &str, sql: &str, run: &mut Run) -> Result<(), Halt> {
        if name.starts_with(OWN) {
            return Err(own_name());
        }
        let ready = match self.adapter.reader.read(sql.as_bytes()).await {
            Ok(statements) => match statements.as_ref() {
                [] => Ready::Empty,
                [one] => Ready::Statement(Arc::new(one.clone())),
                // The server takes one only, and says so.
                _ => Ready::Unknown("several statements in one".to_owned()),
            },
            Err(why) => Ready::Unknown(why.to_string()),
        };
        let before = self.prepared.prepare(name, Some(ready));
        run.changes.push(Some((name.to_owned(), before)));
        Ok(())
    }

    fn bind(&mut self, bind: &Bind<'_>, run: &mut Run) -> Result<(), Halt> {
        if self.mode == Mode::Observe && self.prepared.statement(bind.statement).is_none() {
            self.prepared.close_portal(bind.portal);
            return Ok(());
        }
        // Never left to the server, which may know it by what we failed to follow.
        let ready = self.prepared.statement(bind.statement).cloned();
        let ready = ready.ok_or_else(|| not_there(bind.statement))?;
        match &ready {
            Ready::Unknown(why) if self.mode != Mode::Observe => {
                return Err(Halt::denied(&format!(
                    "this could not be understood ({why}). It was not executed."
                )));
            }
            Ready::Unknown(_) | Ready::Empty => {}
            Ready::Statement(statement) if Control::of(statement).is_some() => {}
            Ready::Statement(statement) => {
                if self.mode != Mode::Observe
                    && let Some(halt) = self.prepared.refuses(statement)
                {
                    return Err(halt);
                }
                run.statements.push(self.prepared.effective(statement));
                run.steps.push(Step {
                    sql: statement.sql.clone(),
                    parameters: parameters(bind),
                    copied: None,
                });
            }
        }
        self.prepared.bind(bind.portal, ready);
        Ok(())
    }

    /// A Close that the server passes over after an error has forgotten nothing.
    fn close_target(&mut self, target: Target<'_>, run: &mut Run) -> Result<(), Halt> {
        match target {
            Target::Statement(name) if name.starts_with(OWN) => return Err(own_name()),
            Target::Statement(name) => {
                let before = self.prepared.prepare(name, None);
                run.changes.push(Some((name.to_owned(), before)));
            }
            Target::Portal(name) => {
                self.prepared.close_portal(name);
                run.changes.push(None);
            }
        }
        Ok(())
    }

    async fn send_run(&mut self, run: Run) -> Result<(), Halt> {
        if run.messages.is_empty() {
            return Ok(());
        }
        self.parsed = 0;
        let asked = Asked {
            statements: run.statements.clone(),
            steps: run.steps.clone(),
            sending: Sending::Series(run.messages.clone()),
        };
        let said = self.run_series(&asked).await;
        if said.is_err() {
            self.unprepare(&run, self.parsed);
        } else {
            let ran: Vec<_> = asked
                .statements
                .iter()
                .map(|it| it.as_ref().clone())
                .collect();
            self.prepared.follow(&ran);
        }
        said
    }

    async fn run_series(&mut self, asked: &Asked) -> Result<(), Halt> {
        if self.mode == Mode::Observe {
            return self.observed(asked).await;
        }
        if asked.statements.is_empty() || matches!(self.block, Block::Failed(_)) {
            return self.only_announced(asked).await;
        }
        self.run_asked(asked).await
    }

    /// Nothing of it runs anything: it announces, describes and forgets.
    async fn only_announced(&mut self, asked: &Asked) -> Result<(), Halt> {
        let mut script = Script::default();
        asked.put(&mut script, false);
        script.sync(Route::Agent);
        let answers = self.exchange(script).await?;
        self.block.follow_unless_gone(answers.status);
        match answers.error {
            None => Ok(()),
            Some(_) => Err(Halt::Failed),
        }
    }

    /// What the server did not come to, stands as it stood.
    fn unprepare(&mut self, run: &Run, answered: usize) {
        for (name, before) in run.changes.iter().skip(answered).rev().flatten() {
            self.prepared.prepare(name, before.clone());
        }
    }
}

fn parameters(bind: &Bind<'_>) -> Vec<Parameter> {
    let values = bind.parameters.iter().enumerate();
    let parameter = |(place, value): (usize, Option<&[u8]>)| {
        Parameter::new(value, i16::from(bind.formats.is_binary(place)))
    };
    values.map(parameter).collect()
}

/// For a series that is sent a second time: forgets what its first time prepared under names.
pub(super) fn closing_parses(messages: &[(Frame, Until)]) -> Vec<(Frame, Until)> {
    let named = messages
        .iter()
        .filter_map(|(frame, _)| match ClientMessage::read(frame) {
            Ok(ClientMessage::Parse { name, .. }) if !name.is_empty() => Some(name.to_owned()),
            _ => None,
        });
    let close = |name: String| {
        let mut bytes = BytesMut::new();
        write::close(&mut bytes, Target::Statement(&name));
        let bytes = bytes.freeze();
        (Frame { tag: b'C', bytes }, Until::Forgotten)
    };
    named.map(close).collect()
}
