//! What is asked outside any transaction block of the agent's: it is a unit by itself.

use std::sync::Arc;

use tagout_core::ids::HoldId;
use tagout_core::permit::Clearance;
use tagout_core::pipeline::{Answer, Later};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::session::Prospect;

use super::Session;
use super::asked::{Asked, Sending};
use super::commit::Ending;
use super::ground::Seen;
use super::halt::Halt;
use super::read::Ran;
use super::script::{Route, Script};
use crate::adapter::{Plan, Staged};
use crate::catalog::closure::Closure;
use crate::catalog::measure::Measure;
use crate::unit::Step;
use crate::wire::write::{self, Said};

/// A way to run something as a whole.
type Whole = for<'s> fn(&'s mut Session, &'s Asked) -> Later<'s, Result<(), Halt>>;

/// What a person will be asked about anyway is run once, so that the card has its exact numbers; but not
/// where that takes long, or where others would wait.
const BRIEFLY: &str = "BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '30s'";

impl Session {
    pub(super) async fn alone(&mut self, asked: &Asked) -> Result<(), Halt> {
        let closures = self.close(asked).await?;
        let persists = asked.persists() || asked.outside().is_some();
        if persists || closures.iter().any(|it| it.outside.is_some()) {
            return self.waiting(asked, Self::send_whole).await;
        }
        // A read-only transaction keeps functions from rows, not from large objects (before version 16).
        if asked.observes() && closures.iter().all(|it| !it.open) {
            let leave = self.may_read(asked, &closures).await?;
            if matches!(self.read_alone(leave, asked).await?, Ran::Done) {
                self.ran(asked, &closures);
                return Ok(());
            }
            let again = self.without_parses(asked);
            return self.waiting(&again, Self::try_whole).await;
        }
        self.waiting(asked, Self::try_whole).await
    }

    /// Tries; and where a person is asked, waits a little for the answer, with nothing locked, and tries once
    /// more if it is yes.
    async fn waiting(&mut self, asked: &Asked, attempt: Whole) -> Result<(), Halt> {
        let mark = self.client_mark().await;
        let said = attempt(self, asked).await;
        let Err(Halt::Refused(refusal)) = said else {
            return said;
        };
        let held = refusal
            .hold
            .clone()
            .filter(|_| refusal.kind == RefusalKind::Held);
        let Some(hold) = held.filter(|_| !asked.copies_in()) else {
            return Err(Halt::Refused(refusal));
        };
        self.back_to(mark).await;
        if !self.wait_for(&hold, &refusal).await? {
            return Err(Halt::Refused(refusal));
        }
        let again = self.without_parses(asked);
        attempt(self, &again).await
    }

    /// Waits on the wire for a person. Only a notice goes out meanwhile.
    async fn wait_for(&mut self, hold: &HoldId, refusal: &Refusal) -> Result<bool, Halt> {
        {
            let said = Said {
                severity: "NOTICE",
                sqlstate: "TG001",
                message: &format!("{} Waiting for a person.", refusal.line),
                detail: None,
                hint: None,
            };
            let mut link = self.adapter.link.lock().await;
            write::notice_response(&mut link.client.out, &said);
            link.client.flush().await?;
        }
        Ok(self.pipeline.approved(&self.caller, hold).await)
    }

    /// Where statements of a series were prepared under a name already, they are prepared anew.
    fn without_parses(&self, asked: &Asked) -> Asked {
        let mut again = asked.clone();
        if let Sending::Series(messages) = &mut again.sending {
            let named = super::series::closing_parses(messages);
            messages.splice(0..0, named);
        }
        again
    }

    /// What no transaction takes back: submitted first, and sent as it is.
    fn send_whole<'s>(&'s mut self, asked: &'s Asked) -> Later<'s, Result<(), Halt>> {
        Box::pin(async move {
            let closures = self.close(asked).await?;
            let mut script = Script::default();
            asked.put(&mut script, false);
            if asked.is_series() {
                script.sync(Route::Agent);
            }
            self.submit_unrun(asked, &closures, Plan::Send(script))
                .await
        })
    }

    /// Tries it in a transaction of ours, measures, and submits the commit.
    fn try_whole<'s>(&'s mut self, asked: &'s Asked) -> Later<'s, Result<(), Halt>> {
        Box::pin(async move {
            let closures = self.close(asked).await?;
            match self.prospect(asked, &closures, asked.steps.clone()).await? {
                Prospect::Trial(leave) => self.trial(leave, asked, &closures, "BEGIN").await,
                Prospect::Held(leave) if asked.only_rows() => {
                    self.trial(leave, asked, &closures, BRIEFLY).await
                }
                Prospect::Held(_) | Prospect::Refused => {
                    self.submit_unrun(asked, &closures, Plan::Look).await
                }
            }
        })
    }

    /// Asks whether something may be tried.
    pub(super) async fn prospect(
        &mut self,
        asked: &Asked,
        closures: &[Arc<Closure>],
        steps: Vec<Step>,
    ) -> Result<Prospect, Halt> {
        let unit = self.unit(steps);
        let attempt = self.attempt(&unit);
        let targets = self.targets(asked, closures, Seen::Foreseen);
        self.adapter.stage(Staged {
            exact: Self::exact_of(&attempt),
            targets,
            measured: false,
            can_be_tried: true,
            plan: Plan::Look,
        });
        Ok(self.pipeline.prospect(&self.caller, attempt).await?)
    }

    /// Submits something that did not run: what it would do is looked up.
    async fn submit_unrun(
        &mut self,
        asked: &Asked,
        closures: &[Arc<Closure>],
        plan: Plan,
    ) -> Result<(), Halt> {
        let unit = self.unit(asked.steps.clone());
        let attempt = self.attempt(&unit);
        let targets = self.impact(asked, closures).await?;
        self.adapter.stage(Staged {
            exact: Self::exact_of(&attempt),
            targets,
            measured: false,
            can_be_tried: false,
            plan,
        });
        match self.pipeline.submit_at_once(&self.caller, attempt).await {
            Answer::Refused(refusal) => Err(Halt::Refused(Box::new(refusal))),
            Answer::Reply(done) => {
                self.block.follow(done.answers.status);
                self.ran(asked, closures);
                match done.answers.error {
                    None => Ok(()),
                    Some(_) => Err(Halt::Failed),
                }
            }
        }
    }

    async fn trial(
        &mut self,
        _leave: Clearance,
        asked: &Asked,
        closures: &[Arc<Closure>],
        begin: &str,
    ) -> Result<(), Halt> {
        let mut script = Script::default();
        script.own_query(begin);
        let mut measure = Measure::default();
        for question in closures.iter().filter_map(|it| measure.before(it)) {
            script.own_query(&question);
        }
        asked.put(&mut script, true);
        if asked.is_series() {
            script.sync(Route::Agent);
        }
        let answers = self.exchange(script).await?;
        self.catalog_moved(asked, closures);
        if answers.error.is_some() || answers.own_error.is_some() {
            self.roll_back().await?;
            return Err(Halt::Failed);
        }
        let mut steps = asked.steps.clone();
        if let (Some(copied), Some(last)) = (answers.copied, steps.last_mut()) {
            last.copied = Some(copied);
        }
        for rows in &answers.rows {
            measure.began(rows)?;
        }
        let ending = Ending {
            sql: "COMMIT",
            asked,
            closures,
            steps,
            measure,
        };
        self.commit(ending).await?;
        let mut link = self.adapter.link.lock().await;
        link.client.out.extend_from_slice(&answers.kept);
        Ok(())
    }

    /// Follows what ran: names may mean something else now.
    pub(super) fn ran(&mut self, asked: &Asked, closures: &[Arc<Closure>]) {
        self.catalog_moved(asked, closures);
        if self.block.work().is_none() {
            self.catalog.settled();
        }
    }
}
