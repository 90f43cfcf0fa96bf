//! Leave to read, remembered for as long as nothing that it rests on has changed.

use std::sync::Arc;

use tagout_core::permit::Clearance;
use tagout_core::session::{Again, Reading};

use super::Session;
use super::asked::Asked;
use super::exchange::Answers;
use super::ground::Seen;
use super::halt::Halt;
use super::script::{BEGIN_READING, COMMIT, Route, Script};
use crate::adapter::{Plan, Staged};
use crate::catalog::closure::Closure;
use crate::error::PostgresError;
use crate::unit::Step;
use crate::wire::server::Status;

/// Reads that a session remembers; beyond that it begins anew.
const REMEMBERED: usize = 2048;

/// The server refuses to change something in a read-only transaction.
const READ_ONLY: &str = "25006";

/// The server knows no such statement.
const NO_SUCH_STATEMENT: &str = "26000";

/// A read that was judged.
pub(crate) struct Remembered {
    closures: Vec<Arc<Closure>>,
    reading: Arc<dyn Reading>,
}

impl Remembered {
    fn is_of(&self, closures: &[Arc<Closure>]) -> bool {
        self.closures.len() == closures.len()
            && self
                .closures
                .iter()
                .zip(closures)
                .all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

/// How a read ended.
pub(crate) enum Ran {
    /// It is done, or the agent knows why not.
    Done,
    /// It changes something after all: nothing happened, and the agent knows of nothing.
    Disguised,
}

impl Session {
    /// Leave to read this once.
    pub(super) async fn may_read(
        &mut self,
        asked: &Asked,
        closures: &[Arc<Closure>],
    ) -> Result<Clearance, Halt> {
        let key = asked.text();
        if let Some(known) = self.reads.get(&key)
            && known.is_of(closures)
        {
            match known.reading.again() {
                Ok(clearance) => return Ok(clearance),
                Err(Again::Refused(refusal)) => return Err(refusal.into()),
                Err(Again::Moved) => {}
            }
        }
        let reading = self.ask_to_read(asked, closures).await?;
        let cleared = reading.again();
        if self.reads.len() >= REMEMBERED {
            self.reads.clear();
        }
        let closures = closures.to_vec();
        self.reads.insert(key, Remembered { closures, reading });
        match cleared {
            Ok(clearance) => Ok(clearance),
            Err(Again::Refused(refusal)) => Err(refusal.into()),
            Err(Again::Moved) => Err(Halt::denied(
                "the rights, the policy or the upstream changed at this moment. It was not executed; ask again.",
            )),
        }
    }

    /// What is read does not depend on parameters, so they are left out of what is judged.
    async fn ask_to_read(
        &mut self,
        asked: &Asked,
        closures: &[Arc<Closure>],
    ) -> Result<Arc<dyn Reading>, Halt> {
        let steps = asked.steps.iter().map(|step| Step::plain(&step.sql));
        let unit = self.unit(steps.collect());
        let attempt = self.attempt(&unit);
        let targets = self.targets(asked, closures, Seen::Foreseen);
        self.adapter.stage(Staged {
            exact: Self::exact_of(&attempt),
            targets,
            measured: false,
            can_be_tried: false,
            plan: Plan::Look,
        });
        Ok(self.pipeline.reading(&self.caller, attempt).await?)
    }

    /// Reads in a read-only transaction of our own, which the server keeps read-only whatever its functions
    /// claim to do.
    pub(super) async fn read_alone(
        &mut self,
        _leave: Clearance,
        asked: &Asked,
    ) -> Result<Ran, Halt> {
        self.own_statements().await?;
        let mut script = Script::default();
        script.own_prepared(BEGIN_READING);
        asked.put(&mut script, false);
        script.own_prepared(COMMIT);
        script.sync(if asked.is_series() {
            Route::Agent
        } else {
            Route::Own
        });
        let mark = self.client_mark().await;
        let answers = self.exchange_for_sign(script, READ_ONLY).await?;
        if answers.status != Status::Idle {
            self.roll_back().await?;
        }
        if answers.error.is_none() {
            began(&answers)?;
        }
        let given = answers.error.is_some();
        let own_error = answers
            .own_error
            .filter(|error| error.sqlstate != NO_SUCH_STATEMENT);
        match answers.error.or(own_error) {
            None => Ok(Ran::Done),
            Some(error) if error.sqlstate == READ_ONLY && !answers.delivered => {
                self.back_to(mark).await;
                Ok(Ran::Disguised)
            }
            Some(_) if given => Err(Halt::Failed),
            // What a cursor is held open for runs only when we commit.
            Some(error) => {
                self.back_to(mark).await;
                let mut link = self.adapter.link.lock().await;
                link.client.out.extend_from_slice(&error.frame);
                Err(Halt::Failed)
            }
        }
    }
}

/// What is not told by the agent's own messages: without our beginning nothing was read. What was read may
/// have forgotten our COMMIT; then it is rolled back, which is the same.
fn began(answers: &Answers) -> Result<(), Halt> {
    if answers.own_tags.first().map(String::as_str) == Some("BEGIN") {
        return Ok(());
    }
    Err(Halt::Broken(PostgresError::Confused(
        "our own statements are gone",
    )))
}
