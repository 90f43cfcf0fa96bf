//! A question in Cedar's terms: who, what, where, and the situation.
//!
//! Everything here is a plain value, so it is given to Cedar's core as one: through the outer interface each
//! would be an expression to be evaluated first, for every rung of the ladder, which took half the time of a
//! decision. The words are those of `packs/default/schema.cedarschema`; a test validates both against each other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr as _;
use std::sync::Arc;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use cedar_policy_core::ast::{
    Context, Entity, EntityUID, PartialValue, Request, RequestSchemaAllPass, Value,
};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
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
    situation: Context,
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
        let agent = entity(&principal, agent_attributes(question), &groups);
        let thing = entity(&resource, resource_attributes(question), &places);
        let entities = Entities::from_entities(
            [agent, thing],
            None::<&NoEntitiesSchema>,
            TCComputation::ComputeNow,
            Extensions::all_available(),
        );
        let entities = entities.map_err(|error| error.to_string())?;
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
        let Context::Value(situation) = &self.situation else {
            return Err("the situation is not known".to_owned());
        };
        let mut whole = BTreeMap::clone(situation);
        whole.extend(changing.map(|(name, value)| (name.into(), value)));
        let named = |uid: &EntityUid| (<EntityUid as AsRef<EntityUID>>::as_ref(uid).clone(), None);
        let request = Request::new(
            named(&self.principal),
            named(&self.action),
            named(&self.resource),
            Context::Value(Arc::new(whole)),
            None::<&RequestSchemaAllPass>,
            Extensions::all_available(),
        );
        request.map_err(|error| error.to_string())
    }
}

fn with_anyone(uid: &EntityUid, groups: Vec<EntityUid>) -> Vec<Option<EntityUid>> {
    [None, Some(uid.clone())]
        .into_iter()
        .chain(groups.into_iter().map(Some))
        .collect()
}

fn entity(uid: &EntityUid, attributes: Vec<(&str, Value)>, groups: &[EntityUid]) -> Entity {
    let inner = |uid: &EntityUid| -> EntityUID { uid.as_ref().clone() };
    Entity::new_with_attr_partial_value(
        inner(uid),
        attributes
            .into_iter()
            .map(|(name, value)| (name.into(), PartialValue::Value(value))),
        HashSet::new(),
        groups.iter().map(inner).collect(),
        [],
    )
}

fn agent_attributes(question: &Question) -> Vec<(&'static str, Value)> {
    let asker = &*question.asker;
    let mut attributes = vec![
        ("name", text(&asker.agent)),
        ("owner", text(&asker.owner)),
        ("connection", text(asker.connection.as_str())),
    ];
    let grant = asker.grant.iter();
    attributes.extend(grant.map(|grant| ("grant", text(grant.as_str()))));
    attributes.extend(asker.task.iter().map(|task| ("task", text(task))));
    attributes
}

fn resource_attributes(question: &Question) -> Vec<(&'static str, Value)> {
    // What nobody labelled is production here, so that `environment != "production"` can't open it.
    let environment = match question.environment {
        Environment::Unknown => Environment::Production,
        known => known,
    };
    vec![
        ("kind", text(question.resource.kind())),
        ("id", text(question.resource.id())),
        ("upstream", text(question.upstream.as_str())),
        ("environment", text(environment.word())),
        (
            "labelled",
            truth(question.environment != Environment::Unknown),
        ),
    ]
}

fn situation(question: &Question) -> Context {
    let offers = |safeguard| truth(question.offers.has(safeguard));
    let pairs = [
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
    ];
    let pairs = pairs.map(|(name, value): (&str, Value)| (name.into(), value));
    Context::Value(Arc::new(pairs.into()))
}

const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Guard => "guard",
        Mode::Strict => "strict",
    }
}

fn text(value: &str) -> Value {
    Value::from(value)
}

fn truth(value: bool) -> Value {
    Value::from(value)
}

/// Counts beyond what Cedar can hold are the largest it can.
fn long(value: u64) -> Value {
    Value::from(i64::try_from(value).unwrap_or(i64::MAX))
}
