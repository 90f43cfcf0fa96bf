//! Carrying out: the intent durable, sent once, the outcome durable. What has begun goes on to its end
//! and its record, also when the agent hangs up.

use std::sync::Arc;

use tagout_core::digest::OperationDigest;
use tagout_core::grant::{Budget, Spending};
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::{HoldId, OperationId};
use tagout_core::operation::Operation;
use tagout_core::permit::{Basis, Clearance, Permit, Recorded};
use tagout_core::pipeline::{Adapter, Executed, Outcome};
use tagout_core::store::Purse;
use tagout_seal::EngineSeal;
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::faults::FaultPoint;
use crate::gate::Way;
use crate::lane::{Case, Lane, Stopped};
use crate::leaf::Leaf;
use crate::notice::Notice;
use crate::record::Open;
use crate::stop::Stop;

impl<A: Adapter> Lane<A> {
    /// Runs `work` on its own, and waits for it as long as the agent does.
    pub(crate) async fn to_the_end(
        &self,
        case: &Case,
        work: impl Future<Output = Stopped<Executed<A::Reply>>> + Send + 'static,
    ) -> Stopped<Executed<A::Reply>> {
        let (answer, awaited) = oneshot::channel();
        let engine = Arc::clone(&self.engine);
        let digest = case.judged.digest;
        tokio::spawn(async move {
            if let Err(unheard) = answer.send(work.await) {
                engine.keep_unheard(digest, &unheard);
            }
        });
        let mut awaited = Awaited {
            engine: &self.engine,
            digest,
            answer: Some(awaited),
        };
        awaited.hear(&case.summary()).await
    }

    /// The one way to an upstream for anything but a read. An error says that nothing was sent.
    pub(crate) async fn carry_out(
        &self,
        case: &Case,
        operation: &Operation,
        basis: Basis,
        hold: Option<&HoldId>,
    ) -> Stopped<Executed<A::Reply>> {
        let engine = &self.engine;
        let (recorded, open) = self.intend(case, operation, basis, hold).await?;
        let intent = recorded.leaf();
        let executed = match engine.reach(FaultPoint::Intended) {
            Ok(()) => self.send(case, operation, recorded).await,
            Err(error) => without_answer(Outcome::NotSent(error.to_string())),
        };
        let end = End {
            case,
            intent,
            outcome: &executed.outcome,
            hold,
        };
        match engine.settle(&end).await {
            Ok(()) => engine.record.end(&open),
            // The effect may have happened, and its intent is durable: the next start settles it.
            Err(error) => tracing::error!(%error, op = %case.id, "an outcome is not recorded"),
        }
        Ok(executed)
    }

    async fn intend(
        &self,
        case: &Case,
        operation: &Operation,
        basis: Basis,
        hold: Option<&HoldId>,
    ) -> Stopped<(Recorded<Permit>, Open)> {
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
        Ok(engine.record.intent(permit, &intent).await?)
    }

    async fn send(
        &self,
        case: &Case,
        operation: &Operation,
        recorded: Recorded<Permit>,
    ) -> Executed<A::Reply> {
        let engine = &self.engine;
        let stands = || engine.still_stands(&case.judged);
        let sent = self.adapter.execute(Clearance::Effect(recorded), operation);
        match engine.gate.pass(stands, sent).await {
            Way::Through(executed) => executed,
            Way::Cut => without_answer(Outcome::Unknown("it was cut off by a freeze".to_owned())),
            Way::Closed => {
                let why = "a person stopped it, or what it was decided by has changed";
                without_answer(Outcome::NotSent(why.to_owned()))
            }
        }
    }
}

/// How something ended that was intended.
struct End<'a> {
    case: &'a Case,
    intent: u64,
    outcome: &'a Outcome,
    hold: Option<&'a HoldId>,
}

impl Engine {
    /// Makes an outcome durable, in the ledger first, then on its hold.
    async fn settle(&self, end: &End<'_>) -> Result<(), EngineError> {
        self.keep_receipt(end);
        if let Outcome::Unknown(detail) = end.outcome {
            let line = format!("{}: {detail}", end.case.summary());
            self.tell(Notice::Unknown { line });
        }
        let recorded = self.record_outcome(end).await;
        let stepped = self.step_hold(end).await;
        self.holds_changed.notify_waiters();
        recorded.and(stepped)
    }

    fn keep_receipt(&self, end: &End<'_>) {
        let digest = end.case.judged.digest;
        match end.outcome {
            Outcome::NotSent(_) => self.receipts.forget(digest),
            Outcome::Done(_) | Outcome::Failed(_) if end.hold.is_none() => {}
            outcome => self.receipts.keep(digest, outcome, self.clock.now()),
        }
    }

    async fn record_outcome(&self, end: &End<'_>) -> Result<(), EngineError> {
        self.reach(FaultPoint::Answered)?;
        let leaf = Leaf::Outcome {
            op: end.case.id.clone(),
            intent: end.intent,
            outcome: end.outcome.clone(),
        };
        self.record.note(&leaf).await?;
        Ok(())
    }

    async fn step_hold(&self, end: &End<'_>) -> Result<(), EngineError> {
        self.reach(FaultPoint::Settled)?;
        let Some(hold) = end.hold else { return Ok(()) };
        let (event, line) = (event_of(end.outcome), Some(line_of(end.outcome)));
        self.store
            .step(hold, HoldState::Executing, event, line)
            .await?;
        Ok(())
    }

    /// Nobody heard how it ended: an identical request is told, and not sent.
    fn keep_unheard<R>(&self, digest: OperationDigest, unheard: &Stopped<Executed<R>>) {
        match unheard {
            Ok(executed) if !matches!(executed.outcome, Outcome::NotSent(_)) => {
                self.receipts
                    .keep(digest, &executed.outcome, self.clock.now());
            }
            Ok(_) | Err(_) => self.receipts.forget(digest),
        }
    }
}

/// An answer that an agent waits for. When the agent goes, that is noted.
struct Awaited<'a, R> {
    engine: &'a Engine,
    digest: OperationDigest,
    answer: Option<oneshot::Receiver<Stopped<Executed<R>>>>,
}

impl<R> Awaited<'_, R> {
    async fn hear(&mut self, summary: &str) -> Stopped<Executed<R>> {
        let Some(answer) = &mut self.answer else {
            return Err(EngineError::Gone.into());
        };
        let heard = answer.await;
        self.answer = None;
        heard.unwrap_or_else(|_| {
            let outcome = Outcome::Unknown("the gateway failed while it was on its way".to_owned());
            let now = self.engine.clock.now();
            self.engine.receipts.keep(self.digest, &outcome, now);
            Err(Stop::done(None, &outcome, summary))
        })
    }
}

impl<R> Drop for Awaited<'_, R> {
    fn drop(&mut self) {
        let Some(answer) = &mut self.answer else {
            return;
        };
        // From here on the other end knows that nobody listens.
        answer.close();
        match answer.try_recv() {
            Ok(unheard) => self.engine.keep_unheard(self.digest, &unheard),
            Err(_) => {
                let now = self.engine.clock.now();
                self.engine.receipts.keep_open(self.digest, now);
            }
        }
    }
}

/// What was booked for an operation, to be given back unless it is sent.
pub(crate) struct Charged {
    op: OperationId,
    purses: Vec<Purse>,
    spending: Spending,
}

impl Charged {
    pub(crate) fn to(case: &Case) -> Self {
        let purses = case.judged.standing.purses.iter();
        Self {
            op: case.id.clone(),
            purses: purses.map(|(purse, _)| purse.clone()).collect(),
            spending: case.judged.spending(),
        }
    }

    /// Books it without asking whether the budgets carry it: people have approved it.
    pub(crate) async fn book(&self, engine: &Engine) -> Result<(), EngineError> {
        let unlimited = |purse: &Purse| (purse.clone(), Budget::default());
        let purses = self.purses.iter().map(unlimited).collect();
        engine.store.spend(purses, self.spending.clone()).await?;
        Ok(())
    }

    /// What was never sent spends nothing.
    pub(crate) async fn unless_sent<R>(
        self,
        engine: &Engine,
        sent: Stopped<Executed<R>>,
    ) -> Stopped<Executed<R>> {
        let unsent = match &sent {
            Ok(executed) => matches!(executed.outcome, Outcome::NotSent(_)),
            Err(_) => true,
        };
        if unsent && let Err(error) = engine.store.refund(self.purses, self.spending).await {
            tracing::warn!(%error, op = %self.op, "a budget was not given back");
        }
        sent
    }
}

pub(crate) fn mint(case: &Case, operation: &Operation, basis: Basis) -> Permit {
    Permit::mint(
        EngineSeal::new(),
        case.id.clone(),
        operation.upstream.clone(),
        case.judged.digest,
        operation.exact.digest(),
        basis,
    )
}

const fn without_answer<R>(outcome: Outcome) -> Executed<R> {
    Executed {
        outcome,
        reply: None,
    }
}

pub(crate) const fn event_of(outcome: &Outcome) -> HoldEvent {
    match outcome {
        Outcome::Done(_) => HoldEvent::Succeed,
        Outcome::Failed(_) | Outcome::NotSent(_) => HoldEvent::Fail,
        Outcome::Unknown(_) => HoldEvent::Lose,
    }
}

/// What the line on a hold begins with that was never sent.
pub(crate) const NOT_SENT: &str = "not sent: ";

pub(crate) fn line_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(detail) => format!("done: {detail}"),
        Outcome::Failed(detail) => format!("refused by the upstream: {detail}"),
        Outcome::NotSent(detail) => format!("{NOT_SENT}{detail}"),
        Outcome::Unknown(detail) => format!("unknown: {detail}"),
    }
}
