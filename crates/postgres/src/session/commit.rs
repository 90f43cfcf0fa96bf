//! The end of a trial: measured, submitted, and committed or undone.

use std::sync::Arc;

use tagout_core::pipeline::Answer;

use super::Session;
use super::asked::Asked;
use super::exchange::{Answers, Row};
use super::ground::Seen;
use super::halt::Halt;
use super::script::Script;
use crate::adapter::{Plan, Staged};
use crate::catalog::closure::Closure;
use crate::catalog::measure::Measure;
use crate::unit::Step;

/// What is about to end.
pub(crate) struct Ending<'a> {
    /// How it is committed.
    pub(crate) sql: &'static str,
    pub(crate) asked: &'a Asked,
    pub(crate) closures: &'a [Arc<Closure>],
    /// All of it, with what was copied in.
    pub(crate) steps: Vec<Step>,
    /// What was noted at its beginning.
    pub(crate) measure: Measure,
}

/// The transaction's id among the rows of a measure, to ask later what became of it.
fn xid_in(rows: &[Row]) -> Option<u64> {
    let xid = rows
        .iter()
        .find(|row| row.first() == Some(&Some("xid".to_owned())))?;
    xid.get(4)?.as_ref()?.parse().ok()
}

impl Session {
    /// Commits what was tried if it may be, by what it was measured to have done; else undoes it.
    pub(super) async fn commit(&mut self, ending: Ending<'_>) -> Result<(), Halt> {
        let after = self.at_the_commit_point(&ending).await?;
        let rows = after.rows.last().cloned().unwrap_or_default();
        let measured = match ending.measure.measured(&rows) {
            Ok(measured) => measured,
            Err(why) => {
                self.roll_back().await?;
                return Err(why.into());
            }
        };
        let unit = self.unit(ending.steps);
        let attempt = self.attempt(&unit);
        let seen = Seen::Measured(&measured);
        let targets = self.targets(ending.asked, ending.closures, seen);
        self.adapter.stage(Staged {
            exact: Self::exact_of(&attempt),
            targets,
            measured: true,
            can_be_tried: true,
            plan: Plan::Commit {
                sql: ending.sql,
                xid: xid_in(&rows),
            },
        });
        match self.pipeline.submit_at_once(&self.caller, attempt).await {
            Answer::Reply(done) => self.committed(done.answers).await,
            Answer::Refused(refusal) => {
                self.roll_back().await?;
                Err(Halt::Refused(Box::new(refusal)))
            }
        }
    }

    /// Deferred constraints are checked now, so that what they do is measured and what they refuse is heard.
    async fn at_the_commit_point(&mut self, ending: &Ending<'_>) -> Result<Answers, Halt> {
        let mut script = Script::default();
        script
            .own_query("SET CONSTRAINTS ALL IMMEDIATE")
            .own_query(&ending.measure.after());
        let answers = self.exchange(script).await?;
        let Some(error) = &answers.own_error else {
            return Ok(answers);
        };
        {
            let mut link = self.adapter.link.lock().await;
            link.client.out.extend_from_slice(&error.frame);
        }
        self.roll_back().await?;
        Err(Halt::Failed)
    }

    async fn committed(&mut self, answers: Answers) -> Result<(), Halt> {
        self.catalog.settled();
        let Some(error) = answers.own_error else {
            return Ok(());
        };
        let mut link = self.adapter.link.lock().await;
        link.client.out.extend_from_slice(&error.frame);
        Err(Halt::Failed)
    }
}
