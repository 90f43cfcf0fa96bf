//! What happens by itself: expiry, scheduled operations, and bookkeeping.

use std::sync::{Arc, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tagout_core::card::Hold;
use tagout_core::hold::HoldEvent;
use tagout_core::ids::HoldId;
use tagout_core::operation::Attempt;
use tagout_core::pipeline::Adapter;
use tagout_core::refusal::RefusalKind;

use crate::carry::line_of;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::judge::Under;
use crate::lane::{Case, Lane, Stopped};
use crate::leaf::Leaf;
use crate::stop::Stop;

impl<A: Adapter> Lane<A> {
    /// Expires what waited too long, and starts what was scheduled and whose time has come. Called by
    /// the composition root a few times a second; never waits for an upstream.
    ///
    /// # Errors
    /// [`EngineError`] when the store can't be used.
    pub async fn tick(&self) -> Result<(), EngineError> {
        let engine = &self.engine;
        for hold in engine.store.expire_holds(engine.clock.now()).await? {
            engine.note_step(&hold, "its time ran out").await;
        }
        engine.note_unrecorded().await;
        engine.book_spendings().await;
        engine.keep_mark_sometimes().await?;
        if engine.is_stopped() {
            return Ok(());
        }
        for hold in engine.store.due_holds(engine.clock.surely()).await? {
            if !self.adapter.serves(&hold.upstream) {
                continue;
            }
            if let Some(running) = Running::begin(engine, &hold.id) {
                let lane = self.clone();
                tokio::spawn(async move { lane.run_due(&hold, running).await });
            }
        }
        Ok(())
    }

    /// Runs one scheduled operation: understood, resolved and judged anew, and compared with what was
    /// signed, exactly as if the agent had come back.
    async fn run_due(&self, hold: &Hold, _running: Running) {
        let ran = match self.understand_due(hold).await {
            Ok(case) => self.run_chosen(&case, hold).await,
            // Asked again at the next tick.
            Err(stop) if self.engine.is_stopped() || stop.refusal.kind == RefusalKind::Rate => {
                Err(stop)
            }
            Err(stop) => Err(self
                .engine
                .undo_approval(hold, HoldEvent::Drift, &stop.reason)
                .await),
        };
        self.engine.holds_changed.notify_waiters();
        match ran {
            Ok(executed) => {
                let outcome = line_of(&executed.outcome);
                tracing::info!(hold = %hold.id, outcome, "a scheduled operation ran");
            }
            Err(stop) => {
                tracing::warn!(hold = %hold.id, reason = %stop.reason, "a scheduled operation did not run");
            }
        }
    }

    async fn understand_due(&self, hold: &Hold) -> Stopped<Arc<Case>> {
        let unreadable = |_| Stop::new(RefusalKind::Denied, "its bytes can't be read any more");
        let attempt = Attempt {
            upstream: hold.upstream.clone(),
            bytes: STANDARD.decode(&hold.attempt).map_err(unreadable)?.into(),
        };
        let in_force = self.engine.in_force();
        let connection = in_force.connection(&hold.connection);
        let connection = connection.ok_or_else(Stop::revoked)?;
        let id = self.engine.new_operation_id()?;
        let under = Under::AsAsked(hold.grant.as_ref());
        self.understand(connection, attempt, id, under).await
    }
}

/// One scheduled hold that is being run, so that the next tick leaves it alone.
struct Running {
    engine: Arc<Engine>,
    hold: HoldId,
}

impl Running {
    fn begin(engine: &Arc<Engine>, hold: &HoldId) -> Option<Self> {
        let running = engine.running.lock();
        let mut running = running.unwrap_or_else(PoisonError::into_inner);
        running.insert(hold.clone()).then(|| Self {
            engine: Arc::clone(engine),
            hold: hold.clone(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let running = self.engine.running.lock();
        let mut running = running.unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.hold);
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
}
