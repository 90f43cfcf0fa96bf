//! Running what people approved: once, and only if it is still what they approved.

use std::collections::BTreeSet;
use std::sync::Arc;

use tagout_core::approval::ApprovalDocument;
use tagout_core::card::{Choice, Hold};
use tagout_core::hold::{APPROVAL_LIFE_MS, HoldEvent, HoldState};
use tagout_core::operation::Operation;
use tagout_core::permit::Basis;
use tagout_core::pipeline::{Adapter, Answer, Executed, Outcome};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::resolved::Target;
use tagout_core::store::StoreError;
use tagout_policy::{Evidence, SafeguardSet, admits};

use crate::carry::{Ground, NOT_SENT, line_of};
use crate::engine::Engine;
use crate::faults::FaultPoint;
use crate::holding::stands;
use crate::judge::{Judged, Terms, Under};
use crate::lane::{Case, Lane, Stopped, answer_of};
use crate::leaf::Leaf;
use crate::signatures::Signed;
use crate::stop::Stop;

/// What was chosen on a card: what the agent asked, or one of the variants as they are derived now.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    Asked,
    Variant(usize),
}

impl Which {
    fn of(self, case: &Case) -> (&Operation, &[Target]) {
        let resolved = &case.resolved;
        match self {
            Self::Variant(index) => match resolved.variants.get(index) {
                Some(variant) => (&variant.operation, &variant.targets),
                None => (&resolved.operation, &[]),
            },
            Self::Asked => (&resolved.operation, &resolved.targets),
        }
    }
}

impl<A: Adapter> Lane<A> {
    /// Runs what people approved, once, if it is still what they approved.
    pub(crate) async fn run_approved(
        &self,
        case: &Arc<Case>,
        hold: &Hold,
    ) -> Stopped<Answer<A::Reply>> {
        let executed = self.run_chosen(case, hold).await?;
        let choice = hold.chosen();
        match choice.and_then(|choice| choice.document.variant.as_deref()) {
            None => Ok(answer_of(executed)),
            Some(title) => Err(done_differently(hold, title, &executed.outcome)),
        }
    }

    pub(crate) async fn run_chosen(
        &self,
        case: &Arc<Case>,
        hold: &Hold,
    ) -> Stopped<Executed<A::Reply>> {
        if self.engine.has_lapsed(hold) {
            let why = "it was not used in time";
            return Err(self.engine.undo_approval(hold, HoldEvent::Lapse, why).await);
        }
        let which = match self.admit_chosen(case, hold).await? {
            Ok(which) => which,
            Err(why) => {
                return Err(self
                    .engine
                    .undo_approval(hold, HoldEvent::Drift, &why)
                    .await);
            }
        };
        let (lane, case_of, hold) = (self.clone(), Arc::clone(case), hold.clone());
        let sent = async move { lane.consume(&case_of, &hold, which).await };
        self.to_the_end(case, sent).await
    }

    /// Consumes the approval, which only one can, and sends.
    async fn consume(
        &self,
        case: &Arc<Case>,
        hold: &Hold,
        which: Which,
    ) -> Stopped<Executed<A::Reply>> {
        let engine = &self.engine;
        let execute = engine
            .store
            .step(&hold.id, hold.state, HoldEvent::Execute, None);
        if let Err(error) = execute.await {
            return Err(engine.not_consumed(hold, error, &case.summary()).await);
        }
        let charge = case.judged.charge();
        let ground = Ground {
            basis: Basis::Approval(hold.id.clone(), case.judged.policy()),
            hold: Some(&hold.id),
            charge: Some(&charge),
        };
        engine.purses.spend_approved(&charge);
        let sent = async {
            engine.reach(FaultPoint::Consumed)?;
            let (operation, _) = which.of(case);
            self.carry_out(case, operation, ground).await
        };
        let sent = sent.await;
        engine.give_back_unless_sent(&charge, &sent);
        if let Err(stop) = &sent {
            engine.fail(hold, &stop.reason).await;
        }
        sent
    }

    /// The chosen operation, if everything that was signed is still so; else why not.
    async fn admit_chosen(&self, case: &Case, hold: &Hold) -> Stopped<Result<Which, String>> {
        let Some(choice) = hold.chosen() else {
            return Ok(Err("nothing was signed".to_owned()));
        };
        let Some(which) = chosen_operation(case, &choice.document) else {
            let why = "the bytes are not the ones that were approved";
            return Ok(Err(why.to_owned()));
        };
        let variant = match which {
            Which::Asked => None,
            Which::Variant(index) => {
                let under = Under::AsAsked(hold.grant.as_ref());
                Some(self.judge_variant(case, index, under).await?)
            }
        };
        let judged = variant.as_ref().unwrap_or(&case.judged);
        let (_, targets) = which.of(case);
        let admitted = self
            .engine
            .admit_signed(case, judged, targets, hold, choice);
        Ok(admitted.map(|()| which))
    }

    /// Judges a safer way, which the agent's rights need not name and a person has to choose.
    pub(crate) async fn judge_variant(
        &self,
        case: &Case,
        index: usize,
        under: Under<'_>,
    ) -> Stopped<Judged> {
        let (operation, targets) = Which::Variant(index).of(case);
        let upstream = &case.judged.upstream;
        let offers = self.adapter.offers(operation);
        let terms = Terms {
            offers: &offers,
            achieved: &BTreeSet::new(),
            under,
            derived: true,
        };
        let connection = &case.judged.standing.connection;
        let judged = self
            .engine
            .judge(connection, upstream, operation, targets, terms);
        Ok(judged.await?)
    }
}

impl Engine {
    /// Whether an approval was not used in time. What is scheduled has its own time.
    fn has_lapsed(&self, hold: &Hold) -> bool {
        let now = self.clock.now();
        let unused = hold
            .approved
            .is_none_or(|at| now >= at.plus_ms(APPROVAL_LIFE_MS));
        let expired = hold
            .chosen()
            .is_none_or(|choice| now >= choice.document.expires);
        hold.state == HoldState::Approved && (unused || expired)
    }

    /// Compares what was signed with what is now.
    fn admit_signed(
        &self,
        case: &Case,
        judged: &Judged,
        targets: &[Target],
        hold: &Hold,
        choice: &Choice,
    ) -> Result<(), String> {
        let document = &choice.document;
        if document.policy != judged.policy() {
            return Err("the policy has changed since".to_owned());
        }
        if document.operation != case.judged.digest || document.hold != hold.id {
            return Err("it was approved for another operation or another asker".to_owned());
        }
        let drift = document.ceilings.admit(targets);
        drift.map_err(|drift| drift.to_string())?;
        let signed = self.count_signatures(hold, choice)?;
        if signed.approvals < document.approvals {
            return Err("too few valid signatures".to_owned());
        }
        self.admit_by_policy(case, judged, signed, (document, hold))
    }

    /// The policy again, with what was really done.
    fn admit_by_policy(
        &self,
        case: &Case,
        judged: &Judged,
        signed: Signed,
        (document, hold): (&ApprovalDocument, &Hold),
    ) -> Result<(), String> {
        let signed_for: SafeguardSet = document.safeguards.iter().copied().collect();
        let waited = |at| self.clock.surely().since_ms(at);
        let evidence = Evidence {
            approvals: signed.people,
            solo: signed.solo,
            waited_ms: hold.approved.map_or(0, waited),
            achieved: signed_for.intersection(case.achieved()),
        };
        let questions = judged.with_evidence(evidence);
        let admitted = admits(&questions, &judged.policies);
        admitted.map(|_| ()).map_err(|why| why.to_string())
    }

    /// Somebody else was first, or it may not be consumed any more.
    async fn not_consumed(&self, hold: &Hold, error: StoreError, summary: &str) -> Stop {
        let taken =
            matches!(&error, StoreError::Settled(word) if word != "frozen" && word != "revoked");
        if !taken {
            return error.into();
        }
        match self.store.hold(&hold.id).await {
            Ok(hold) => stands(&hold, summary, self.clock.now()),
            Err(error) => error.into(),
        }
    }

    /// What was consumed and could not be sent.
    async fn fail(&self, hold: &Hold, reason: &str) {
        let line = Some(format!("{NOT_SENT}{reason}"));
        let step = self
            .store
            .step(&hold.id, HoldState::Executing, HoldEvent::Fail, line);
        if let Err(error) = step.await {
            tracing::error!(%error, hold = %hold.id, "a hold still says executing; a restart settles it");
        }
        self.holds_changed.notify_waiters();
    }

    /// Takes an approval out of force: it is too old, or the world is not what was approved.
    pub(crate) async fn undo_approval(&self, hold: &Hold, event: HoldEvent, why: &str) -> Stop {
        let step = self
            .store
            .step(&hold.id, hold.state, event, Some(why.to_owned()));
        let hold = match step.await {
            Ok(hold) => hold,
            Err(error) => return self.not_consumed(hold, error, "the operation").await,
        };
        self.holds_changed.notify_waiters();
        let leaf = Leaf::Stepped {
            hold: hold.id.clone(),
            state: hold.state.word(),
            why: why.to_owned(),
        };
        if let Err(error) = self.record.note(&leaf).await {
            tracing::error!(%error, hold = %hold.id, "the end of an approval could not be recorded");
        }
        let mut refusal = Refusal::about(RefusalKind::Denied, hold.id.clone());
        refusal.line = format!(
            "DENIED by tagout ({}): the approval is {}, because {why}. It was not executed.",
            hold.id,
            hold.state.word()
        );
        refusal.advice =
            "Repeat the request once if it is still needed: it will be held anew.".to_owned();
        Stop::recorded(refusal)
    }
}

/// What the bytes of the document stand for.
fn chosen_operation(case: &Case, document: &ApprovalDocument) -> Option<Which> {
    let resolved = &case.resolved;
    let is = |operation: &Operation| operation.exact.digest() == document.bytes;
    if document.variant.is_none() {
        return is(&resolved.operation).then_some(Which::Asked);
    }
    let mut variants = resolved.variants.iter();
    let found = variants.position(|variant| is(&variant.operation));
    found.map(Which::Variant)
}

fn done_differently(hold: &Hold, title: &str, outcome: &Outcome) -> Stop {
    let mut refusal = Refusal::about(RefusalKind::Done, hold.id.clone());
    refusal.line = format!(
        "DONE by tagout ({}): a person chose a safer way, \"{title}\", and that was executed instead: {}",
        hold.id,
        line_of(outcome)
    );
    refusal.advice = "What you asked for was not executed. Do not repeat it.".to_owned();
    Stop::recorded(refusal)
}
