//! Carrying out: the intent durable, sent once, the outcome recorded. What has begun goes on to its end
//! and its record, also when the agent hangs up.

use std::sync::Arc;

use tagout_core::digest::OperationDigest;
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::HoldId;
use tagout_core::operation::Operation;
use tagout_core::permit::{Basis, Clearance, Permit, Recorded};
use tagout_core::pipeline::{Adapter, Executed, Outcome};
use tagout_ledger::Append;
use tagout_seal::EngineSeal;
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::faults::FaultPoint;
use crate::gate::Way;
use crate::lane::{Case, Lane, Stopped};
use crate::leaf::Leaf;
use crate::notice::Notice;
use crate::purses::Charge;
use crate::record::{Open, Text};
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
        case: &Arc<Case>,
        operation: &Operation,
        ground: Ground<'_>,
    ) -> Stopped<Executed<A::Reply>> {
        let engine = &self.engine;
        let (recorded, open) = self.intend(case, operation, &ground).await?;
        let intent = recorded.leaf();
        let executed = match engine.reach(FaultPoint::Intended) {
            Ok(()) => self.send(case, operation, recorded).await,
            Err(error) => without_answer(Outcome::NotSent(error.to_string())),
        };
        let end = End {
            case: Arc::clone(case),
            intent,
            outcome: executed.outcome.clone(),
            hold: ground.hold.cloned(),
            charge: ground.charge.cloned(),
            open,
        };
        engine.settle(end).await;
        Ok(executed)
    }

    async fn intend(
        &self,
        case: &Case,
        operation: &Operation,
        ground: &Ground<'_>,
    ) -> Stopped<(Recorded<Permit>, Open)> {
        let engine = &self.engine;
        let permit = mint(case, operation, ground.basis.clone());
        let text = Text::of(operation.shown.raw())?;
        let intent = Leaf::Intent {
            op: case.id.clone(),
            what: case.judged.what(),
            bytes: operation.exact.digest(),
            basis: ground.basis.clone(),
            hold: ground.hold.cloned(),
            spent: ground.charge.cloned(),
            body: text.name(),
        };
        Ok(engine.record.intent(permit, &intent, text).await?)
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

/// On what ground something is carried out.
pub(crate) struct Ground<'a> {
    pub(crate) basis: Basis,
    pub(crate) hold: Option<&'a HoldId>,
    /// What was spent on it.
    pub(crate) charge: Option<&'a Charge>,
}

/// How something ended that was intended.
struct End {
    case: Arc<Case>,
    intent: u64,
    outcome: Outcome,
    hold: Option<HoldId>,
    charge: Option<Charge>,
    open: Open,
}

impl End {
    /// Whether the agent is answered before it is durable: it hears how it ended, and an identical request
    /// would be sent again anyway. After a crash before that, it is `unknown`.
    const fn is_answered_at_once(&self) -> bool {
        self.hold.is_none() && matches!(self.outcome, Outcome::Done(_) | Outcome::Failed(_))
    }

    const fn was_sent(&self) -> bool {
        !matches!(self.outcome, Outcome::NotSent(_))
    }
}

impl Engine {
    /// Makes an outcome durable, in the ledger first, then on its hold.
    async fn settle(&self, end: End) {
        self.keep_receipt(&end);
        if let Outcome::Unknown(detail) = &end.outcome {
            let line = format!("{}: {detail}", end.case.summary());
            self.tell(Notice::Unknown { line });
        }
        // In its place in the ledger before anybody is answered.
        let noted = self.note_outcome(&end);
        match self.me() {
            Ok(me) if end.is_answered_at_once() => {
                tokio::spawn(async move { me.conclude(end, noted).await });
            }
            _ => self.conclude(end, noted).await,
        }
    }

    async fn conclude(&self, end: End, noted: Result<Append, EngineError>) {
        let recorded = match noted {
            Ok(append) => append.await.map(|_| ()).map_err(EngineError::from),
            Err(error) => Err(error),
        };
        let stepped = self.step_hold(&end).await;
        self.holds_changed.notify_waiters();
        if let Err(error) = recorded.and(stepped) {
            // The effect may have happened, and its intent is durable: the next start settles it.
            tracing::error!(%error, op = %end.case.id, "an outcome is not recorded");
            return;
        }
        if let Some(charge) = end.charge.as_ref().filter(|_| end.was_sent()) {
            self.purses.settle(end.intent, charge);
        }
        self.record.end(&end.open);
    }

    fn keep_receipt(&self, end: &End) {
        let digest = end.case.judged.digest;
        match &end.outcome {
            Outcome::NotSent(_) => self.receipts.forget(digest),
            Outcome::Done(_) | Outcome::Failed(_) if end.hold.is_none() => {}
            outcome => self.receipts.keep(digest, outcome, self.clock.now()),
        }
    }

    fn note_outcome(&self, end: &End) -> Result<Append, EngineError> {
        self.reach(FaultPoint::Answered)?;
        let leaf = Leaf::Outcome {
            op: end.case.id.clone(),
            intent: end.intent,
            outcome: end.outcome.clone(),
        };
        Ok(if end.is_answered_at_once() {
            self.record.note_soon(&leaf)
        } else {
            self.record.note_at_once(&leaf)
        })
    }

    async fn step_hold(&self, end: &End) -> Result<(), EngineError> {
        self.reach(FaultPoint::Settled)?;
        let Some(hold) = &end.hold else { return Ok(()) };
        let (event, line) = (event_of(&end.outcome), Some(line_of(&end.outcome)));
        self.store
            .step(hold, HoldState::Executing, event, line)
            .await?;
        Ok(())
    }

    /// What was never sent spends nothing.
    pub(crate) fn give_back_unless_sent<R>(&self, charge: &Charge, sent: &Stopped<Executed<R>>) {
        let unsent = match sent {
            Ok(executed) => matches!(executed.outcome, Outcome::NotSent(_)),
            Err(_) => true,
        };
        if unsent {
            self.purses.give_back(charge);
        }
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
