//! Holding: opening a hold, finding it again, and waiting for a person.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tagout_core::card::Hold;
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::HoldId;
use tagout_core::pipeline::{Adapter, Answer, Caller, Outcome};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::store::Opened;
use tagout_core::time::UnixMs;

use crate::card::{JudgedVariant, Sitting};
use crate::carry::NOT_SENT;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::judge::Under;
use crate::lane::{Case, Lane, Stopped};
use crate::leaf::Leaf;
use crate::notice::Notice;
use crate::random::random;
use crate::receipts::{RECEIPT_LIFE_MS, Receipt};
use crate::stop::Stop;

/// After a no, the same request gets the same no until so long after its hold would have expired,
/// without asking anybody again.
const DENIAL_LIFE_MS: u64 = 10 * 60 * 1000;

impl<A: Adapter> Lane<A> {
    /// If this operation was asked before, goes on from there.
    pub(crate) async fn attach(
        &self,
        caller: &Caller,
        case: &Arc<Case>,
    ) -> Stopped<Option<Answer<A::Reply>>> {
        match self.engine.store.latest_hold(case.judged.digest).await? {
            Some(hold) => self.go_on(caller, case, hold).await,
            None => self.lost_before(case),
        }
    }

    /// A mutation that needed nobody and whose answer was lost is not sent again.
    fn lost_before(&self, case: &Case) -> Stopped<Option<Answer<A::Reply>>> {
        let now = self.engine.clock.now();
        match self.engine.receipts.of(case.judged.digest, now) {
            Some(Receipt::Ended(outcome)) => Err(Stop::done(None, &outcome, &case.summary())),
            Some(Receipt::OnItsWay) => Err(Stop::on_its_way(None, &case.summary())),
            None => Ok(None),
        }
    }

    async fn go_on(
        &self,
        caller: &Caller,
        case: &Arc<Case>,
        hold: Hold,
    ) -> Stopped<Option<Answer<A::Reply>>> {
        let now = self.engine.clock.now();
        match hold.state {
            HoldState::Pending => self.wait(caller, case, hold).await.map(Some),
            HoldState::Approved => self.run_approved(case, &hold).await.map(Some),
            HoldState::Scheduled | HoldState::Executing => Err(stands(&hold, &case.summary(), now)),
            HoldState::Executed | HoldState::Failed | HoldState::Unknown => {
                self.receipt(case, &hold, now)
            }
            HoldState::Denied if now < hold.card.expires.plus_ms(DENIAL_LIFE_MS) => {
                Err(denied(&hold, &case.summary()))
            }
            HoldState::Denied
            | HoldState::Expired
            | HoldState::Withdrawn
            | HoldState::Lapsed
            | HoldState::Void
            | HoldState::Cancelled => self.lost_before(case),
        }
    }

    /// What became of it, for ten minutes; after that it may be asked anew. What was never sent may be
    /// asked anew at once.
    fn receipt(&self, case: &Case, hold: &Hold, now: UnixMs) -> Stopped<Option<Answer<A::Reply>>> {
        if was_not_sent(hold) {
            return Ok(None);
        }
        let kept = self.engine.receipts.of(case.judged.digest, now);
        let recent = hold
            .approved
            .is_some_and(|at| now.since_ms(at) < RECEIPT_LIFE_MS);
        let outcome = match (kept, recent) {
            (Some(Receipt::Ended(outcome)), _) => outcome,
            (Some(Receipt::OnItsWay), _) | (None, true) => outcome_of(hold),
            (None, false) => return Ok(None),
        };
        Err(Stop::done(Some(hold.id.clone()), &outcome, &case.summary()))
    }

    /// Opens a hold, or goes on with the one that is open, and waits a little for a person.
    pub(crate) async fn hold(
        &self,
        caller: &Caller,
        case: &Arc<Case>,
    ) -> Stopped<Answer<A::Reply>> {
        if case.judged.only_observes()
            && let Some(answer) = self.attach(caller, case).await?
        {
            return Ok(answer);
        }
        let hold = self.open(caller, case).await?;
        let stop = held(&hold);
        match self.go_on(caller, case, hold).await? {
            Some(answer) => Ok(answer),
            None => Err(stop),
        }
    }

    async fn open(&self, caller: &Caller, case: &Case) -> Stopped<Hold> {
        let id = HoldId::from_bits(random().map_err(EngineError::Random)?);
        let hold = self.draw(caller, case, id).await?;
        let most = self.engine.settings.holds_waiting;
        match self.engine.store.open_hold(hold, most).await? {
            Opened::There(hold) => Ok(hold),
            Opened::New(hold) => match self.announce(case, &hold).await {
                Ok(()) => Ok(hold),
                Err(stop) => {
                    self.take_back(&hold).await;
                    Err(stop)
                }
            },
        }
    }

    /// A hold that has no record waits for nobody.
    async fn take_back(&self, hold: &Hold) {
        let why = Some("it could not be recorded".to_owned());
        let step = self
            .engine
            .store
            .step(&hold.id, HoldState::Pending, HoldEvent::Withdraw, why);
        if let Err(error) = step.await {
            tracing::error!(%error, hold = %hold.id, "an unrecorded hold could not be taken back");
        }
        self.engine.holds_changed.notify_waiters();
    }

    async fn draw(&self, caller: &Caller, case: &Case, id: HoldId) -> Stopped<Hold> {
        let variants = self.judge_variants(case).await?;
        let now = self.engine.clock.now();
        let sitting = Sitting {
            hold: id.clone(),
            resolved: &case.resolved,
            judged: &case.judged,
            variants: &variants,
            precedent: self.precedent(case).await?,
            notices: self.engine.notices_for(caller),
            solo: self.engine.in_force().people().len() == 1,
            now,
        };
        let standing = &case.judged.standing;
        Ok(Hold {
            id,
            state: HoldState::Pending,
            operation: case.judged.digest,
            connection: standing.connection.id.clone(),
            grant: standing.grant.as_ref().map(|grant| grant.id.clone()),
            upstream: case.judged.upstream.name.clone(),
            attempt: STANDARD.encode(&case.attempt.bytes),
            spending: case.judged.spending(),
            card: sitting.card(),
            approvals: Vec::new(),
            created: now,
            approved: None,
            run_at: None,
            outcome: None,
        })
    }

    /// The safer ways that policy would let a person choose.
    async fn judge_variants<'c>(&self, case: &'c Case) -> Stopped<Vec<JudgedVariant<'c>>> {
        let mut judged = Vec::new();
        for (index, variant) in case.resolved.variants.iter().enumerate() {
            let verdict = self.judge_variant(case, index, Under::Best).await?;
            if verdict.verdict.word() != "deny" {
                judged.push(JudgedVariant {
                    title: &variant.title,
                    operation: &variant.operation,
                    targets: &variant.targets,
                    judged: verdict,
                });
            }
        }
        Ok(judged)
    }

    /// The last decisions about the same kind of thing at the same upstream.
    async fn precedent(&self, case: &Case) -> Stopped<Vec<String>> {
        let kinds: BTreeSet<_> = case
            .resolved
            .targets
            .iter()
            .map(|target| target.on.resource.kind())
            .collect();
        let holds = self.engine.store.list_holds(100).await?;
        let alike = holds.iter().filter(|hold| {
            hold.state.is_final()
                && hold.upstream == case.judged.upstream.name
                && hold
                    .resources()
                    .iter()
                    .any(|resource| kinds.contains(resource.kind()))
        });
        let line = |hold: &Hold| {
            format!(
                "{}: {} ({})",
                hold.created,
                hold.card.headline,
                hold.state.word()
            )
        };
        Ok(alike.take(5).map(line).collect())
    }

    async fn announce(&self, case: &Case, hold: &Hold) -> Stopped<()> {
        let body = self.engine.record.body(hold.card.operation.raw()).await?;
        let choices = hold.card.choices.iter();
        let leaf = Leaf::Held {
            op: case.id.clone(),
            hold: hold.id.clone(),
            what: case.judged.what(),
            choices: choices.map(|choice| choice.document.digest()).collect(),
            body,
        };
        self.engine.record.note(&leaf).await?;
        self.engine.holds_changed.notify_waiters();
        let headline = hold.card.headline.cut(200);
        self.engine.tell(Notice::Held {
            hold: hold.id.clone(),
            headline,
        });
        Ok(())
    }

    /// Waits on the wire for a person, for as long as clients usually do.
    async fn wait(
        &self,
        caller: &Caller,
        case: &Arc<Case>,
        hold: Hold,
    ) -> Stopped<Answer<A::Reply>> {
        if !self.waits {
            return Err(held(&hold));
        }
        let Ok(_place) = self.engine.waiting.try_acquire() else {
            return Err(held(&hold));
        };
        let limit = Duration::from_millis(self.engine.settings.wait_on_wire_ms);
        let decided = tokio::time::timeout(limit, self.engine.until_decided(&hold.id)).await;
        match decided {
            Err(_) => Err(held(&hold)),
            Ok(decided) => self.after_wait(caller, case, decided?).await,
        }
    }

    async fn after_wait(
        &self,
        caller: &Caller,
        case: &Arc<Case>,
        hold: Hold,
    ) -> Stopped<Answer<A::Reply>> {
        self.engine.may_try(caller)?;
        match hold.state {
            HoldState::Approved => self.run_approved(case, &hold).await,
            HoldState::Pending => Err(held(&hold)),
            _ => Err(stands(&hold, &case.summary(), self.engine.clock.now())),
        }
    }
}

impl Engine {
    /// Waits until a hold is not pending any more, or everything is stopped.
    pub(crate) async fn until_decided(&self, id: &HoldId) -> Result<Hold, EngineError> {
        loop {
            let changed = self.holds_changed.notified();
            let hold = self.store.hold(id).await?;
            if hold.state != HoldState::Pending || self.is_stopped() {
                return Ok(hold);
            }
            changed.await;
        }
    }

    fn notices_for(&self, caller: &Caller) -> Vec<String> {
        let mut notices = Vec::new();
        if caller.advisory {
            notices.push(
                "advisory: the agent runs as the gateway's own user and could walk round it"
                    .to_owned(),
            );
        }
        if let Some(why) = &self.settings.advisory {
            notices.push(format!("advisory: {why}"));
        }
        if self.in_force().people().len() == 1 {
            notices.push("solo: one person is enrolled; a second signature is yours, twelve hours later. Enrol another under Passkeys.".to_owned());
        }
        notices
    }
}

pub(crate) fn held(hold: &Hold) -> Stop {
    let choices = &hold.card.choices;
    let people = choices.last().map_or(1, |choice| choice.document.approvals);
    let safer = choices
        .split_last()
        .map(|(_, safer)| safer)
        .unwrap_or_default();
    let titles: Vec<_> = safer.iter().map(|choice| choice.title.as_str()).collect();
    let instead =
        (!titles.is_empty()).then(|| format!("a person may choose: {}", titles.join("; ")));
    let refusal = Refusal::held(hold.id.clone(), &hold.card.headline.cut(200), people);
    Stop::recorded(refusal.or_instead(instead))
}

fn denied(hold: &Hold, summary: &str) -> Stop {
    let mut refusal = Refusal::about(RefusalKind::Denied, hold.id.clone());
    let why = hold.outcome.as_deref().unwrap_or("no reason given");
    refusal.line = format!(
        "DENIED by tagout ({}): a person said no to {summary}: {why}. It was not executed.",
        hold.id
    );
    Stop::recorded(refusal)
}

/// How a hold stands that an identical request can do nothing about.
pub(crate) fn stands(hold: &Hold, summary: &str, now: UnixMs) -> Stop {
    let about = || Some(hold.id.clone());
    match hold.state {
        HoldState::Scheduled => {
            let at = hold.run_at.unwrap_or(now);
            Stop::scheduled(hold.id.clone(), summary, at)
        }
        HoldState::Executing => Stop::on_its_way(about(), summary),
        HoldState::Executed | HoldState::Failed | HoldState::Unknown => {
            Stop::done(about(), &outcome_of(hold), summary)
        }
        HoldState::Denied => denied(hold, summary),
        HoldState::Pending | HoldState::Approved => held(hold),
        HoldState::Expired
        | HoldState::Withdrawn
        | HoldState::Lapsed
        | HoldState::Void
        | HoldState::Cancelled => over(hold, summary),
    }
}

fn over(hold: &Hold, summary: &str) -> Stop {
    let mut refusal = Refusal::about(RefusalKind::Denied, hold.id.clone());
    refusal.line = format!(
        "DENIED by tagout ({}): {summary} waited for a person and is {}. It was not executed.",
        hold.id,
        hold.state.word()
    );
    Stop::recorded(refusal)
}

fn was_not_sent(hold: &Hold) -> bool {
    let outcome = hold.outcome.as_deref().unwrap_or_default();
    hold.state == HoldState::Failed && outcome.starts_with(NOT_SENT)
}

fn outcome_of(hold: &Hold) -> Outcome {
    let line = hold.outcome.clone().unwrap_or_default();
    match hold.state {
        HoldState::Executed => Outcome::Done(line),
        HoldState::Failed => Outcome::Failed(line),
        _ => Outcome::Unknown(line),
    }
}
