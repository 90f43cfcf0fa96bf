//! The life of an operation: classify, resolve, judge, hold, record, execute, record.
//!
//! One lane for each protocol. The lane never interprets a protocol's bytes and never makes an
//! exception: every way to an upstream leads through [`Lane::carry_out`] or, for reads, [`Lane::read`].

use std::sync::Arc;

use tagout_core::grant::Connection;
use tagout_core::ids::OperationId;
use tagout_core::operation::Attempt;
use tagout_core::permit::{Basis, Clearance};
use tagout_core::pipeline::{Adapter, Answer, Caller, Executed, Outcome};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::resolved::Resolved;
use tagout_core::verdict::{Mode, Safeguard, Verdict};
use tagout_policy::{Evidence, SafeguardSet, admits, observe};

use crate::carry::{Ground, mint};
use crate::engine::Engine;
use crate::faults::FaultPoint;
use crate::gate::Way;
use crate::judge::{Judged, Terms, Under};
use crate::purses::Charge;
use crate::quota::ErrandsOf;
use crate::stop::Stop;

/// What an adapter really does by itself whenever it sends.
const ACHIEVED_BY_ADAPTERS: SafeguardSet = SafeguardSet::only(Safeguard::Redact);

/// When to ask again what could not be looked up.
const LOOK_UP_AGAIN_MS: u64 = 5_000;

/// The engine with one protocol's adapter.
pub struct Lane<A: Adapter> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) adapter: Arc<A>,
    /// Whether what is held waits on the wire for a person. Not while anything is locked.
    pub(crate) waits: bool,
}

impl<A: Adapter> Clone for Lane<A> {
    fn clone(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            adapter: Arc::clone(&self.adapter),
            waits: self.waits,
        }
    }
}

/// An operation that was judged, with all that led there.
pub(crate) struct Case {
    pub(crate) id: OperationId,
    pub(crate) attempt: Attempt,
    pub(crate) resolved: Resolved,
    pub(crate) judged: Judged,
}

impl Case {
    /// The safeguards beyond people and delay that may be counted as achieved for what was asked.
    pub(crate) fn achieved(&self) -> SafeguardSet {
        let before = self.resolved.achieved.iter().copied();
        ACHIEVED_BY_ADAPTERS.union(before.collect())
    }

    /// The operation in a line, escaped.
    pub(crate) fn summary(&self) -> String {
        self.resolved.operation.summary.cut(120)
    }
}

pub(crate) type Stopped<T> = Result<T, Stop>;

impl<A: Adapter> Lane<A> {
    /// A lane of `engine` for this adapter.
    #[must_use]
    pub const fn new(engine: Arc<Engine>, adapter: Arc<A>) -> Self {
        Self {
            engine,
            adapter,
            waits: true,
        }
    }

    pub(crate) async fn run(&self, caller: &Caller, attempt: Attempt) -> Answer<A::Reply> {
        let Ok(id) = self.engine.new_operation_id() else {
            return Answer::Refused(Refusal::new(RefusalKind::Unrecorded, "no randomness"));
        };
        match self.steps(caller, attempt, id.clone()).await {
            Ok(answer) => answer,
            Err(stop) => Answer::Refused(self.engine.record_stop(caller, id, stop).await),
        }
    }

    async fn steps(
        &self,
        caller: &Caller,
        attempt: Attempt,
        id: OperationId,
    ) -> Stopped<Answer<A::Reply>> {
        let connection = self.engine.may_try(caller)?;
        self.engine.note_use(&caller.connection).await;
        let case = self
            .understand(&connection, attempt, id, Under::Best)
            .await?;
        self.engine.reach(FaultPoint::Decided)?;
        if case.judged.upstream.mode == Mode::Strict && caller.advisory {
            return Err(advisory_refused(&case));
        }
        // A read that is not held has nothing to go on from, and is not worth a look into the store.
        if !case.judged.only_observes()
            && let Some(answer) = self.attach(caller, &case).await?
        {
            return Ok(answer);
        }
        self.act(caller, case).await
    }

    /// Classify, resolve, judge.
    pub(crate) async fn understand(
        &self,
        connection: &Arc<Connection>,
        attempt: Attempt,
        id: OperationId,
        under: Under<'_>,
    ) -> Stopped<Arc<Case>> {
        let engine = self.engine.as_ref();
        let upstream = engine.upstream_of(&attempt)?;
        let classified = self.adapter.classify(&attempt);
        let operation = classified.map_err(|ambiguous| Stop::ambiguous(&ambiguous))?;
        let observes = operation.only_observes();
        let errands = ErrandsOf::new(engine, &connection.id);
        let resolve = self.adapter.resolve(operation, &errands);
        let Way::Through(resolved) = engine.gate.pass(|| true, resolve).await else {
            return Err(Stop::frozen());
        };
        // What could not be looked up for now is no reason to hold it, or to void an approval.
        if errands.were_throttled() && !observes {
            return Err(Stop::rate(LOOK_UP_AGAIN_MS));
        }
        let offers = self.adapter.offers(&resolved.operation);
        let terms = Terms {
            offers: &offers,
            achieved: &resolved.achieved,
            under,
            derived: false,
        };
        let judged = engine
            .judge(
                connection,
                &upstream,
                &resolved.operation,
                &resolved.targets,
                terms,
            )
            .await?;
        Ok(Arc::new(Case {
            id,
            attempt,
            resolved,
            judged,
        }))
    }

    /// Does what the verdict says.
    async fn act(&self, caller: &Caller, case: Arc<Case>) -> Stopped<Answer<A::Reply>> {
        let verdict = &case.judged.verdict;
        if case.judged.upstream.mode == Mode::Observe {
            return self.observed(&case, verdict).await;
        }
        if let Some(grant) = &case.judged.tripped {
            let line = format!(
                "the budget of {grant} is used up and its task is stopped. This was not executed."
            );
            return Err(Stop::new(RefusalKind::Budget, &line).about(case.judged.what()));
        }
        match verdict {
            Verdict::Allow { safeguards, .. } => self.allowed(&case, safeguards).await,
            Verdict::Hold { .. } => self.hold(caller, &case).await,
            Verdict::Deny { reason, instead } => Err(refused(&case, reason, instead.clone())),
        }
    }

    /// Passes with the verdict it would have had, except for what passes in no mode.
    async fn observed(&self, case: &Arc<Case>, would_be: &Verdict) -> Stopped<Answer<A::Reply>> {
        let observed = observe(&case.judged.questions, &case.judged.policies);
        if let Verdict::Deny { reason, instead } = observed.verdict {
            return Err(refused(case, &reason, instead));
        }
        if case.judged.only_observes() {
            return self.read(case).await;
        }
        let ground = Ground {
            basis: Basis::Observed(would_be.word().to_owned()),
            hold: None,
            charge: None,
        };
        let (lane, case_of) = (self.clone(), Arc::clone(case));
        let sent = async move {
            let operation = &case_of.resolved.operation;
            lane.carry_out(&case_of, operation, ground).await
        };
        self.to_the_end(case, sent).await.map(answer_of)
    }

    async fn allowed(
        &self,
        case: &Arc<Case>,
        safeguards: &[Safeguard],
    ) -> Stopped<Answer<A::Reply>> {
        admit_as_is(case, safeguards)?;
        if case.judged.only_observes() {
            return self.read(case).await;
        }
        let (lane, case_of) = (self.clone(), Arc::clone(case));
        let sent = async move { lane.spend_and_send(&case_of).await };
        self.to_the_end(case, sent).await.map(answer_of)
    }

    async fn spend_and_send(&self, case: &Arc<Case>) -> Stopped<Executed<A::Reply>> {
        let charge = self.spend(case).await?;
        let ground = Ground {
            basis: Basis::Policy(case.judged.policy()),
            hold: None,
            charge: Some(&charge),
        };
        let sent = async {
            self.engine.reach(FaultPoint::Spent)?;
            self.carry_out(case, &case.resolved.operation, ground).await
        };
        let sent = sent.await;
        self.engine.give_back_unless_sent(&charge, &sent);
        sent
    }

    /// Books the budgets, or stops the task.
    async fn spend(&self, case: &Case) -> Stopped<Charge> {
        let standing = &case.judged.standing;
        let spent = self
            .engine
            .purses
            .spend(&standing.purses, case.judged.spending());
        let over = match spent {
            Ok(charge) => return Ok(charge),
            Err(over) => over,
        };
        let mut line = format!("{over}. This was not executed.");
        if let Some(grant) = &standing.grant {
            self.engine.trip(&grant.id, over.effect).await?;
            line.push_str(" The task is stopped.");
        }
        Err(Stop::new(RefusalKind::Budget, &line).about(case.judged.what()))
    }

    /// A read: queued for its group's record, streamed through.
    async fn read(&self, case: &Case) -> Stopped<Answer<A::Reply>> {
        let engine = &self.engine;
        let operation = &case.resolved.operation;
        let permit = mint(case, operation, Basis::Policy(case.judged.policy()));
        let queued = engine.record.read(permit, &case.judged)?;
        let sent = self.adapter.execute(Clearance::Read(queued), operation);
        let stands = || engine.still_stands(&case.judged);
        match engine.gate.pass(stands, sent).await {
            Way::Through(executed) => Ok(answer_of(executed)),
            Way::Cut => Err(Stop::frozen()),
            Way::Closed if engine.is_stopped() => Err(Stop::frozen()),
            Way::Closed => Err(Stop::moved()),
        }
    }
}

/// The verdict supposed that its safeguards are put in place; whether those that really are suffice is
/// asked again. Where none is needed, nothing was supposed.
pub(crate) fn admit_as_is(case: &Case, safeguards: &[Safeguard]) -> Stopped<()> {
    if safeguards.is_empty() {
        return Ok(());
    }
    let evidence = Evidence {
        achieved: case.achieved(),
        ..Evidence::default()
    };
    let questions = case.judged.with_evidence(evidence);
    match admits(&questions, &case.judged.policies) {
        Ok(_) => Ok(()),
        Err(why) => Err(refused(case, &why.to_string(), None)),
    }
}

pub(crate) fn refused(case: &Case, reason: &str, instead: Option<String>) -> Stop {
    let line = format!(
        "{} in {}: {reason}. It was not executed.",
        case.summary(),
        case.judged.environment().word()
    );
    let mut stop = Stop::new(RefusalKind::Denied, &line).because(reason);
    stop.refusal.instead = instead;
    stop.about(case.judged.what())
}

pub(crate) fn advisory_refused(case: &Case) -> Stop {
    let line = "this upstream is guarded strictly, and the agent runs as the gateway's own user, so nothing could be enforced. It was not executed.";
    Stop::new(RefusalKind::Denied, line).about(case.judged.what())
}

/// The upstream's answer, or what is known without one.
pub(crate) fn answer_of<R>(executed: Executed<R>) -> Answer<R> {
    match (executed.reply, executed.outcome) {
        (Some(reply), _) => Answer::Reply(reply),
        (None, outcome) => Answer::Refused(without_reply(&outcome)),
    }
}

fn without_reply(outcome: &Outcome) -> Refusal {
    let line = match outcome {
        Outcome::NotSent(detail) => {
            format!("it could not be sent ({detail}). It was not executed.")
        }
        Outcome::Done(detail) => format!("done ({detail}), but the upstream's answer is missing."),
        Outcome::Failed(detail) => format!("the upstream refused it: {detail}"),
        Outcome::Unknown(detail) => format!(
            "the upstream's answer was lost ({detail}); nobody can know whether it happened. A person was told. Do not send it again."
        ),
    };
    Refusal::new(RefusalKind::Upstream, &line)
}
