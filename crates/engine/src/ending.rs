//! Stopping and taking away: freeze, revocation, and what a crash left of either. Everything here only
//! makes things safer, so none of it asks for a person, and none of it stops at the first failure.

use std::sync::Arc;

use tagout_core::card::Hold;
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::{ConnectionId, FreezeId, GrantId};
use tagout_core::store::{Freeze, StoreError};
use tagout_core::untrusted::Untrusted;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::leaf::Leaf;
use crate::notice::Notice;
use crate::random::random;

const FROZEN: &str = "everything was frozen";
const REVOKED: &str = "its connection or grant was revoked";

impl Engine {
    /// Stops everything: nothing is sent from the moment this returns. What is on its way may finish
    /// for a moment and is then cut off.
    ///
    /// # Errors
    /// [`EngineError`] when the freeze could not be stored or recorded. It is in force all the same,
    /// until the process ends.
    pub async fn freeze(&self, by: Untrusted, reason: Untrusted) -> Result<FreezeId, EngineError> {
        self.gate.close();
        let engine = self.me()?;
        // On its own, so that it ends even if whoever asked for it hangs up.
        let frozen = tokio::spawn(async move { engine.finish_freeze(by, reason).await });
        frozen.await.unwrap_or(Err(EngineError::Gone))
    }

    async fn finish_freeze(
        self: Arc<Self>,
        by: Untrusted,
        reason: Untrusted,
    ) -> Result<FreezeId, EngineError> {
        self.holds_changed.notify_waiters();
        let freeze = Freeze {
            id: FreezeId::from_bits(random().map_err(EngineError::Random)?),
            since: self.clock.now(),
            by: by.clone(),
            reason,
        };
        let (stored, ()) = tokio::join!(self.store.freeze(freeze), self.gate.empty());
        let freeze = stored?.id;
        let reloaded = self.reload_and(|| self.gate.order_is_stored()).await;
        let cancelled = self.cancel_scheduled().await;
        self.tell(Notice::Frozen {
            freeze: freeze.clone(),
        });
        let leaf = Leaf::Frozen {
            freeze: freeze.clone(),
            by: by.to_string(),
        };
        self.record.note(&leaf).await?;
        reloaded.and(cancelled).map(|()| freeze)
    }

    /// A freeze cancels what is scheduled: a thaw must not set off what nobody thinks of any more.
    async fn cancel_scheduled(&self) -> Result<(), EngineError> {
        for hold in self.store.list_holds(0).await? {
            if hold.state == HoldState::Scheduled {
                self.end_hold(&hold, HoldEvent::Cancel, FROZEN).await;
            }
        }
        Ok(())
    }

    /// Takes a hold to its end, unless somebody else was first.
    async fn end_hold(&self, hold: &Hold, event: HoldEvent, why: &str) {
        let step = self
            .store
            .step(&hold.id, hold.state, event, Some(why.to_owned()));
        match step.await {
            Ok(ended) => self.note_step(&ended, why).await,
            Err(StoreError::Settled(_) | StoreError::Step(_)) => {}
            Err(error) => tracing::error!(%error, hold = %hold.id, "a hold could not be ended"),
        }
    }

    /// Ends a connection and what was narrowed from it, at once.
    ///
    /// # Errors
    /// [`EngineError`] when it could not be stored or recorded.
    pub async fn revoke_connection(&self, id: &ConnectionId) -> Result<(), EngineError> {
        let connections = self.store.revoke_connection(id).await?;
        self.ended(connections, Vec::new()).await
    }

    /// Ends a grant and what was narrowed from it, at once.
    ///
    /// # Errors
    /// [`EngineError`] when it could not be stored or recorded.
    pub async fn revoke_grant(&self, id: &GrantId) -> Result<(), EngineError> {
        let grants = self.store.revoke_grant(id).await?;
        self.ended(Vec::new(), grants).await
    }

    /// What was revoked in the store is so here as well, and nothing of it waits any more.
    async fn ended(
        &self,
        connections: Vec<ConnectionId>,
        grants: Vec<GrantId>,
    ) -> Result<(), EngineError> {
        let reloaded = self.reload().await;
        self.holds_changed.notify_waiters();
        let withdrawn = self.withdraw_revoked().await;
        self.holds_changed.notify_waiters();
        let leaf = Leaf::Revoked {
            connections,
            grants,
        };
        self.record.note(&leaf).await?;
        reloaded.and(withdrawn)
    }

    /// Ends every open hold whose connection or grant is not in force any more.
    async fn withdraw_revoked(&self) -> Result<(), EngineError> {
        let in_force = self.in_force();
        for hold in self.store.list_holds(0).await? {
            let stands = in_force.connection(&hold.connection).is_some()
                && hold
                    .grant
                    .as_ref()
                    .is_none_or(|grant| in_force.grant(grant).is_some());
            let event = match hold.state {
                HoldState::Scheduled => HoldEvent::Cancel,
                _ => HoldEvent::Withdraw,
            };
            if !stands && hold.state != HoldState::Executing {
                self.end_hold(&hold, event, REVOKED).await;
            }
        }
        Ok(())
    }

    /// Finishes what a crash left of a freeze or a revocation.
    pub(crate) async fn end_leftovers(&self) -> Result<(), EngineError> {
        self.withdraw_revoked().await?;
        if self.is_stopped() {
            self.cancel_scheduled().await?;
        }
        Ok(())
    }
}
