//! The life of an operation: classify, resolve, judge, hold, record, execute, record.
//!
//! One lane for each protocol. The lane never interprets a protocol's bytes and never makes an
//! exception: every way to an upstream leads through [`Lane::carry_out`].

use std::sync::Arc;

use tagout_core::grant::Connection;
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::{GrantId, HoldId, OperationId};
use tagout_core::operation::{Attempt, Operation};
use tagout_core::permit::{Basis, Clearance, Permit};
use tagout_core::pipeline::{Adapter, Answer, Caller, Executed, Outcome};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::resolved::Resolved;
use tagout_core::store::{Purse, StoreError};
use tagout_core::verdict::{Mode, Verdict};
use tagout_policy::observe;
use tagout_seal::EngineSeal;

use crate::engine::{Engine, Way};
use crate::faults::FaultPoint;
use crate::judge::{Judged, Terms};
use crate::leaf::Leaf;
use crate::notice::Notice;
use crate::stop::Stop;

/// The engine with one protocol's adapter.
pub struct Lane<A: Adapter> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) adapter: Arc<A>,
}

/// An operation that was judged, with all that led there.
pub(crate) struct Case {
    pub(crate) id: OperationId,
    pub(crate) attempt: Attempt,
    pub(crate) resolved: Resolved,
    pub(crate) judged: Judged,
}

pub(crate) type Stopped<T> = Result<T, Stop>;

impl<A: Adapter> Lane<A> {
    /// A lane of `engine` for this adapter.
    #[must_use]
    pub const fn new(engine: Arc<Engine>, adapter: Arc<A>) -> Self {
        Self { engine, adapter }
    }

    pub(crate) async fn run(&self, caller: &Caller, attempt: Attempt) -> Answer<A::Reply> {
        let Ok(id) = self.engine.new_operation_id() else {
            return Answer::Refused(Refusal::new(RefusalKind::Unrecorded, "no randomness"));
        };
        match self.steps(caller, attempt, id.clone()).await {
            Ok(answer) => answer,
            Err(stop) => Answer::Refused(self.engine.record_stop(id, stop).await),
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
        let case = self.understand(&connection, attempt, id, None).await?;
        self.engine.reach(FaultPoint::Decided)?;
        if let Some(answer) = self.attach(caller, &case).await? {
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
        grant: Option<&GrantId>,
    ) -> Stopped<Case> {
        let upstream = self.engine.upstream_of(&attempt)?;
        let classified = self.adapter.classify(&attempt);
        let operation = classified.map_err(|ambiguous| Stop::ambiguous(&ambiguous))?;
        let resolved = self.adapter.resolve(operation, self.engine.as_ref()).await;
        let offers = self.adapter.offers(&upstream.name);
        let terms = Terms {
            offers: &offers,
            grant,
            derived: false,
        };
        let engine = &self.engine;
        let judged = engine
            .judge(
                connection,
                &upstream,
                &resolved.operation,
                &resolved.targets,
                terms,
            )
            .await?;
        Ok(Case {
            id,
            attempt,
            resolved,
            judged,
        })
    }

    /// Does what the verdict says.
    async fn act(&self, caller: &Caller, case: Case) -> Stopped<Answer<A::Reply>> {
        if let Some(grant) = &case.judged.tripped {
            let line = format!(
                "the budget of {grant} is used up and its task is stopped. This was not executed."
            );
            return Err(Stop::new(RefusalKind::Budget, &line).about(case.judged.what()));
        }
        match (case.judged.upstream.mode, &case.judged.verdict) {
            (Mode::Strict, _) if caller.advisory => Err(advisory_refused(&case)),
            (_, Verdict::Allow { .. }) => self.allowed(case).await,
            (Mode::Observe, verdict) => self.observed(&case, verdict).await,
            (_, Verdict::Hold { .. }) => self.hold(caller, case).await,
            (_, Verdict::Deny { reason, instead }) => Err(refused(&case, reason, instead.clone())),
        }
    }

    /// Passes with the verdict it would have had, except for what passes in no mode.
    async fn observed(&self, case: &Case, would_be: &Verdict) -> Stopped<Answer<A::Reply>> {
        let observed = observe(&case.judged.questions, &case.judged.policies);
        if let Verdict::Deny { reason, instead } = observed.verdict {
            return Err(refused(case, &reason, instead));
        }
        if case.judged.only_observes() {
            return self.read(case).await;
        }
        let basis = Basis::Observed(would_be.word().to_owned());
        self.perform(case, &case.resolved.operation, basis, None)
            .await
    }

    async fn allowed(&self, case: Case) -> Stopped<Answer<A::Reply>> {
        if case.judged.only_observes() {
            return self.read(&case).await;
        }
        self.spend(&case).await?;
        self.engine.reach(FaultPoint::Spent)?;
        let basis = Basis::Policy(case.judged.policy());
        self.perform(&case, &case.resolved.operation, basis, None)
            .await
    }

    /// Books the budgets, or stops the task.
    async fn spend(&self, case: &Case) -> Stopped<()> {
        let standing = &case.judged.standing;
        let spending = case.judged.spending();
        match self
            .engine
            .store
            .spend(standing.purses.clone(), spending)
            .await
        {
            Ok(()) => Ok(()),
            Err(StoreError::Overspent(over)) => {
                if let Some(grant) = &standing.grant {
                    self.engine.trip(&grant.id, over.effect).await?;
                }
                let line = format!("{over}. This was not executed, and the task is stopped.");
                Err(Stop::new(RefusalKind::Budget, &line).about(case.judged.what()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A read: queued for its group's record, streamed through.
    async fn read(&self, case: &Case) -> Stopped<Answer<A::Reply>> {
        let operation = &case.resolved.operation;
        let permit = mint(case, operation, Basis::Policy(case.judged.policy()));
        let queued = self.engine.record.read(permit, &case.judged.what())?;
        let sent = self.adapter.execute(Clearance::Read(queued), operation);
        match self.engine.on_the_way(sent).await {
            Way::Through(executed) => Ok(answer_of(executed)),
            Way::Closed | Way::Cut => Err(Stop::frozen()),
        }
    }

    /// Anything but a read: sent, and answered with what the upstream said.
    pub(crate) async fn perform(
        &self,
        case: &Case,
        operation: &Operation,
        basis: Basis,
        hold: Option<&HoldId>,
    ) -> Stopped<Answer<A::Reply>> {
        Ok(answer_of(
            self.carry_out(case, operation, basis, hold).await?,
        ))
    }

    /// The one way to an upstream for anything but a read: intent durable, sent once, outcome durable.
    pub(crate) async fn carry_out(
        &self,
        case: &Case,
        operation: &Operation,
        basis: Basis,
        hold: Option<&HoldId>,
    ) -> Stopped<Executed<A::Reply>> {
        let engine = &self.engine;
        let permit = mint(case, operation, basis.clone());
        let body = engine.record.body(operation.shown.raw()).await?;
        let intent = Leaf::Intent {
            op: case.id.clone(),
            what: case.judged.what(),
            bytes: operation.exact.digest(),
            basis,
            hold: hold.cloned(),
            body,
        };
        let recorded = engine.record.intent(permit, &intent).await?;
        let leaf = recorded.leaf();
        engine.reach(FaultPoint::Intended)?;
        let sent = self.adapter.execute(Clearance::Effect(recorded), operation);
        let executed = match engine.on_the_way(sent).await {
            Way::Through(executed) => executed,
            Way::Closed => not_sent("a person stopped everything"),
            Way::Cut => cut_off(),
        };
        engine.reach(FaultPoint::Answered)?;
        self.settle(case, leaf, &executed.outcome, hold).await?;
        Ok(executed)
    }

    /// Makes the outcome durable, in the ledger first.
    async fn settle(
        &self,
        case: &Case,
        intent: u64,
        outcome: &Outcome,
        hold: Option<&HoldId>,
    ) -> Stopped<()> {
        let engine = &self.engine;
        engine
            .receipts
            .keep(case.judged.digest, outcome, engine.clock.now());
        let leaf = Leaf::Outcome {
            op: case.id.clone(),
            intent,
            outcome: outcome.clone(),
        };
        if let Err(error) = engine.record.note(&leaf).await {
            // The effect has happened and its intent is durable; at the next start it is `unknown`.
            tracing::error!(%error, op = %case.id, "an outcome could not be recorded");
        }
        engine.reach(FaultPoint::Settled)?;
        if let Some(hold) = hold {
            let done = engine.store.step(
                hold,
                HoldState::Executing,
                event_of(outcome),
                Some(line_of(outcome)),
            );
            if let Err(error) = done.await {
                tracing::error!(%error, %hold, "an outcome could not be noted on its hold");
            }
            engine.holds_changed.notify_waiters();
        } else if matches!(outcome, Outcome::NotSent(_)) {
            self.give_back(case).await;
        }
        if let Outcome::Unknown(detail) = outcome {
            let summary = case.resolved.operation.summary.cut(120);
            engine.tell(Notice::Unknown {
                line: format!("{summary}: {detail}"),
            });
        }
        Ok(())
    }

    /// What was never sent spends nothing.
    async fn give_back(&self, case: &Case) {
        let purses: Vec<Purse> = case
            .judged
            .standing
            .purses
            .iter()
            .map(|(purse, _)| purse.clone())
            .collect();
        if let Err(error) = self
            .engine
            .store
            .refund(purses, case.judged.spending())
            .await
        {
            tracing::warn!(%error, op = %case.id, "a budget was not given back");
        }
    }
}

fn mint(case: &Case, operation: &Operation, basis: Basis) -> Permit {
    Permit::mint(
        EngineSeal::new(),
        case.id.clone(),
        operation.upstream.clone(),
        case.judged.digest,
        operation.exact.digest(),
        basis,
    )
}

fn refused(case: &Case, reason: &str, instead: Option<String>) -> Stop {
    let line = format!(
        "{} in {}: {reason}. It was not executed.",
        case.resolved.operation.summary.cut(120),
        case.judged.environment().word()
    );
    let mut stop = Stop::new(RefusalKind::Denied, &line).about(case.judged.what());
    reason.clone_into(&mut stop.reason);
    stop.refusal = stop.refusal.or_instead(instead);
    stop
}

fn advisory_refused(case: &Case) -> Stop {
    let line = "this upstream is guarded strictly, and the agent runs as the gateway's own user, so nothing could be enforced. It was not executed.";
    Stop::new(RefusalKind::Denied, line).about(case.judged.what())
}

const fn not_sent<R>(_why: &'static str) -> Executed<R> {
    Executed {
        outcome: Outcome::NotSent(String::new()),
        reply: None,
    }
}

fn cut_off<R>() -> Executed<R> {
    let outcome = Outcome::Unknown("it was cut off by a freeze".to_owned());
    Executed {
        outcome,
        reply: None,
    }
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
            format!("the upstream could not be reached ({detail}). It was not executed.")
        }
        Outcome::Done(detail) => format!("done ({detail}), but the upstream's answer is missing."),
        Outcome::Failed(detail) => format!("the upstream refused it: {detail}"),
        Outcome::Unknown(detail) => format!(
            "the upstream's answer was lost ({detail}); nobody can know whether it happened. A person was told. Do not send it again."
        ),
    };
    Refusal::new(RefusalKind::Upstream, &line)
}

pub(crate) const fn event_of(outcome: &Outcome) -> HoldEvent {
    match outcome {
        Outcome::Done(_) => HoldEvent::Succeed,
        Outcome::Failed(_) | Outcome::NotSent(_) => HoldEvent::Fail,
        Outcome::Unknown(_) => HoldEvent::Lose,
    }
}

pub(crate) fn line_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(detail) => format!("done: {detail}"),
        Outcome::Failed(detail) => format!("refused by the upstream: {detail}"),
        Outcome::NotSent(detail) => format!("not sent: {detail}"),
        Outcome::Unknown(detail) => format!("unknown: {detail}"),
    }
}
