//! The first steps of an attempt, before anything is understood: token, connection, freeze, rate.

use std::sync::Arc;

use tagout_core::effect::Effect;
use tagout_core::grant::Connection;
use tagout_core::ids::{ConnectionId, GrantId, OperationId};
use tagout_core::operation::Attempt;
use tagout_core::pipeline::{Caller, Peer, Stray};
use tagout_core::proposal::Upstream;
use tagout_core::refusal::{Refusal, RefusalKind};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::leaf::Leaf;
use crate::notice::Notice;
use crate::stop::Stop;
use crate::token;

/// What an agent is told whose token does not work. Not the upstream's refusal, and not to be solved
/// with another credential.
const NO_TOKEN: &str = "this request carries no valid Tagout token (`tgo_…`). The upstream was not asked. Another credential will not help; ask the person who set up this connection.";

impl Engine {
    /// Checks a token, in constant time and without IO.
    pub(crate) fn check_token(&self, token: &str, peer: &Peer) -> Result<Caller, Box<Refusal>> {
        let refusal = || Box::new(Refusal::new(RefusalKind::Token, NO_TOKEN));
        let parsed = token::parse(token).ok_or_else(refusal)?;
        let in_force = self.in_force();
        let connection = in_force.connection(&parsed.connection);
        let version = connection.map_or(u32::MAX, |connection| connection.token_version);
        let opens = parsed.opens(&self.token_key, version);
        let alive = connection.is_some_and(|connection| self.is_alive(connection));
        if !(opens && alive) {
            return Err(refusal());
        }
        Ok(Caller {
            connection: parsed.connection,
            advisory: self.shares_our_user(peer),
        })
    }

    /// Whether the caller may try anything at all now.
    pub(crate) fn may_try(&self, caller: &Caller) -> Result<Arc<Connection>, Stop> {
        if self.is_stopped() {
            return Err(Stop::frozen());
        }
        let rate = self
            .attempts
            .take(&caller.connection, self.clock.monotonic_ms());
        rate.map_err(Stop::rate)?;
        self.alive(caller)
    }

    /// The caller's connection, if its token still opens anything.
    pub(crate) fn alive(&self, caller: &Caller) -> Result<Arc<Connection>, Stop> {
        let in_force = self.in_force();
        let connection = in_force.connection(&caller.connection);
        let alive = connection.filter(|connection| self.is_alive(connection));
        alive
            .cloned()
            .ok_or_else(|| Stop::new(RefusalKind::Token, NO_TOKEN))
    }

    /// The caller behind a connection whose token was proven without being shown.
    pub(crate) fn proven(
        &self,
        connection: &ConnectionId,
        peer: &Peer,
    ) -> Result<Caller, Box<Refusal>> {
        let caller = Caller {
            connection: connection.clone(),
            advisory: self.shares_our_user(peer),
        };
        self.alive(&caller).map_err(|stop| stop.refusal)?;
        Ok(caller)
    }

    fn shares_our_user(&self, peer: &Peer) -> bool {
        peer.uid.is_some() && peer.uid == self.settings.own_uid
    }

    /// Whether the caller may still hear what was asked before.
    pub(crate) fn may_hear(&self, caller: &Caller) -> bool {
        let in_force = self.in_force();
        let connection = in_force.connection(&caller.connection);
        !self.is_stopped() && connection.is_some_and(|connection| self.is_alive(connection))
    }

    pub(crate) fn upstream_of(&self, attempt: &Attempt) -> Result<Arc<Upstream>, Stop> {
        let unknown = || {
            let line = format!(
                "`{}` is not a registered upstream. Nothing was sent.",
                attempt.upstream
            );
            Stop::new(RefusalKind::Denied, &line).because("no such upstream")
        };
        self.in_force()
            .upstream(&attempt.upstream)
            .cloned()
            .ok_or_else(unknown)
    }

    /// Records why an operation stopped, and gives what the agent is told. Where even that can't be
    /// recorded it is told all the same: a refusal needs no room.
    pub(crate) async fn record_stop(
        &self,
        caller: &Caller,
        op: OperationId,
        stop: Stop,
    ) -> Refusal {
        if !stop.recorded {
            let what = stop.what.map(|what| *what);
            let leaf = Leaf::Refused {
                op,
                kind: stop.refusal.kind,
                connection: caller.connection.clone(),
                reason: stop.reason,
                what,
            };
            let leaf = leaf.fitting(self.clock.now());
            self.note_refusal(Some(&caller.connection), &leaf).await;
        }
        *stop.refusal
    }

    /// Stops a grant whose budget is used up.
    pub(crate) async fn trip(&self, grant: &GrantId, effect: Effect) -> Result<(), EngineError> {
        self.store.trip_grant(grant).await?;
        self.reload().await?;
        self.record
            .note(&Leaf::Tripped {
                grant: grant.clone(),
                effect,
            })
            .await?;
        self.tell(Notice::Tripped {
            grant: grant.clone(),
        });
        Ok(())
    }

    /// Records a stray credential and tells somebody.
    pub(crate) async fn record_stray(&self, caller: Option<&Caller>, stray: Stray) -> Refusal {
        let line = format!(
            "a credential that is not a Tagout token came in {} for {}. It was not forwarded, and a person was told. Take it out of the agent's reach; use the `tgo_` token alone.",
            stray.place, stray.host
        );
        let connection = caller.map(|caller| &caller.connection);
        let leaf = Leaf::Stray {
            connection: connection.cloned(),
            upstream: stray.upstream,
            place: stray.place,
        };
        self.note_refusal(connection, &leaf).await;
        self.tell(Notice::Stray { line: line.clone() });
        Refusal::new(RefusalKind::Denied, &line)
    }
}
