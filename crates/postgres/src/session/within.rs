//! What is asked within the agent's own transaction: it runs on trial, and the transaction is judged as a
//! whole at its commit.

use std::sync::Arc;

use tagout_core::pipeline::Answer;
use tagout_core::session::Prospect;

use super::Session;
use super::asked::{Asked, is_about_rows};
use super::ground::Seen;
use super::halt::Halt;
use super::script::{Route, Script};
use crate::adapter::{Plan, Staged};
use crate::catalog::closure::Closure;

fn not_here(why: &str) -> Halt {
    Halt::denied(&format!(
        "no rollback takes this back ({why}), so it does not run within a transaction; send it by itself. It was not executed."
    ))
}

impl Session {
    pub(super) async fn within(&mut self, asked: &Asked) -> Result<(), Halt> {
        if let Some(statement) = asked.outside() {
            if is_about_rows(statement) {
                return Err(not_here("it reaches what no rollback does"));
            }
            return Err(Halt::Said {
                sqlstate: "25001",
                message: format!("{} cannot run inside a transaction block", statement.verb),
            });
        }
        let closures = self.close(asked).await?;
        if let Some(why) = closures.iter().find_map(|it| it.outside.as_deref()) {
            return Err(not_here(why));
        }
        let closed = closures.iter().all(|it| it.reads_only);
        if asked.observes() && closed {
            let _leave = self.may_read(asked, &closures).await?;
            return self.run_within(asked, &closures, false).await;
        }
        let held = self.may_try_within(asked, &closures).await?;
        self.run_within(asked, &closures, true).await?;
        self.note(asked, &closures, held);
        Ok(())
    }

    /// Whether it may be tried within the transaction; and whether it would be held by itself.
    async fn may_try_within(
        &mut self,
        asked: &Asked,
        closures: &[Arc<Closure>],
    ) -> Result<bool, Halt> {
        match self.prospect(asked, closures, asked.steps.clone()).await? {
            Prospect::Trial(_) => Ok(false),
            Prospect::Refused => Err(self.refusal_of(asked, closures).await?),
            Prospect::Held(_) if asked.persists() => Err(self.refusal_of(asked, closures).await?),
            Prospect::Held(_) => {
                self.refuse_if_pending(asked).await?;
                Ok(true)
            }
        }
    }

    /// The refusal of something that is refused whatever it does.
    async fn refusal_of(&mut self, asked: &Asked, closures: &[Arc<Closure>]) -> Result<Halt, Halt> {
        let unit = self.unit(asked.steps.clone());
        let attempt = self.attempt(&unit);
        let targets = self.targets(asked, closures, Seen::Unrun);
        self.adapter.stage(Staged {
            exact: Self::exact_of(&attempt),
            targets,
            measured: false,
            can_be_tried: true,
            plan: Plan::Look,
        });
        match self.pipeline.submit_at_once(&self.caller, attempt).await {
            Answer::Refused(refusal) => Ok(Halt::Refused(Box::new(refusal))),
            Answer::Reply(_) => Ok(Halt::denied("this is refused. It was not executed.")),
        }
    }

    /// The same transaction up to here waits for a person already: it is not run again to be held again.
    async fn refuse_if_pending(&mut self, asked: &Asked) -> Result<(), Halt> {
        let so_far = self.steps_with(asked);
        let prefix = self.attempt(&self.unit(so_far));
        let caller = &self.caller.connection;
        let Some(whole) = self.pending.of(caller, &Self::exact_of(&prefix)) else {
            return Ok(());
        };
        if !self.still_pending(&whole.hold).await {
            return Ok(());
        }
        Err(Halt::Refused(whole.refusal))
    }

    async fn still_pending(&self, hold: &tagout_core::ids::HoldId) -> bool {
        let status = self.pipeline.status(&self.caller, hold).await;
        status.is_ok_and(|status| matches!(status.state.as_str(), "pending" | "denied"))
    }

    fn steps_with(&mut self, asked: &Asked) -> Vec<crate::unit::Step> {
        let mut steps = self
            .block
            .work()
            .map_or_else(Vec::new, |work| work.steps.clone());
        steps.extend(asked.steps.iter().cloned());
        steps
    }

    async fn run_within(
        &mut self,
        asked: &Asked,
        closures: &[Arc<Closure>],
        changes: bool,
    ) -> Result<(), Halt> {
        let mut script = Script::default();
        if changes && let Some(work) = self.block.work() {
            work.tried = true;
            for question in closures.iter().filter_map(|it| work.measure.before(it)) {
                script.own_query(&question);
            }
        }
        asked.put(&mut script, false);
        if asked.is_series() {
            script.sync(Route::Agent);
        }
        let answers = self.exchange(script).await?;
        if let Some(work) = self.block.work() {
            for rows in &answers.rows {
                work.measure.began(rows)?;
            }
        }
        self.block.follow(answers.status);
        self.catalog_moved(asked, closures);
        if let (Some(copied), Some(work)) = (answers.copied, self.block.work()) {
            work.copied = Some(copied);
        }
        if answers.error.is_some() {
            return Err(Halt::Failed);
        }
        Ok(())
    }

    /// Notes what was done, for the card.
    fn note(&mut self, asked: &Asked, closures: &[Arc<Closure>], held: bool) {
        let Some(work) = self.block.work() else {
            return;
        };
        let mut steps = asked.steps.clone();
        if let (Some(copied), Some(last)) = (work.copied.take(), steps.last_mut()) {
            last.copied = Some(copied);
        }
        work.steps.extend(steps);
        work.statements.extend(asked.statements.iter().cloned());
        work.closures.extend(closures.iter().cloned());
        if held && work.held_from.is_none() {
            work.held_from = Some(work.steps.len());
        }
    }
}
