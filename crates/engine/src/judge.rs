//! From what would be reached to a verdict: labels, standing, questions, policy.

use std::collections::BTreeSet;
use std::sync::Arc;

use tagout_core::digest::{OperationDigest, PolicyDigest};
use tagout_core::effect::{Effect, Mark};
use tagout_core::environment::Environment;
use tagout_core::grant::{Connection, Spending};
use tagout_core::ids::GrantId;
use tagout_core::operation::Operation;
use tagout_core::proposal::Upstream;
use tagout_core::resolved::{Labelled, Target};
use tagout_core::resource::Resource;
use tagout_core::rights::{Coverage, Rights};
use tagout_core::verdict::{Safeguard, Verdict};
use tagout_policy::{Asker, Evidence, PolicySet, Question, SafeguardSet, decide};

use crate::authority::{InForce, Standing};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::leaf::{Landing, What};
use crate::purses::Charge;

/// What the engine found out about one operation, in one piece.
pub(crate) struct Judged {
    pub(crate) standing: Standing,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) digest: OperationDigest,
    /// For each target its places with their labels.
    pub(crate) places: Vec<Vec<Labelled>>,
    pub(crate) questions: Vec<Question>,
    pub(crate) verdict: Verdict,
    pub(crate) policies: Arc<PolicySet>,
    /// A grant that would cover this and was stopped by its budget.
    pub(crate) tripped: Option<GrantId>,
}

/// What a judgement starts from besides the operation.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// What the upstream offers.
    pub(crate) offers: &'a BTreeSet<Safeguard>,
    /// What was put in place already.
    pub(crate) achieved: &'a BTreeSet<Safeguard>,
    /// Whose rights count.
    pub(crate) under: Under<'a>,
    /// Whether the gateway derived it as a safer way to what the agent asked. Then the agent's rights
    /// don't name it, and a person has to choose it.
    pub(crate) derived: bool,
}

/// Whose rights count.
#[derive(Clone, Copy)]
pub(crate) enum Under<'a> {
    /// Those of whichever grant serves best.
    Best,
    /// Those under which it was asked, even if they have expired since: a grant's, or the
    /// connection's own.
    AsAsked(Option<&'a GrantId>),
}

impl Terms<'_> {
    const fn floor(&self) -> Coverage {
        if self.derived {
            Coverage::OtherEnvironment
        } else {
            Coverage::None
        }
    }
}

impl Engine {
    /// Judges an operation and its targets as they were found.
    pub(crate) async fn judge(
        &self,
        connection: &Arc<Connection>,
        upstream: &Arc<Upstream>,
        operation: &Operation,
        targets: &[Target],
        terms: Terms<'_>,
    ) -> Result<Judged, EngineError> {
        let in_force = self.in_force();
        let policies = self.policies();
        let places = labelled(&in_force, upstream, targets);
        let covers = |rights: &Rights| least_coverage(rights, upstream, targets, &places);
        let now = self.clock.now();
        let standing = match terms.under {
            Under::AsAsked(grant) => in_force.standing_under(connection, grant),
            Under::Best => in_force.standing(connection, now, covers),
        };
        let tripped = in_force.tripped(&standing, now, covers);
        let spent = self.spent_by(&standing, targets);
        let asker = Arc::new(asker_of(&standing));
        let offered = |target: &Target| offered(&terms, operation, target);
        let questions: Vec<_> = targets
            .iter()
            .zip(&places)
            .map(|(target, places)| Question {
                mode: upstream.mode,
                marks: marks(upstream, target),
                coverage: policy_coverage(
                    coverage(standing.rights(), upstream, target, places).max(terms.floor()),
                ),
                emit_named: standing.grant_names(Effect::Emit),
                read_only: standing.rights().only_observe(),
                members: target.on.members,
                task_members: spent.0.get(&target.on.effect).copied().unwrap_or_default(),
                offers: offered(target),
                ..Question::new(
                    Arc::clone(&asker),
                    upstream.name.clone(),
                    target.on.effect,
                    target.on.resource.clone(),
                    strictest(places),
                )
            })
            .collect();
        let verdict = decide(&questions, &policies);
        let digest =
            OperationDigest::of_operation(standing.asker(), &upstream.name, &operation.canonical);
        Ok(Judged {
            upstream: Arc::clone(upstream),
            standing,
            digest,
            places,
            questions,
            verdict,
            policies,
            tripped,
        })
    }

    fn spent_by(&self, standing: &Standing, targets: &[Target]) -> Spending {
        if targets
            .iter()
            .all(|target| target.on.effect.only_observes())
        {
            return Spending::default();
        }
        self.purses.spent(&standing.own_purse())
    }
}

impl Judged {
    /// Whether nothing but reading happens.
    pub(crate) fn only_observes(&self) -> bool {
        self.questions
            .iter()
            .all(|question| question.effect.only_observes())
    }

    /// The strictest environment that would be reached.
    pub(crate) fn environment(&self) -> Environment {
        let found = self
            .questions
            .iter()
            .map(|question| question.environment)
            .max();
        found.unwrap_or(Environment::Unknown)
    }

    /// What it would spend: members by effect, reads not counted.
    pub(crate) fn spending(&self) -> Spending {
        let counted = self
            .questions
            .iter()
            .filter(|question| !question.effect.only_observes());
        counted.fold(Spending::default(), |sum, question| {
            sum.plus(&Spending([(question.effect, question.members)].into()))
        })
    }

    /// The same, and from whom.
    pub(crate) fn charge(&self) -> Charge {
        let purses = self.standing.purses.iter();
        Charge {
            purses: purses.map(|(purse, _)| purse.clone()).collect(),
            spending: self.spending(),
        }
    }

    /// The policy it was judged by.
    pub(crate) fn policy(&self) -> PolicyDigest {
        self.policies.digest()
    }

    /// The same without any text, for the ledger.
    pub(crate) fn what(&self) -> What {
        let landing = |(question, places): (&Question, &Vec<Labelled>)| Landing {
            effect: question.effect,
            resource: question.resource.to_string(),
            places: places
                .iter()
                .map(|labelled| labelled.place.id.clone())
                .collect(),
            environment: question.environment,
            members: question.members,
        };
        What {
            connection: self.standing.connection.id.clone(),
            grant: self.standing.grant.as_ref().map(|grant| grant.id.clone()),
            upstream: self.upstream.name.clone(),
            operation: self.digest,
            effects: self
                .questions
                .iter()
                .zip(&self.places)
                .map(landing)
                .collect(),
            verdict: self.verdict.word(),
        }
    }

    /// The questions again, with what was really done.
    pub(crate) fn with_evidence(&self, evidence: Evidence) -> Vec<Question> {
        let with = |question: &Question| Question {
            evidence,
            ..question.clone()
        };
        self.questions.iter().map(with).collect()
    }
}

fn labelled(in_force: &InForce, upstream: &Upstream, targets: &[Target]) -> Vec<Vec<Labelled>> {
    let labels = |target: &Target| {
        target
            .places
            .iter()
            .map(|place| in_force.label(&upstream.name, place))
            .collect()
    };
    targets.iter().map(labels).collect()
}

/// The pack's marks, and that it is on Tagout itself: by its own id, or in a place that is wholly ours.
fn marks(upstream: &Upstream, target: &Target) -> Vec<Mark> {
    let mut marks = target.on.marks.clone();
    let own = |ours: &Resource| {
        ours.covers(&target.on.resource)
            || ours.id() == target.on.resource.id()
            || target.places.iter().any(|place| place.id == ours.id())
    };
    if upstream.ourselves.iter().any(own) && !target.on.effect.only_observes() {
        marks.push(Mark::Ourselves);
    }
    marks
}

/// The strictest label; a resource found nowhere is unknown.
fn strictest(places: &[Labelled]) -> Environment {
    let labels = places.iter().map(|labelled| labelled.environment);
    labels.max().unwrap_or(Environment::Unknown)
}

/// How far rights cover one target: the least of all its places. An undo is covered wherever its asker
/// may write or read.
fn coverage(
    rights: &Rights,
    upstream: &Upstream,
    target: &Target,
    places: &[Labelled],
) -> Coverage {
    let environment = strictest(places);
    let of = |effect| rights.coverage(&upstream.name, effect, &target.on.resource, environment);
    let own = of(target.on.effect);
    if target.on.has(Mark::Undo) {
        return own.max(of(Effect::Write)).max(of(Effect::Read));
    }
    own
}

fn least_coverage(
    rights: &Rights,
    upstream: &Upstream,
    targets: &[Target],
    places: &[Vec<Labelled>],
) -> Coverage {
    let each = targets.iter().zip(places);
    let least = each
        .map(|(target, places)| coverage(rights, upstream, target, places))
        .min();
    least.unwrap_or(Coverage::None)
}

const fn policy_coverage(coverage: Coverage) -> tagout_policy::Coverage {
    match coverage {
        Coverage::None => tagout_policy::Coverage::None,
        Coverage::OtherEnvironment => tagout_policy::Coverage::OtherEnvironment,
        Coverage::Full => tagout_policy::Coverage::Full,
    }
}

/// What the upstream offers for one target. A secret can only be taken out of an answer where the pack says
/// where it stands. What a trial has measured is judged by its numbers, and no other trial is supposed for
/// it; what cannot be seen into has no numbers of its own, and stays acceptable for having been tried.
fn offered(terms: &Terms<'_>, operation: &Operation, target: &Target) -> SafeguardSet {
    let tried = terms.achieved.contains(&Safeguard::Trial);
    let possible = |safeguard: &&Safeguard| match safeguard {
        Safeguard::Redact => !operation.secrets.is_empty(),
        Safeguard::Trial => !tried || target.on.effect == Effect::Opaque,
        _ => true,
    };
    terms.offers.iter().filter(possible).copied().collect()
}

fn asker_of(standing: &Standing) -> Asker {
    let grant = standing.grant.as_ref();
    Asker {
        agent: standing.connection.agent.raw().to_owned(),
        owner: standing
            .connection
            .owner
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        connection: standing.connection.id.clone(),
        grant: grant.map(|grant| grant.id.clone()),
        task: grant.map(|grant| grant.task.raw().to_owned()),
    }
}
