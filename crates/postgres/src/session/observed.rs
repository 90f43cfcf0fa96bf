//! Observing: everything passes as it came, and is recorded with the verdict that it would have had.

use std::sync::Arc;

use tagout_core::pipeline::Answer;

use super::Session;
use super::asked::{Asked, Control, Sending, observes};
use super::ground::Seen;
use super::halt::Halt;
use super::script::{Route, Script};
use crate::adapter::{Plan, Staged};
use crate::understand::statement::Statement;
use crate::unit::Step;

impl Session {
    pub(super) async fn observed_query(
        &mut self,
        sql: &str,
        statements: Option<Arc<[Statement]>>,
    ) -> Result<(), Halt> {
        let understood = statements.is_some();
        let statements = statements.unwrap_or_else(|| Arc::from([]));
        let asked = Asked {
            statements: statements
                .iter()
                .map(|it| self.prepared.effective(it))
                .collect(),
            steps: vec![Step::plain(sql)],
            sending: Sending::Simple(sql.to_owned()),
        };
        if understood && statements.iter().all(is_harmless) {
            self.pass(&asked).await?;
        } else {
            self.observed(&asked).await?;
        }
        self.prepared.follow(&statements);
        Ok(())
    }

    /// Passes it, recorded: what changes something, before it is sent.
    pub(super) async fn observed(&mut self, asked: &Asked) -> Result<(), Halt> {
        if asked.steps.is_empty() {
            return self.pass(asked).await;
        }
        if !asked.statements.is_empty() && asked.statements.iter().all(|it| observes(it)) {
            let _leave = self.may_read(asked, &[]).await?;
            return self.pass(asked).await;
        }
        let unit = self.unit(asked.steps.clone());
        let attempt = self.attempt(&unit);
        self.adapter.stage(Staged {
            exact: Self::exact_of(&attempt),
            targets: self.targets(asked, &[], Seen::Foreseen),
            measured: false,
            can_be_tried: false,
            plan: Plan::Send(whole(asked)),
        });
        match self.pipeline.submit_at_once(&self.caller, attempt).await {
            Answer::Refused(refusal) => Err(Halt::Refused(Box::new(refusal))),
            Answer::Reply(done) => {
                self.parsed = done.answers.parsed;
                self.block.follow(done.answers.status);
                match done.answers.error {
                    None => Ok(()),
                    Some(_) => Err(Halt::Failed),
                }
            }
        }
    }

    async fn pass(&mut self, asked: &Asked) -> Result<(), Halt> {
        let answers = self.exchange(whole(asked)).await?;
        self.block.follow(answers.status);
        match answers.error {
            None => Ok(()),
            Some(_) => Err(Halt::Failed),
        }
    }
}

fn is_harmless(statement: &Statement) -> bool {
    Control::of(statement).is_some()
}

fn whole(asked: &Asked) -> Script {
    let mut script = Script::default();
    asked.put(&mut script, false);
    if asked.is_series() {
        script.sync(Route::Agent);
    }
    script
}
