//! The engine as protocol crates see it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tagout_core::card::Hold;
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::HoldId;
use tagout_core::operation::Attempt;
use tagout_core::pipeline::{Adapter, Answer, Caller, HoldStatus, Later, Peer, Pipeline, Stray};
use tagout_core::refusal::{Refusal, RefusalKind};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::lane::{Lane, Stopped, line_of};
use crate::leaf::Leaf;
use crate::stop::Stop;

impl<A: Adapter> Pipeline<A::Reply> for Lane<A> {
    fn admit(&self, token: &str, peer: &Peer) -> Result<Caller, Box<Refusal>> {
        self.engine.check_token(token, peer)
    }

    fn submit<'a>(&'a self, caller: &'a Caller, attempt: Attempt) -> Later<'a, Answer<A::Reply>> {
        Box::pin(self.run(caller, attempt))
    }

    fn stray<'a>(&'a self, caller: Option<&'a Caller>, stray: Stray) -> Later<'a, Refusal> {
        Box::pin(self.engine.record_stray(caller, stray))
    }

    fn status<'a>(
        &'a self,
        caller: &'a Caller,
        hold: &'a HoldId,
    ) -> Later<'a, Result<HoldStatus, Box<Refusal>>> {
        Box::pin(self.engine.status_of(caller, hold))
    }
}

impl Engine {
    /// How one of the caller's own holds stands. Somebody else's is as if it were not there.
    async fn status_of(&self, caller: &Caller, id: &HoldId) -> Result<HoldStatus, Box<Refusal>> {
        let none = || Box::new(Refusal::new(RefusalKind::Denied, "there is no such hold."));
        let hold = self.store.hold(id).await.map_err(|_| none())?;
        if hold.connection != caller.connection {
            return Err(none());
        }
        Ok(HoldStatus {
            state: hold.state.word().to_owned(),
            advice: advice_for(hold.state).to_owned(),
            until: hold
                .run_at
                .or(Some(hold.card.expires))
                .map(|at| at.to_string()),
            outcome: hold.outcome,
            hold_id: hold.id,
        })
    }
}

const fn advice_for(state: HoldState) -> &'static str {
    match state {
        HoldState::Pending => "Wait for a person; go on with other work.",
        HoldState::Approved => "Repeat the identical request once; it will pass.",
        HoldState::Scheduled => "The gateway runs it at its time; do not repeat it.",
        HoldState::Executing => "It is being executed.",
        HoldState::Executed => "It was executed; do not repeat it.",
        HoldState::Failed => "It was not executed; look at the outcome.",
        HoldState::Unknown => "Nobody can know whether it happened; a person must look.",
        HoldState::Denied => "A person said no; do not try another way.",
        HoldState::Expired
        | HoldState::Withdrawn
        | HoldState::Lapsed
        | HoldState::Void
        | HoldState::Cancelled => "It is over; repeat the request if it is still needed.",
    }
}

impl<A: Adapter> Lane<A> {
    /// Expires what waited too long, and runs what was scheduled and whose time has come. Called by
    /// the composition root a few times a second.
    ///
    /// # Errors
    /// [`EngineError`] when the store can't be read.
    pub async fn tick(&self) -> Result<(), EngineError> {
        let now = self.engine.clock.now();
        for hold in self.engine.store.expire_holds(now).await? {
            self.engine.note_step(&hold, "its time ran out").await;
        }
        if self.engine.is_stopped() {
            return Ok(());
        }
        for hold in self.engine.store.due_holds(now).await? {
            if let Err(stop) = self.run_due(&hold).await {
                tracing::warn!(hold = %hold.id, reason = %stop.reason, "a scheduled operation did not run");
            }
        }
        Ok(())
    }

    /// Runs one scheduled operation: understood, resolved and judged anew, and compared with what was
    /// signed, exactly as if the agent had come back.
    async fn run_due(&self, hold: &Hold) -> Stopped<()> {
        let bytes = STANDARD.decode(&hold.attempt).unwrap_or_default();
        let attempt = Attempt {
            upstream: hold.upstream.clone(),
            bytes: bytes.into(),
        };
        let in_force = self.engine.in_force();
        let Some(connection) = in_force.connection(&hold.connection) else {
            let cancelled = self.engine.store.step(
                &hold.id,
                HoldState::Scheduled,
                HoldEvent::Cancel,
                Some("its connection was revoked".to_owned()),
            );
            cancelled.await?;
            return Ok(());
        };
        let id = self.engine.new_operation_id()?;
        let case = self
            .understand(connection, attempt, id, hold.grant.as_ref())
            .await?;
        let executed = self.run_chosen(&case, hold).await?;
        self.engine.tell_outcome(hold, &line_of(&executed.outcome));
        Ok(())
    }
}

impl Engine {
    /// Records that a hold took a step by itself, and rings for those who wait.
    pub(crate) async fn note_step(&self, hold: &Hold, why: &str) {
        self.holds_changed.notify_waiters();
        let state = hold.state.word();
        let leaf = Leaf::Stepped {
            hold: hold.id.clone(),
            state,
            why: why.to_owned(),
        };
        if let Err(error) = self.record.note(&leaf).await {
            tracing::error!(%error, hold = %hold.id, "a step could not be recorded");
        }
    }

    fn tell_outcome(&self, hold: &Hold, line: &str) {
        self.holds_changed.notify_waiters();
        tracing::info!(hold = %hold.id, outcome = line, "a scheduled operation ran");
    }
}

impl From<Stop> for Box<Refusal> {
    fn from(stop: Stop) -> Self {
        Self::new(stop.refusal)
    }
}
