//! What acts on the transaction itself: beginning, savepoints, and its end, where it is judged as a whole.

use tagout_core::refusal::RefusalKind;

use super::Session;
use super::asked::{Asked, Control, Sending};
use super::block::{Block, Work};
use super::commit::Ending;
use super::halt::Halt;
use super::script::{Route, Script};
use super::simple::aborted;
use crate::unit::Step;
use crate::wire::server::Status;
use crate::wire::write;

impl Session {
    /// Runs one. In a series, what announces it was sent already; only its completion goes to the agent.
    pub(super) async fn control(&mut self, control: Control, sql: &str) -> Result<(), Halt> {
        match (control, &self.block) {
            (Control::Commit { .. } | Control::Rollback { chain: false }, Block::Gone) => {
                self.block = Block::None;
                self.complete("ROLLBACK").await;
                Ok(())
            }
            (_, Block::Gone) => Err(aborted()),
            (Control::Begin, Block::None) => self.begin(sql).await,
            (Control::Commit { chain }, Block::Open(_)) => self.commit_block(chain).await,
            (Control::Savepoint, Block::Open(_)) => self.savepoint(sql).await,
            _ => self.pass_control(sql).await,
        }
    }

    async fn begin(&mut self, sql: &str) -> Result<(), Halt> {
        let mut script = Script::default();
        script.query(sql, Route::Agent);
        let answers = self.exchange(script).await?;
        if answers.error.is_some() {
            return Err(Halt::Failed);
        }
        self.block = Block::Open(Work::default());
        Ok(())
    }

    /// A savepoint changes what the rest of a transaction means, so it is part of the card.
    async fn savepoint(&mut self, sql: &str) -> Result<(), Halt> {
        self.pass_control(sql).await?;
        if let Some(work) = self.block.work() {
            work.steps.push(Step::plain(sql));
        }
        Ok(())
    }

    async fn pass_control(&mut self, sql: &str) -> Result<(), Halt> {
        let mut script = Script::default();
        script.query(sql, Route::Agent);
        let answers = self.exchange(script).await?;
        let ended = answers.status == Status::Idle;
        self.block.follow(answers.status);
        if ended {
            self.prepared.transaction_ended();
            self.catalog.settled();
        }
        if answers.error.is_some() {
            return Err(Halt::Failed);
        }
        Ok(())
    }

    /// The agent's commit: the whole transaction is judged by what it was measured to have done.
    async fn commit_block(&mut self, chain: bool) -> Result<(), Halt> {
        if chain {
            return Err(Halt::denied(
                "COMMIT AND CHAIN is not served; commit, and begin anew. The transaction is rolled back.",
            ));
        }
        let Block::Open(work) = std::mem::take(&mut self.block) else {
            return Ok(());
        };
        let asked = Asked {
            statements: work.statements,
            steps: work.steps.clone(),
            sending: Sending::Simple(String::new()),
        };
        let ending = Ending {
            sql: "COMMIT",
            asked: &asked,
            closures: &work.closures,
            steps: work.steps,
            measure: work.measure,
        };
        let committed = self.commit(ending).await;
        self.prepared.transaction_ended();
        match committed {
            Ok(()) => {
                self.complete("COMMIT").await;
                Ok(())
            }
            Err(Halt::Refused(refusal)) => {
                if refusal.kind == RefusalKind::Held {
                    self.remember_held(&asked.steps, work.held_from, &refusal);
                }
                Err(Halt::Refused(refusal))
            }
            Err(halt) => Err(halt),
        }
    }

    fn remember_held(
        &mut self,
        steps: &[Step],
        held_from: Option<usize>,
        refusal: &tagout_core::refusal::Refusal,
    ) {
        let (Some(until), Some(hold)) = (held_from, refusal.hold.clone()) else {
            return;
        };
        let prefix = steps.get(..until).unwrap_or(steps).to_vec();
        let prefix = Self::exact_of(&self.attempt(&self.unit(prefix)));
        let caller = self.caller.connection.clone();
        self.pending.keep(caller, prefix, hold, refusal.clone());
    }

    pub(super) async fn complete(&mut self, tag: &str) {
        let mut link = self.adapter.link.lock().await;
        write::command_complete(&mut link.client.out, tag);
    }
}
