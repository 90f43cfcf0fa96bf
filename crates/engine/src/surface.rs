//! The engine as protocol crates see it.

use tagout_core::hold::HoldState;
use tagout_core::ids::{HoldId, ProposalId};
use tagout_core::operation::Attempt;
use tagout_core::pipeline::{
    Adapter, Answer, Caller, GrantRequest, HoldStatus, Later, Peer, Pipeline, Stray,
};
use tagout_core::refusal::{Refusal, RefusalKind};

use crate::engine::Engine;
use crate::lane::Lane;
use crate::stop::Stop;

impl<A: Adapter> Pipeline<A::Reply> for Lane<A> {
    fn admit(&self, token: &str, peer: &Peer) -> Result<Caller, Box<Refusal>> {
        self.engine.check_token(token, peer)
    }

    fn goes_on(&self, caller: &Caller) -> bool {
        self.engine.may_hear(caller)
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

    fn request_grant<'a>(
        &'a self,
        caller: &'a Caller,
        request: GrantRequest,
    ) -> Later<'a, Result<ProposalId, Box<Refusal>>> {
        Box::pin(async {
            let asked = self.engine.ask_for_grant(caller, request).await;
            Ok(asked?)
        })
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

impl From<Stop> for Box<Refusal> {
    fn from(stop: Stop) -> Self {
        stop.refusal
    }
}
