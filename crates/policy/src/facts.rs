//! A question in Cedar's terms: who, what, where, and the situation.
//!
//! The words are those of `packs/default/schema.cedarschema`; a test validates both against each other.

use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use tagout_core::effect::{Effect, Mark};
use tagout_core::environment::Environment;
use tagout_core::verdict::{Mode, Safeguard};

use crate::caps::{Caps, DELAY_MS};
use crate::error::Problem;
use crate::question::{Evidence, Question};
use crate::safeguards::SafeguardSet;

const HOUR_MS: u64 = 60 * 60 * 1000;

/// The names of the schema's types, parsed once.
#[derive(Debug)]
pub(crate) struct Names {
    agent: EntityTypeName,
    person: EntityTypeName,
    connection: EntityTypeName,
    grant: EntityTypeName,
    resource: EntityTypeName,
    upstream: EntityTypeName,
    kind: EntityTypeName,
    actions: HashMap<Effect, EntityUid>,
}

impl Names {
    /// Parses them.
    pub(crate) fn new() -> Result<Self, Problem> {
        let action = named("Action")?;
        let uid = |effect: Effect| (effect, uid_of(&action, effect.word()));
        Ok(Self {
            agent: named("Agent")?,
            person: named("Person")?,
            connection: named("Connection")?,
            grant: named("Grant")?,
            resource: named("Resource")?,
            upstream: named("Upstream")?,
            kind: named("Kind")?,
            actions: Effect::ALL.into_iter().map(uid).collect(),
        })
    }
}

fn named(name: &str) -> Result<EntityTypeName, Problem> {
    EntityTypeName::from_str(name).map_err(|error| Problem::Shipped {
        what: error.to_string(),
    })
}

fn uid_of(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// What stays the same of a question, whatever is done to make it acceptable.
pub(crate) struct Facts {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    pub(crate) principals: Vec<Option<EntityUid>>,
    pub(crate) resources: Vec<Option<EntityUid>>,
    pub(crate) entities: Entities,
    situation: Vec<(&'static str, RestrictedExpression)>,
    contained: bool,
    within_caps: bool,
}

/// What is done to make it acceptable, really or supposed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    approvals: u8,
    solo: bool,
    waited_hours: u64,
    safeguards: SafeguardSet,
    /// A trial is supposed to end within the caps: if it does not, the measured facts are asked again.
    supposed: bool,
}

impl Done {
    /// What really was done.
    pub(crate) fn really(evidence: &Evidence) -> Self {
        Self {
            approvals: evidence.signatures(),
            solo: evidence.solo && evidence.approvals == 1,
            waited_hours: evidence.waited_ms / HOUR_MS,
            safeguards: evidence.achieved,
            supposed: false,
        }
    }

    /// What would have been done if these safeguards were imposed.
    pub(crate) fn supposing(safeguards: SafeguardSet) -> Self {
        let delayed = safeguards.has(Safeguard::Delay);
        Self {
            approvals: safeguards.people(),
            solo: false,
            waited_hours: if delayed { DELAY_MS / HOUR_MS } else { 0 },
            safeguards,
            supposed: true,
        }
    }

    const fn measured_within_caps(&self) -> bool {
        self.supposed && self.safeguards.has(Safeguard::Trial)
    }
}

impl Facts {
    /// The facts of a question.
    ///
    /// # Errors
    /// What Cedar says where it takes one of them for no entity; never for texts of any sort.
    pub(crate) fn of(question: &Question, names: &Names, caps: &Caps) -> Result<Self, String> {
        let asker = &*question.asker;
        let principal = uid_of(&names.agent, &asker.agent);
        let mut groups = vec![
            uid_of(&names.person, &asker.owner),
            uid_of(&names.connection, asker.connection.as_str()),
        ];
        groups.extend(
            asker
                .grant
                .iter()
                .map(|grant| uid_of(&names.grant, grant.as_str())),
        );

        let resource = uid_of(
            &names.resource,
            &format!("{}/{}", question.upstream, question.resource),
        );
        let places = vec![
            uid_of(&names.upstream, question.upstream.as_str()),
            uid_of(&names.kind, question.resource.kind()),
        ];
        let agent = entity(&principal, agent_attributes(question), &groups)?;
        let thing = entity(&resource, resource_attributes(question), &places)?;
        let entities =
            Entities::from_entities([agent, thing], None).map_err(|error| error.to_string())?;
        let action = names.actions.get(&question.effect).cloned();
        let within_caps = caps.hold(question);
        Ok(Self {
            principals: with_anyone(&principal, groups),
            resources: with_anyone(&resource, places),
            principal,
            action: action.ok_or("no action for this effect")?,
            resource,
            entities,
            situation: situation(question),
            contained: question.contained && question.undoable_by_us,
            within_caps,
        })
    }

    /// The request, with what has been done so far.
    ///
    /// # Errors
    /// What Cedar says where it does not take the context.
    pub(crate) fn request(&self, done: &Done) -> Result<Request, String> {
        let measured = done.measured_within_caps();
        let changing = [
            ("approvals", long(u64::from(done.approvals))),
            ("solo", truth(done.solo)),
            ("waited_hours", long(done.waited_hours)),
            ("redacted", truth(done.safeguards.has(Safeguard::Redact))),
            (
                "before_image",
                truth(done.safeguards.has(Safeguard::BeforeImage)),
            ),
            (
                "soft_variant",
                truth(done.safeguards.has(Safeguard::SoftVariant)),
            ),
            ("snapshot", truth(done.safeguards.has(Safeguard::Snapshot))),
            ("trial", truth(done.safeguards.has(Safeguard::Trial))),
            ("contained", truth(self.contained || measured)),
            ("within_caps", truth(self.within_caps || measured)),
        ];
        let pairs = self.situation.iter().cloned().chain(changing);
        let context = Context::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value)))
            .map_err(|error| error.to_string())?;
        let (who, what, to) = (&self.principal, &self.action, &self.resource);
        Request::new(who.clone(), what.clone(), to.clone(), context, None)
            .map_err(|error| error.to_string())
    }
}

fn with_anyone(uid: &EntityUid, groups: Vec<EntityUid>) -> Vec<Option<EntityUid>> {
    [None, Some(uid.clone())]
        .into_iter()
        .chain(groups.into_iter().map(Some))
        .collect()
}

fn entity(
    uid: &EntityUid,
    attributes: HashMap<String, RestrictedExpression>,
    groups: &[EntityUid],
) -> Result<Entity, String> {
    let groups: HashSet<_> = groups.iter().cloned().collect();
    Entity::new(uid.clone(), attributes, groups).map_err(|error| error.to_string())
}

fn agent_attributes(question: &Question) -> HashMap<String, RestrictedExpression> {
    let asker = &*question.asker;
    let mut attributes = HashMap::from([
        ("name".to_owned(), text(&asker.agent)),
        ("owner".to_owned(), text(&asker.owner)),
        ("connection".to_owned(), text(asker.connection.as_str())),
    ]);
    if let Some(grant) = &asker.grant {
        attributes.insert("grant".to_owned(), text(grant.as_str()));
    }
    if let Some(task) = &asker.task {
        attributes.insert("task".to_owned(), text(task));
    }
    attributes
}

fn resource_attributes(question: &Question) -> HashMap<String, RestrictedExpression> {
    // What nobody labelled is production here, so that `environment != "production"` can't open it.
    let environment = match question.environment {
        Environment::Unknown => Environment::Production,
        known => known,
    };
    HashMap::from([
        ("kind".to_owned(), text(question.resource.kind())),
        ("id".to_owned(), text(question.resource.id())),
        ("upstream".to_owned(), text(question.upstream.as_str())),
        ("environment".to_owned(), text(environment.word())),
        (
            "labelled".to_owned(),
            truth(question.environment != Environment::Unknown),
        ),
    ])
}

fn situation(question: &Question) -> Vec<(&'static str, RestrictedExpression)> {
    let offers = |safeguard| truth(question.offers.has(safeguard));
    vec![
        ("offers_redaction", offers(Safeguard::Redact)),
        ("offers_before_image", offers(Safeguard::BeforeImage)),
        ("offers_soft_variant", offers(Safeguard::SoftVariant)),
        ("offers_snapshot", offers(Safeguard::Snapshot)),
        ("offers_trial", offers(Safeguard::Trial)),
        ("coverage", text(question.coverage.word())),
        ("emit_named", truth(question.emit_named)),
        ("read_only", truth(question.read_only)),
        ("members", long(question.members)),
        ("undoable_by_us", truth(question.undoable_by_us)),
        ("mode", text(mode_word(question.mode))),
        ("foundation", truth(question.has(Mark::Foundation))),
        ("mint", truth(question.has(Mark::Mint))),
        ("ourselves", truth(question.has(Mark::Ourselves))),
        ("undo", truth(question.has(Mark::Undo))),
        ("whole", truth(question.has(Mark::Whole))),
        ("procedural", truth(question.has(Mark::Procedural))),
    ]
}

const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Guard => "guard",
        Mode::Strict => "strict",
    }
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn truth(value: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(value)
}

/// Counts beyond what Cedar can hold are the largest it can.
fn long(value: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(value).unwrap_or(i64::MAX))
}
