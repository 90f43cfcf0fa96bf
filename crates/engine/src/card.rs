//! Drawing a card: everything a person needs for one decision, and the documents they would sign.

use tagout_core::approval::{ApprovalDocument, Ceilings};
use tagout_core::card::{Card, CardTarget, Choice};
use tagout_core::effect::{Effect, Reversibility};
use tagout_core::environment::Environment;
use tagout_core::hold::{APPROVAL_LIFE_MS, HOLD_LIFE_MS};
use tagout_core::ids::HoldId;
use tagout_core::operation::Operation;
use tagout_core::resolved::{Fact, Labelled, Provenance, Resolved, Target};
use tagout_core::time::UnixMs;
use tagout_core::untrusted::Untrusted;
use tagout_core::verdict::Verdict;

use crate::judge::Judged;

/// A milder way and what policy says of it.
pub(crate) struct JudgedVariant<'a> {
    pub(crate) title: &'a str,
    pub(crate) operation: &'a Operation,
    pub(crate) targets: &'a [Target],
    pub(crate) judged: Judged,
}

/// What a card is drawn from.
pub(crate) struct Sitting<'a> {
    pub(crate) hold: HoldId,
    pub(crate) resolved: &'a Resolved,
    pub(crate) judged: &'a Judged,
    pub(crate) variants: &'a [JudgedVariant<'a>],
    pub(crate) precedent: Vec<String>,
    pub(crate) notices: Vec<String>,
    /// Whether only one person is enrolled.
    pub(crate) solo: bool,
    pub(crate) now: UnixMs,
}

/// How long a hold waits that one person has to sign twice.
const SOLO_LIFE_MS: u64 = 24 * 60 * 60 * 1000;

impl Sitting<'_> {
    /// The card.
    pub(crate) fn card(&self) -> Card {
        let Self {
            resolved, judged, ..
        } = self;
        let connection = &judged.standing.connection;
        Card {
            hold: self.hold.clone(),
            headline: headline(judged, &resolved.targets),
            environment: judged.environment(),
            targets: resolved
                .targets
                .iter()
                .zip(&judged.places)
                .map(card_target)
                .collect(),
            reversibility: reversibility(&resolved.targets),
            reason: reason(&judged.verdict),
            operation: resolved.operation.shown.clone(),
            agent: connection.agent.clone(),
            connection: connection.id.clone(),
            task: judged
                .standing
                .grant
                .as_ref()
                .map(|grant| grant.task.clone()),
            strays: strays(judged),
            precedent: self.precedent.clone(),
            claimed: None,
            notices: self.notices.clone(),
            choices: self.choices(),
            expires: self.now.plus_ms(self.life_ms()),
        }
    }

    /// An hour; a day where one person has to sign twice, twelve hours apart.
    fn life_ms(&self) -> u64 {
        let twice = Terms::of(&self.judged.verdict).approvals > 1;
        if twice && self.solo {
            SOLO_LIFE_MS
        } else {
            HOLD_LIFE_MS
        }
    }

    /// The safer ways first; what the agent asked last.
    fn choices(&self) -> Vec<Choice> {
        let safer = self.variants.iter().map(|variant| {
            let title = Some(variant.title);
            self.choice(title, variant.operation, variant.targets, &variant.judged)
        });
        let asked = self.choice(
            None,
            &self.resolved.operation,
            &self.resolved.targets,
            self.judged,
        );
        safer.chain([asked]).collect()
    }

    fn choice(
        &self,
        variant: Option<&str>,
        operation: &Operation,
        targets: &[Target],
        judged: &Judged,
    ) -> Choice {
        let terms = Terms::of(&judged.verdict);
        let document = ApprovalDocument {
            hold: self.hold.clone(),
            upstream: operation.upstream.clone(),
            operation: self.judged.digest,
            bytes: operation.exact.digest(),
            variant: variant.map(str::to_owned),
            shown: operation.shown.raw().to_owned(),
            ceilings: Ceilings::around(targets),
            safeguards: terms.safeguards,
            approvals: terms.approvals,
            delay_ms: terms.delay_ms,
            policy: judged.policy(),
            expires: self.now.plus_ms(self.life_ms() + APPROVAL_LIFE_MS),
        };
        let title = title_of(variant, terms.delay_ms, judged);
        Choice {
            title,
            shown: operation.shown.clone(),
            document,
        }
    }
}

/// What a verdict demands of an approval. Somebody who approves always signs at least once.
struct Terms {
    safeguards: std::collections::BTreeSet<tagout_core::verdict::Safeguard>,
    approvals: u8,
    delay_ms: u64,
}

impl Terms {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Hold {
                safeguards,
                approvals,
                delay_ms,
                ..
            } => Self {
                safeguards: safeguards.iter().copied().collect(),
                approvals: (*approvals).max(1),
                delay_ms: *delay_ms,
            },
            Verdict::Allow { safeguards, .. } => Self {
                safeguards: safeguards.iter().copied().collect(),
                approvals: 1,
                delay_ms: 0,
            },
            // A variant that policy denies is not offered; this is never signed.
            Verdict::Deny { .. } => Self {
                safeguards: std::collections::BTreeSet::new(),
                approvals: 2,
                delay_ms: 0,
            },
        }
    }
}

fn title_of(variant: Option<&str>, delay_ms: u64, judged: &Judged) -> String {
    let everywhere: Vec<_> = judged.places.iter().flatten().cloned().collect();
    let asked = || format!("approve as asked, in {}", where_to(&everywhere));
    let title = variant.map_or_else(asked, str::to_owned);
    if delay_ms == 0 {
        return title;
    }
    format!("{title}; runs {} hours later", delay_ms / 3_600_000)
}

/// Verb, object and resolved environment: `destroy volume postgres-data in production, staging`.
fn headline(judged: &Judged, targets: &[Target]) -> Untrusted {
    let worst = targets
        .iter()
        .zip(&judged.places)
        .max_by_key(|(target, _)| (target.on.effect, target.on.members));
    let Some((target, places)) = worst else {
        return Untrusted::new("nothing");
    };
    let name = target
        .name
        .as_ref()
        .map_or(target.on.resource.id(), Untrusted::raw);
    let mut text = format!(
        "{} {} `{name}` in {}",
        verb(target.on.effect),
        target.on.resource.kind(),
        where_to(places)
    );
    if targets.len() > 1 {
        text.push_str(&format!(" (and {} more)", targets.len() - 1));
    }
    Untrusted::new(text)
}

const fn verb(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "read",
        Effect::Write => "change",
        Effect::Disrupt => "disrupt",
        Effect::SecretRead => "read secrets of",
        Effect::Emit => "send out",
        Effect::Privilege => "change rights of",
        Effect::Opaque => "run something unseen in",
        Effect::Unknown => "do something unknown to",
        Effect::Unprotect => "take the protection from",
        Effect::Destroy => "DESTROY",
    }
}

/// The environments by their labels, strictest first, each once.
fn where_to(places: &[Labelled]) -> String {
    let mut labels: Vec<_> = places.iter().map(|labelled| labelled.environment).collect();
    labels.sort_unstable();
    labels.dedup();
    labels.reverse();
    if labels.is_empty() {
        return "an unknown environment".to_owned();
    }
    let words: Vec<_> = labels.into_iter().map(word_of).collect();
    words.join(" and ")
}

const fn word_of(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "PRODUCTION",
        Environment::Unknown => "an unlabelled environment (counts as PRODUCTION)",
        Environment::Staging => "staging",
        Environment::Development => "development",
    }
}

fn reversibility(targets: &[Target]) -> Reversibility {
    let worst = targets.iter().map(|target| target.on.reversibility).max();
    worst.unwrap_or(Reversibility::Unknown)
}

fn reason(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Hold { reason, .. } | Verdict::Deny { reason, .. } => reason.clone(),
        Verdict::Allow { .. } => String::new(),
    }
}

fn card_target((target, places): (&Target, &Vec<Labelled>)) -> CardTarget {
    let counted = target.counts.iter().map(|count| Fact {
        label: count.of.clone(),
        value: Untrusted::new(count.count.to_string()),
        provenance: count.provenance,
    });
    let members = (target.on.members > 1).then(|| Fact {
        label: "times".to_owned(),
        value: Untrusted::new(target.on.members.to_string()),
        provenance: Provenance::Measured,
    });
    CardTarget {
        effect: target.on.effect.word().to_owned(),
        resource: Untrusted::new(target.on.resource.to_string()),
        name: target.name.clone(),
        places: places.clone(),
        facts: members
            .into_iter()
            .chain(counted)
            .chain(target.facts.iter().cloned())
            .collect(),
        why: target.on.why.clone(),
    }
}

/// How far this is from what the task covers.
fn strays(judged: &Judged) -> String {
    let outside = judged
        .questions
        .iter()
        .find(|question| question.coverage != tagout_policy::Coverage::Full);
    let Some(question) = outside else {
        return String::new();
    };
    let whose = judged
        .standing
        .grant
        .as_ref()
        .map_or("its standing rights do", |_| "its task does");
    format!(
        "{whose} not cover {} of {} in {}",
        question.effect.word(),
        question.resource.kind(),
        question.environment.word()
    )
}
