//! The engine as protocols with sessions see it: leave to read, leave to try, and the commit as the
//! operation. Whatever is in effect goes the same way as everywhere else, through [`Lane::carry_out`].

use std::sync::Arc;
use std::time::Duration;

use tagout_core::grant::Connection;
use tagout_core::hold::HoldState;
use tagout_core::ids::{ConnectionId, HoldId, UpstreamName};
use tagout_core::operation::Attempt;
use tagout_core::permit::{Basis, Clearance, Errand, ErrandPermit, TrialPermit};
use tagout_core::pipeline::{Adapter, Answer, Caller, Later, Peer};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::session::{Again, Prospect, Reading, ScramKeys, Sessions};
use tagout_core::verdict::{Mode, Verdict};
use tagout_policy::observe;
use tagout_seal::EngineSeal;

use crate::carry::mint;
use crate::challenge::scram_keys;
use crate::engine::Engine;
use crate::judge::Under;
use crate::lane::{Case, Lane, Stopped, admit_as_is, advisory_refused, refused};
use crate::stop::Stop;

impl<A: Adapter> Sessions<A::Reply> for Lane<A> {
    fn admit_connection(
        &self,
        connection: &ConnectionId,
        peer: &Peer,
    ) -> Result<Caller, Box<Refusal>> {
        self.engine.proven(connection, peer)
    }

    fn reading<'a>(
        &'a self,
        caller: &'a Caller,
        attempt: Attempt,
    ) -> Later<'a, Result<Arc<dyn Reading>, Box<Refusal>>> {
        Box::pin(async {
            let case = self.look_at(caller, attempt);
            self.or_recorded(caller, case, |case| self.leave_to_read(case))
                .await
        })
    }

    fn leave_to_sign_in(
        &self,
        caller: &Caller,
        upstream: &UpstreamName,
    ) -> Result<Clearance, Box<Refusal>> {
        self.engine.may_state(caller)?;
        let permit = ErrandPermit::mint(EngineSeal::new(), upstream.clone(), Errand::SignIn);
        Ok(Clearance::Errand(permit))
    }

    fn prospect<'a>(
        &'a self,
        caller: &'a Caller,
        attempt: Attempt,
    ) -> Later<'a, Result<Prospect, Box<Refusal>>> {
        Box::pin(async {
            let case = self.look_at(caller, attempt);
            let foreseen = async { self.foresee(case.await?.as_ref()).await };
            match foreseen.await {
                Ok(prospect) => Ok(prospect),
                Err(stop) => Err(self.recorded(caller, stop).await),
            }
        })
    }

    fn submit_at_once<'a>(
        &'a self,
        caller: &'a Caller,
        attempt: Attempt,
    ) -> Later<'a, Answer<A::Reply>> {
        let at_once = Self {
            waits: false,
            ..self.clone()
        };
        Box::pin(async move { at_once.run(caller, attempt).await })
    }

    fn approved<'a>(&'a self, caller: &'a Caller, hold: &'a HoldId) -> Later<'a, bool> {
        Box::pin(self.engine.approved_in_time(caller, hold))
    }

    fn scram_keys(
        &self,
        connection: &ConnectionId,
        salt: &[u8],
        iterations: u32,
    ) -> Option<ScramKeys> {
        let token = self.engine.token(connection)?;
        // A token is plain ASCII, so that preparing it would change nothing.
        Some(scram_keys(token.as_bytes(), salt, iterations))
    }
}

impl<A: Adapter> Lane<A> {
    /// Understood, resolved and judged, and nothing more.
    async fn look_at(&self, caller: &Caller, attempt: Attempt) -> Stopped<Arc<Case>> {
        let connection = self.engine.may_state(caller)?;
        self.engine.note_use(&caller.connection).await;
        let id = self.engine.new_operation_id()?;
        let case = self
            .understand(&connection, attempt, id, Under::Best)
            .await?;
        if case.judged.upstream.mode == Mode::Strict && caller.advisory {
            return Err(advisory_refused(&case));
        }
        Ok(case)
    }

    fn leave_to_read(&self, case: Arc<Case>) -> Stopped<Arc<dyn Reading>> {
        if !case.judged.only_observes() {
            return Err(Stop::new(
                RefusalKind::Denied,
                "this is not only reading. It was not executed.",
            ));
        }
        may_be_read(&case)?;
        Ok(Arc::new(Leave {
            engine: Arc::clone(&self.engine),
            case,
        }))
    }

    /// Whether it may be tried. What is certain to be held or refused is not tried, unless people have
    /// approved it.
    async fn foresee(&self, case: &Case) -> Stopped<Prospect> {
        let observed = case.judged.upstream.mode == Mode::Observe;
        let prospect = match &case.judged.verdict {
            _ if observed => Prospect::Trial(trial_of(case)),
            _ if case.judged.tripped.is_some() => Prospect::Refused,
            Verdict::Allow { .. } => Prospect::Trial(trial_of(case)),
            Verdict::Deny { .. } => Prospect::Refused,
            Verdict::Hold { .. } => self.foresee_hold(case).await?,
        };
        Ok(prospect)
    }

    /// What was asked before is not tried again to hear the same, unless people said yes.
    async fn foresee_hold(&self, case: &Case) -> Stopped<Prospect> {
        let hold = self.engine.store.latest_hold(case.judged.digest).await?;
        let state = hold.map(|hold| hold.state);
        Ok(match state {
            Some(HoldState::Approved) => Prospect::Trial(trial_of(case)),
            Some(HoldState::Pending | HoldState::Denied | HoldState::Scheduled) => {
                Prospect::Refused
            }
            Some(_) | None => Prospect::Held(trial_of(case)),
        })
    }

    async fn or_recorded<T>(
        &self,
        caller: &Caller,
        case: impl Future<Output = Stopped<Arc<Case>>> + Send,
        then: impl FnOnce(Arc<Case>) -> Stopped<T> + Send,
    ) -> Result<T, Box<Refusal>> {
        match case.await.and_then(then) {
            Ok(done) => Ok(done),
            Err(stop) => Err(self.recorded(caller, stop).await),
        }
    }

    async fn recorded(&self, caller: &Caller, stop: Stop) -> Box<Refusal> {
        match self.engine.new_operation_id() {
            Ok(id) => Box::new(self.engine.record_stop(caller, id, stop).await),
            Err(_) => stop.refusal,
        }
    }
}

fn trial_of(case: &Case) -> Clearance {
    let operation = &case.resolved.operation;
    Clearance::Trial(TrialPermit::mint(
        EngineSeal::new(),
        operation.upstream.clone(),
        operation.exact.digest(),
    ))
}

/// Whether a read is allowed as it is. One that would be held is refused: nobody is asked about reading.
fn may_be_read(case: &Case) -> Stopped<()> {
    if case.judged.upstream.mode == Mode::Observe {
        let observed = observe(&case.judged.questions, &case.judged.policies);
        return match observed.verdict {
            Verdict::Deny { reason, instead } => Err(refused(case, &reason, instead)),
            Verdict::Allow { .. } | Verdict::Hold { .. } => Ok(()),
        };
    }
    match &case.judged.verdict {
        Verdict::Allow { safeguards, .. } => admit_as_is(case, safeguards),
        Verdict::Hold { reason, .. } => Err(refused(case, reason, None)),
        Verdict::Deny { reason, instead } => Err(refused(case, reason, instead.clone())),
    }
}

/// Leave to read the same thing again and again.
struct Leave {
    engine: Arc<Engine>,
    case: Arc<Case>,
}

impl Reading for Leave {
    fn again(&self) -> Result<Clearance, Again> {
        let engine = &self.engine;
        if engine.is_stopped() {
            return Err(refusing(Stop::frozen()));
        }
        if !engine.still_stands(&self.case.judged) {
            return Err(Again::Moved);
        }
        let operation = &self.case.resolved.operation;
        let mut permit = mint(
            &self.case,
            operation,
            Basis::Policy(self.case.judged.policy()),
        );
        permit = permit.for_operation(
            EngineSeal::new(),
            engine
                .new_operation_id()
                .map_err(|error| refusing(error.into()))?,
        );
        let queued = engine.record.read(permit, &self.case.judged);
        queued
            .map(Clearance::Read)
            .map_err(|error| refusing(error.into()))
    }
}

fn refusing(stop: Stop) -> Again {
    Again::Refused(stop.refusal)
}

impl Engine {
    /// Whether a caller may state anything now: as for an attempt, at the pace of statements.
    fn may_state(&self, caller: &Caller) -> Result<Arc<Connection>, Stop> {
        if self.is_stopped() {
            return Err(Stop::frozen());
        }
        let now_ms = self.clock.monotonic_ms();
        let paced = self.statements.take(&caller.connection, now_ms);
        paced.map_err(Stop::rate)?;
        self.alive(caller)
    }

    async fn approved_in_time(&self, caller: &Caller, hold: &HoldId) -> bool {
        let Ok(_place) = self.waiting.try_acquire() else {
            return false;
        };
        let mine = |hold: &tagout_core::card::Hold| hold.connection == caller.connection;
        let limit = Duration::from_millis(self.settings.wait_on_wire_ms);
        let decided = tokio::time::timeout(limit, self.until_decided(hold)).await;
        matches!(decided, Ok(Ok(hold)) if mine(&hold) && hold.state == HoldState::Approved)
    }
}
