//! Holding: opening a hold, finding it again, and running what people approved.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tagout_core::approval::{ApprovalDocument, Challenge, Decision};
use tagout_core::card::{Choice, Hold, SignedApproval};
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::HoldId;
use tagout_core::operation::Operation;
use tagout_core::passkey::verify_assertion;
use tagout_core::permit::Basis;
use tagout_core::pipeline::{Adapter, Answer, Caller, Outcome};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::resolved::Target;
use tagout_core::store::Opened;
use tagout_core::time::UnixMs;
use tagout_policy::{Evidence, SafeguardSet, admits};

use crate::card::{JudgedVariant, Sitting};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::faults::FaultPoint;
use crate::judge::Terms;
use crate::lane::{Case, Lane, Stopped};
use crate::leaf::Leaf;
use crate::notice::Notice;
use crate::random::random;
use crate::receipts::RECEIPT_LIFE_MS;
use crate::stop::Stop;

/// After a no, the same request gets the same no for this long, without asking anybody again.
const DENIAL_LIFE_MS: u64 = 10 * 60 * 1000;

/// With one person enrolled, the second signature is the same person's so much later.
pub(crate) const SOLO_AFTER_MS: u64 = 12 * 60 * 60 * 1000;

impl<A: Adapter> Lane<A> {
    /// If this operation was asked before, goes on from there.
    pub(crate) async fn attach(
        &self,
        caller: &Caller,
        case: &Case,
    ) -> Stopped<Option<Answer<A::Reply>>> {
        if case.judged.only_observes() {
            return Ok(None);
        }
        let now = self.engine.clock.now();
        let latest = self.engine.store.latest_hold(case.judged.digest).await?;
        let Some(hold) = latest else {
            return self.lost_before(case, now);
        };
        self.go_on(caller, case, hold, now).await
    }

    /// A mutation that needed nobody and whose answer was lost is not sent again.
    fn lost_before(&self, case: &Case, now: UnixMs) -> Stopped<Option<Answer<A::Reply>>> {
        match self.engine.receipts.of(case.judged.digest, now) {
            Some(outcome @ Outcome::Unknown(_)) => Err(Stop::done(
                None,
                &outcome,
                &case.resolved.operation.summary.cut(120),
            )),
            _ => Ok(None),
        }
    }

    async fn go_on(
        &self,
        caller: &Caller,
        case: &Case,
        hold: Hold,
        now: UnixMs,
    ) -> Stopped<Option<Answer<A::Reply>>> {
        let summary = case.resolved.operation.summary.cut(120);
        match hold.state {
            HoldState::Pending => self.wait(caller, case, hold).await.map(Some),
            HoldState::Approved => self.run_approved(case, &hold).await.map(Some),
            HoldState::Scheduled => Err(Stop::scheduled(
                hold.id,
                &summary,
                hold.run_at.unwrap_or(now),
            )),
            HoldState::Executing => Err(executing(hold.id, &summary)),
            HoldState::Executed | HoldState::Failed | HoldState::Unknown => {
                self.receipt(case, &hold, now, &summary)
            }
            HoldState::Denied if now.since_ms(hold.created) < DENIAL_LIFE_MS => {
                Err(denied(&hold, &summary))
            }
            HoldState::Denied
            | HoldState::Expired
            | HoldState::Withdrawn
            | HoldState::Lapsed
            | HoldState::Void
            | HoldState::Cancelled => Ok(None),
        }
    }

    /// What became of it, for ten minutes; after that it may be asked anew.
    fn receipt(
        &self,
        case: &Case,
        hold: &Hold,
        now: UnixMs,
        summary: &str,
    ) -> Stopped<Option<Answer<A::Reply>>> {
        let kept = self.engine.receipts.of(case.judged.digest, now);
        let recent = hold
            .approved
            .is_some_and(|at| now.since_ms(at) < RECEIPT_LIFE_MS);
        let outcome = match (kept, recent) {
            (Some(outcome), _) => outcome,
            (None, true) => outcome_of(hold),
            (None, false) => return Ok(None),
        };
        Err(Stop::done(Some(hold.id.clone()), &outcome, summary))
    }

    /// Opens a hold and waits a little for a person.
    pub(crate) async fn hold(&self, caller: &Caller, case: Case) -> Stopped<Answer<A::Reply>> {
        let hold = self.open(caller, &case).await?;
        match hold.state {
            HoldState::Pending => self.wait(caller, &case, hold).await,
            _ => Err(held(&hold)),
        }
    }

    async fn open(&self, caller: &Caller, case: &Case) -> Stopped<Hold> {
        let id = HoldId::from_bits(random().map_err(EngineError::Random)?);
        let hold = self.draw(caller, case, id).await?;
        let most = self.engine.settings.holds_waiting;
        match self.engine.store.open_hold(hold, most).await? {
            Opened::There(hold) => Ok(hold),
            Opened::New(hold) => {
                self.announce(case, &hold).await?;
                Ok(hold)
            }
        }
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
        Ok(Hold {
            id,
            state: HoldState::Pending,
            operation: case.judged.digest,
            connection: case.judged.standing.connection.id.clone(),
            grant: case
                .judged
                .standing
                .grant
                .as_ref()
                .map(|grant| grant.id.clone()),
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
        let offers = self.adapter.offers(&case.judged.upstream.name);
        for variant in &case.resolved.variants {
            let verdict = self.engine.judge(
                &case.judged.standing.connection,
                &case.judged.upstream,
                &variant.operation,
                &variant.targets,
                Terms {
                    offers: &offers,
                    grant: None,
                    derived: true,
                },
            );
            let verdict = verdict.await?;
            if verdict.verdict.word() != "deny" {
                judged.push(JudgedVariant {
                    title: &variant.title,
                    operation: &variant.operation,
                    targets: &variant.targets,
                    judged: verdict,
                });
            }
        }
        judged.sort_by_key(|variant| variant.judged.environment());
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
        let leaf = Leaf::Held {
            op: case.id.clone(),
            hold: hold.id.clone(),
            what: case.judged.what(),
            choices: hold
                .card
                .choices
                .iter()
                .map(|choice| choice.document.digest())
                .collect(),
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
    async fn wait(&self, caller: &Caller, case: &Case, hold: Hold) -> Stopped<Answer<A::Reply>> {
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
        case: &Case,
        hold: Hold,
    ) -> Stopped<Answer<A::Reply>> {
        self.engine.may_try(caller)?;
        let summary = case.resolved.operation.summary.cut(120);
        match hold.state {
            HoldState::Approved => self.run_approved(case, &hold).await,
            HoldState::Scheduled => {
                let at = hold.run_at.unwrap_or_default();
                Err(Stop::scheduled(hold.id, &summary, at))
            }
            HoldState::Denied => Err(denied(&hold, &summary)),
            _ => Err(held(&hold)),
        }
    }

    /// Runs what people approved, once, if it is still what they approved.
    pub(crate) async fn run_approved(&self, case: &Case, hold: &Hold) -> Stopped<Answer<A::Reply>> {
        let executed = self.run_chosen(case, hold).await?;
        let variant = hold
            .chosen()
            .and_then(|choice| choice.document.variant.clone());
        match variant {
            None => Ok(crate::lane::answer_of(executed)),
            Some(title) => Err(done_differently(hold, &title, &executed.outcome)),
        }
    }

    pub(crate) async fn run_chosen(
        &self,
        case: &Case,
        hold: &Hold,
    ) -> Stopped<tagout_core::pipeline::Executed<A::Reply>> {
        let admitted = self.admit_chosen(case, hold);
        let operation = match admitted {
            Ok(operation) => operation,
            Err(why) => return Err(self.engine.void(hold, &why).await),
        };
        let store = &self.engine.store;
        store
            .step(&hold.id, hold.state, HoldEvent::Execute, None)
            .await?;
        self.engine.reach(FaultPoint::Consumed)?;
        let basis = Basis::Approval(hold.id.clone(), case.judged.policy());
        let carried = self.carry_out(case, operation, basis, Some(&hold.id)).await;
        if let Err(stop) = &carried {
            let event = HoldEvent::Fail;
            let line = Some(format!("not sent: {}", stop.reason));
            let _ = store
                .step(&hold.id, HoldState::Executing, event, line)
                .await;
        }
        carried
    }

    /// The chosen operation, if everything that was signed is still so.
    fn admit_chosen<'c>(&self, case: &'c Case, hold: &Hold) -> Result<&'c Operation, String> {
        let choice = hold.chosen().ok_or("nothing was signed")?;
        let document = &choice.document;
        let (operation, targets) = chosen_operation(case, document)?;
        let now = self.engine.clock.now();
        let scheduled = hold.state == HoldState::Scheduled;
        if !scheduled && now >= document.expires {
            return Err("the approval has expired".to_owned());
        }
        if document.policy != case.judged.policy() {
            return Err("the policy has changed since".to_owned());
        }
        if document.operation != case.judged.digest {
            return Err("it was approved for another operation or another asker".to_owned());
        }
        document
            .ceilings
            .admit(targets)
            .map_err(|drift| drift.to_string())?;
        let signed = self.engine.count_signatures(hold, choice)?;
        if signed.approvals < document.approvals {
            return Err("too few valid signatures".to_owned());
        }
        self.admit_by_policy(case, document, signed, hold, now)?;
        Ok(operation)
    }

    /// The policy again, with what was really done. A variant was judged by itself when it was drawn.
    fn admit_by_policy(
        &self,
        case: &Case,
        document: &ApprovalDocument,
        signed: Signed,
        hold: &Hold,
        now: UnixMs,
    ) -> Result<(), String> {
        if document.variant.is_some() {
            return Ok(());
        }
        let achieved: SafeguardSet = document.safeguards.iter().copied().collect();
        let evidence = Evidence {
            approvals: signed.people,
            solo: signed.solo,
            waited_ms: hold.approved.map_or(0, |at| now.since_ms(at)),
            achieved,
        };
        let questions = case.judged.with_evidence(evidence);
        admits(&questions, &case.judged.policies)
            .map(|_| ())
            .map_err(|why| why.to_string())
    }
}

/// What the bytes of the document stand for: the agent's operation, or one of the variants as they are
/// derived now.
fn chosen_operation<'c>(
    case: &'c Case,
    document: &ApprovalDocument,
) -> Result<(&'c Operation, &'c [Target]), String> {
    let asked = (&case.resolved.operation, case.resolved.targets.as_slice());
    let variants = case
        .resolved
        .variants
        .iter()
        .map(|variant| (&variant.operation, variant.targets.as_slice()));
    let mut all = variants.chain([asked]);
    all.find(|(operation, _)| operation.exact.digest() == document.bytes)
        .ok_or_else(|| "the bytes are not the ones that were approved".to_owned())
}

/// Valid signatures under one choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// Distinct people.
    pub(crate) people: u8,
    /// The only person signed a second time, late enough.
    pub(crate) solo: bool,
    /// People, and the second signature of one who is alone.
    pub(crate) approvals: u8,
}

impl Engine {
    /// Checks every signature of a hold again, from its bytes alone, against keys that are in force.
    pub(crate) fn count_signatures(&self, hold: &Hold, choice: &Choice) -> Result<Signed, String> {
        let digest = choice.document.digest();
        let mut people: Vec<(&tagout_core::ids::PersonId, UnixMs)> = Vec::new();
        for approval in &hold.approvals {
            let challenge = self.check_signature(approval)?;
            let says_yes = challenge.decision == Decision::Approve;
            if !(says_yes && challenge.approvals.contains(&digest)) {
                return Err("a signature is for something else".to_owned());
            }
            people.push((&approval.person, approval.at));
        }
        let distinct: BTreeSet<_> = people.iter().map(|(person, _)| *person).collect();
        let late = |window: &[(_, UnixMs)]| match window {
            [(_, first), (_, second)] => second.since_ms(*first) >= SOLO_AFTER_MS,
            _ => false,
        };
        let solo = distinct.len() == 1 && people.windows(2).any(late);
        let count = u8::try_from(distinct.len()).unwrap_or(u8::MAX);
        Ok(Signed {
            people: count,
            solo,
            approvals: if solo { count.max(2) } else { count },
        })
    }

    fn check_signature(&self, approval: &SignedApproval) -> Result<Challenge, String> {
        let challenge: Challenge = serde_json::from_str(&approval.challenge)
            .map_err(|_| "a signed challenge can't be read".to_owned())?;
        if challenge.approver != approval.person {
            return Err("a signature is somebody else's".to_owned());
        }
        let in_force = self.in_force();
        let known = in_force
            .people()
            .iter()
            .filter(|person| person.id == approval.person)
            .flat_map(|person| &person.authenticators)
            .any(|key| key.public_key == approval.public_key);
        if !known {
            return Err("a signature's passkey is not enrolled any more".to_owned());
        }
        let settings = &self.settings;
        verify_assertion(
            &approval.assertion,
            &challenge.bytes(),
            &settings.rp_id,
            &settings.origin,
            &approval.public_key,
            0,
        )
        .map_err(|error| error.to_string())?;
        Ok(challenge)
    }

    /// Voids an approval: the world, or the policy, is not what was approved.
    async fn void(&self, hold: &Hold, why: &str) -> Stop {
        let stepped = self
            .store
            .step(&hold.id, hold.state, HoldEvent::Drift, Some(why.to_owned()));
        let leaf = Leaf::Stepped {
            hold: hold.id.clone(),
            state: "void",
            why: why.to_owned(),
        };
        if let Err(error) = stepped.await {
            return error.into();
        }
        self.holds_changed.notify_waiters();
        if let Err(error) = self.record.note(&leaf).await {
            tracing::error!(%error, hold = %hold.id, "a void approval could not be recorded");
        }
        let mut refusal = Refusal::about(RefusalKind::Denied, hold.id.clone());
        refusal.line = format!(
            "DENIED by tagout ({}): the approval is void, because {why}. It was not executed.",
            hold.id
        );
        refusal.advice =
            "Repeat the request once if it is still needed: it will be held anew.".to_owned();
        Stop::recorded(refusal)
    }

    /// Waits until a hold is not pending any more.
    async fn until_decided(&self, id: &HoldId) -> Result<Hold, EngineError> {
        loop {
            let changed = self.holds_changed.notified();
            let hold = self.store.hold(id).await?;
            if hold.state != HoldState::Pending {
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

fn held(hold: &Hold) -> Stop {
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

fn executing(hold: HoldId, summary: &str) -> Stop {
    let mut refusal = Refusal::about(RefusalKind::Done, hold);
    refusal.line = format!("DONE by tagout: {summary} is being executed right now.");
    Stop::recorded(refusal)
}

fn done_differently(hold: &Hold, title: &str, outcome: &Outcome) -> Stop {
    let mut refusal = Refusal::about(RefusalKind::Done, hold.id.clone());
    refusal.line = format!(
        "DONE by tagout ({}): a person chose a safer way, \"{title}\", and that was executed instead: {}",
        hold.id,
        crate::lane::line_of(outcome)
    );
    refusal.advice = "What you asked for was not executed. Do not repeat it.".to_owned();
    Stop::recorded(refusal)
}

fn outcome_of(hold: &Hold) -> Outcome {
    let line = hold.outcome.clone().unwrap_or_default();
    match hold.state {
        HoldState::Executed => Outcome::Done(line),
        HoldState::Failed => Outcome::Failed(line),
        _ => Outcome::Unknown(line),
    }
}
