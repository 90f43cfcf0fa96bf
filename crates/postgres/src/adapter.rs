//! What a session brings to the pipeline: what its unit of work means, what it reached, and its commit.
//!
//! One for each session. The operation that is executed here is *the commit* of what was tried before (or,
//! for what refuses to run in a transaction, the statement itself): exactly what was staged under the digest
//! of the bytes that were judged, and nothing else.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tagout_core::digest::BytesDigest;
use tagout_core::effect::{Effect, EffectOn};
use tagout_core::ids::UpstreamName;
use tagout_core::operation::{Attempt, Exact, Operation};
use tagout_core::permit::Clearance;
use tagout_core::pipeline::{Adapter, Ambiguous, Errands, Executed, Later, Outcome};
use tagout_core::resolved::{Resolved, Target};
use tagout_core::resource::Resource;
use tagout_core::untrusted::Untrusted;
use tagout_core::verdict::Safeguard;

use crate::error::PostgresError;
use crate::session::exchange::{Answers, Exchange};
use crate::session::link::Link;
use crate::session::script::Script;
use crate::session::settle::Settler;
use crate::understand::Reader;
use crate::understand::statement::{Act, Statement};
use crate::unit::Unit;

/// What the session knows of the unit that is judged next.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The unit's bytes.
    pub(crate) exact: BytesDigest,
    /// What it reaches: looked up, or measured.
    pub(crate) targets: Vec<Target>,
    /// Whether it ran on trial and `targets` are what was measured.
    pub(crate) measured: bool,
    /// Whether it can be tried.
    pub(crate) can_be_tried: bool,
    /// What executing it takes.
    pub(crate) plan: Plan,
}

/// What executing a unit takes.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Nothing: it is only looked at.
    Look,
    /// Committing what was tried.
    Commit {
        /// `COMMIT`, or `COMMIT AND CHAIN`.
        sql: &'static str,
        /// The transaction's id, where it has one, to ask what became of it.
        xid: Option<u64>,
    },
    /// Sending this.
    Send(Script),
}

/// What came of executing.
#[derive(Debug)]
pub struct Committed {
    pub(crate) answers: Answers,
}

/// A session, for the engine.
pub struct SessionAdapter {
    pub(crate) upstream: UpstreamName,
    pub(crate) reader: Arc<Reader>,
    pub(crate) link: tokio::sync::Mutex<Link>,
    pub(crate) goes_on: Box<dyn Fn() -> bool + Send + Sync>,
    pub(crate) settler: Settler,
    staged: Mutex<Option<Staged>>,
}

impl SessionAdapter {
    pub(crate) fn new(
        upstream: UpstreamName,
        reader: Arc<Reader>,
        link: Link,
        goes_on: Box<dyn Fn() -> bool + Send + Sync>,
        settler: Settler,
    ) -> Self {
        Self {
            upstream,
            reader,
            link: tokio::sync::Mutex::new(link),
            goes_on,
            settler,
            staged: Mutex::new(None),
        }
    }

    /// Says what is judged next.
    pub(crate) fn stage(&self, staged: Staged) {
        *self.staged() = Some(staged);
    }

    fn staged(&self) -> std::sync::MutexGuard<'_, Option<Staged>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plan for exactly these bytes, once.
    fn plan_for(&self, exact: &Exact) -> Option<Plan> {
        let mut staged = self.staged();
        let mine = staged.as_mut().filter(|it| it.exact == exact.digest())?;
        match std::mem::replace(&mut mine.plan, Plan::Look) {
            Plan::Look => None,
            plan => Some(plan),
        }
    }

    async fn carry_out(&self, plan: Plan) -> Executed<Committed> {
        let mut link = self.link.lock().await;
        let goes_on = || true;
        match plan {
            Plan::Look => not_sent("nothing was staged"),
            Plan::Commit { sql, xid } => {
                let mut script = Script::default();
                script.own_query(sql);
                let sent = Exchange::new(&mut link, &goes_on).run(script).await;
                self.committed(sent, xid).await
            }
            Plan::Send(script) => {
                let goes_on = self.goes_on.as_ref();
                outcome_of(Exchange::new(&mut link, goes_on).run(script).await)
            }
        }
    }

    /// What became of a commit. Where the answer was lost, the server is asked.
    async fn committed(
        &self,
        sent: Result<Answers, PostgresError>,
        xid: Option<u64>,
    ) -> Executed<Committed> {
        let answers = match sent {
            Ok(answers) => answers,
            Err(error) => return without_answer(self.settler.settle(xid, &error).await),
        };
        let outcome = match (
            &answers.own_error,
            answers.own_tags.last().map(String::as_str),
        ) {
            (Some(error), _) => Outcome::Failed(format!("{}: {}", error.sqlstate, error.message)),
            (None, Some("COMMIT")) => Outcome::Done(match xid {
                Some(xid) => format!("committed as transaction {xid}"),
                None => "committed".to_owned(),
            }),
            (None, _) => Outcome::Failed("the server rolled it back".to_owned()),
        };
        Executed {
            outcome,
            reply: Some(Committed { answers }),
        }
    }
}

impl Adapter for SessionAdapter {
    type Reply = Committed;

    fn classify(&self, attempt: &Attempt) -> Result<Operation, Ambiguous> {
        Ok(operation_of(attempt, &self.reader))
    }

    fn resolve<'a>(
        &'a self,
        operation: Operation,
        _errands: &'a dyn Errands,
    ) -> Later<'a, Resolved> {
        let mut targets = Vec::new();
        let mut achieved = BTreeSet::new();
        if let Some(staged) = &*self.staged()
            && staged.exact == operation.exact.digest()
        {
            targets.clone_from(&staged.targets);
            if staged.measured {
                achieved.insert(Safeguard::Trial);
            }
        }
        if targets.is_empty() {
            targets = operation
                .effects
                .iter()
                .cloned()
                .map(Target::not_found)
                .collect();
        }
        Box::pin(std::future::ready(Resolved {
            operation,
            targets,
            variants: Vec::new(),
            achieved,
        }))
    }

    fn offers(&self, operation: &Operation) -> BTreeSet<Safeguard> {
        let staged = self.staged();
        let can_be_tried = staged
            .as_ref()
            .is_some_and(|it| it.can_be_tried && it.exact == operation.exact.digest());
        can_be_tried
            .then_some(Safeguard::Trial)
            .into_iter()
            .collect()
    }

    fn serves(&self, _upstream: &UpstreamName) -> bool {
        false
    }

    fn execute<'a>(
        &'a self,
        clearance: Clearance,
        operation: &'a Operation,
    ) -> Later<'a, Executed<Committed>> {
        Box::pin(async move {
            if !clearance.admits(&self.upstream, &operation.exact) {
                return not_sent("this is not what was cleared");
            }
            match self.plan_for(&operation.exact) {
                Some(plan) => self.carry_out(plan).await,
                None => not_sent("the transaction is not open any more"),
            }
        })
    }
}

/// For those who are still signing in: it understands nothing and sends nothing.
#[derive(Debug)]
pub struct AtTheDoor;

impl Adapter for AtTheDoor {
    type Reply = Committed;

    fn classify(&self, _attempt: &Attempt) -> Result<Operation, Ambiguous> {
        Err(Ambiguous(
            "nothing can be asked before signing in".to_owned(),
        ))
    }

    fn resolve<'a>(
        &'a self,
        operation: Operation,
        _errands: &'a dyn Errands,
    ) -> Later<'a, Resolved> {
        let targets = operation.effects.iter().cloned().map(Target::not_found);
        let targets = targets.collect();
        Box::pin(std::future::ready(Resolved {
            operation,
            targets,
            variants: Vec::new(),
            achieved: BTreeSet::new(),
        }))
    }

    fn offers(&self, _operation: &Operation) -> BTreeSet<Safeguard> {
        BTreeSet::new()
    }

    fn serves(&self, _upstream: &UpstreamName) -> bool {
        false
    }

    fn execute<'a>(
        &'a self,
        _clearance: Clearance,
        _operation: &'a Operation,
    ) -> Later<'a, Executed<Committed>> {
        Box::pin(std::future::ready(not_sent("nobody has signed in")))
    }
}

const fn without_answer(outcome: Outcome) -> Executed<Committed> {
    Executed {
        outcome,
        reply: None,
    }
}

fn not_sent(why: &str) -> Executed<Committed> {
    without_answer(Outcome::NotSent(why.to_owned()))
}

fn outcome_of(sent: Result<Answers, PostgresError>) -> Executed<Committed> {
    match sent {
        Ok(answers) => Executed {
            outcome: match &answers.error {
                Some(error) => Outcome::Failed(format!("{}: {}", error.sqlstate, error.message)),
                None => Outcome::Done(answers.tags.join(", ")),
            },
            reply: Some(Committed { answers }),
        },
        Err(error) => without_answer(Outcome::Unknown(error.to_string())),
    }
}

/// What an attempt's bytes mean by their own words.
pub(crate) fn operation_of(attempt: &Attempt, reader: &Reader) -> Operation {
    let exact = Exact::new(attempt.bytes.clone());
    let upstream = attempt.upstream.clone();
    let Some(unit) = Unit::from_bytes(&attempt.bytes) else {
        let text = String::from_utf8_lossy(&attempt.bytes).into_owned();
        return Operation {
            upstream,
            summary: Untrusted::new(text.chars().take(160).collect::<String>()),
            exact,
            shown: Untrusted::new(text.clone()),
            canonical: text.into(),
            effects: vec![unknown("this is no unit of work")],
            secrets: Vec::new(),
        };
    };
    Operation {
        upstream,
        summary: unit.summary(),
        exact,
        shown: unit.shown(),
        canonical: serde_json::to_value(&unit).unwrap_or_default(),
        effects: effects_of(&unit, reader),
        secrets: Vec::new(),
    }
}

fn unknown(why: &str) -> EffectOn {
    EffectOn::new(Effect::Unknown, Resource::anything(), why)
}

fn effects_of(unit: &Unit, reader: &Reader) -> Vec<EffectOn> {
    let mut effects: Vec<EffectOn> = Vec::new();
    for step in &unit.steps {
        match reader.read_blocking(step.sql.as_bytes()) {
            Ok(statements) => statements
                .iter()
                .flat_map(acts)
                .map(effect_of)
                .for_each(|effect| merge(&mut effects, effect)),
            Err(error) => merge(&mut effects, unknown(&error.to_string())),
        }
    }
    if effects.is_empty() {
        effects.push(EffectOn::new(
            Effect::Read,
            Resource::anything(),
            "nothing is asked",
        ));
    }
    effects
}

fn acts(statement: &Statement) -> impl Iterator<Item = &Act> {
    statement.acts.iter()
}

/// An act as an effect, on its object as written.
pub(crate) fn effect_of(act: &Act) -> EffectOn {
    let id = act.object.name.as_ref().map_or_else(
        || "*".to_owned(),
        |name| match &name.schema {
            Some(schema) => format!("{schema}.{}", name.name),
            None => name.name.clone(),
        },
    );
    EffectOn {
        reversibility: act.reversibility,
        marks: act.marks.clone(),
        ..EffectOn::new(
            act.effect,
            Resource::new(act.object.kind, id),
            act.why.clone(),
        )
    }
}

/// The same effect on the same thing, in many statements, is one effect many times.
fn merge(effects: &mut Vec<EffectOn>, effect: EffectOn) {
    let same = |other: &&mut EffectOn| {
        other.effect == effect.effect
            && other.resource == effect.resource
            && other.marks == effect.marks
    };
    match effects.iter_mut().find(same) {
        Some(other) if effect.effect.only_observes() => {
            other.reversibility = other.reversibility.max(effect.reversibility);
        }
        Some(other) => {
            other.members = other.members.saturating_add(effect.members);
            other.reversibility = other.reversibility.max(effect.reversibility);
        }
        None => effects.push(effect),
    }
}
