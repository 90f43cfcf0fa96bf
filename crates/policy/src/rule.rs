//! One policy made ready: its scope, and which safeguards can change what it says.

use cedar_policy::{ActionConstraint, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};
use cedar_policy_core::ast::Expr;
use serde_json::Value;
use tagout_core::effect::Effect;
use tagout_core::verdict::Safeguard;

use crate::error::Problem;
use crate::safeguards::SafeguardSet;
use crate::source::Parsed;

/// One policy, by itself so that it is evaluated only when it can matter.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) reason: String,
    pub(crate) instead: Option<String>,
    pub(crate) forbids: bool,
    /// The safeguards that its conditions look at: others cannot change what it says.
    pub(crate) reads: SafeguardSet,
    pub(crate) scope: Scope,
    /// Its scope and conditions as one expression, which is true where the policy applies.
    pub(crate) condition: Expr,
    #[cfg(test)]
    pub(crate) policy: Policy,
}

/// To whom, what and where a policy can apply at most.
#[derive(Debug)]
pub(crate) struct Scope {
    /// The agent or a group of it, or anyone.
    pub(crate) principal: Option<EntityUid>,
    /// The effects, or any.
    pub(crate) actions: Vec<Effect>,
    /// The resource or a group of it, or any.
    pub(crate) resource: Option<EntityUid>,
}

impl Rule {
    /// Makes a parsed policy ready.
    pub(crate) fn of(parsed: Parsed) -> Result<Self, Problem> {
        let shipped = |what: String| Problem::Shipped { what };
        let json = parsed
            .policy
            .to_json()
            .map_err(|error| shipped(error.to_string()))?;
        let scope = Scope::of(&parsed.policy);
        let forbids = parsed.policy.effect() == cedar_policy::Effect::Forbid;
        let inner: &cedar_policy_core::ast::Policy = parsed.policy.as_ref();
        Ok(Self {
            id: parsed.id,
            reason: parsed.reason,
            instead: parsed.instead,
            forbids,
            reads: reads(&json),
            scope,
            condition: inner.condition(),
            #[cfg(test)]
            policy: parsed.policy,
        })
    }
}

impl Scope {
    fn of(policy: &Policy) -> Self {
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
            PrincipalConstraint::In(uid)
            | PrincipalConstraint::Eq(uid)
            | PrincipalConstraint::IsIn(_, uid) => Some(uid),
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
            ResourceConstraint::In(uid)
            | ResourceConstraint::Eq(uid)
            | ResourceConstraint::IsIn(_, uid) => Some(uid),
        };
        let actions = match policy.action_constraint() {
            ActionConstraint::Any => Effect::ALL.to_vec(),
            ActionConstraint::Eq(uid) => effects([uid]),
            ActionConstraint::In(uids) => effects(uids),
        };
        Self {
            principal,
            actions,
            resource,
        }
    }
}

/// The effects that these actions are. The schema has no groups of actions, so nothing is lost.
fn effects(actions: impl IntoIterator<Item = EntityUid>) -> Vec<Effect> {
    let mut found: Vec<Effect> = actions
        .into_iter()
        .filter_map(|uid| Effect::from_word(uid.id().unescaped()))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The safeguards that a policy's conditions can see, from Cedar's JSON form of it. Whatever is not
/// recognised counts as seeing all of them.
fn reads(json: &Value) -> SafeguardSet {
    match json {
        Value::Object(members) => match attribute_of_context(members) {
            Some(attribute) => seen_through(attribute),
            None if members.get("Var").and_then(Value::as_str) == Some("context") => {
                SafeguardSet::ALL
            }
            None => members
                .values()
                .map(reads)
                .fold(SafeguardSet::NONE, SafeguardSet::union),
        },
        Value::Array(items) => items
            .iter()
            .map(reads)
            .fold(SafeguardSet::NONE, SafeguardSet::union),
        _ => SafeguardSet::NONE,
    }
}

/// `approvals` of `{".": {"left": {"Var": "context"}, "attr": "approvals"}}`, the form of
/// `context.approvals`.
fn attribute_of_context(members: &serde_json::Map<String, Value>) -> Option<&str> {
    let access = members
        .get(".")
        .filter(|_| members.len() == 1)?
        .as_object()?;
    let left = access.get("left")?.as_object()?;
    let of_context = left.len() == 1 && left.get("Var")?.as_str()? == "context";
    let attribute = access.get("attr")?.as_str()?;
    (of_context && access.len() == 2).then_some(attribute)
}

/// The safeguards that move this attribute of the context.
fn seen_through(attribute: &str) -> SafeguardSet {
    match attribute {
        "approvals" => SafeguardSet::only(Safeguard::AskOne).and(Safeguard::AskTwo),
        "waited_hours" => SafeguardSet::only(Safeguard::Delay),
        "redacted" => SafeguardSet::only(Safeguard::Redact),
        "before_image" => SafeguardSet::only(Safeguard::BeforeImage),
        "soft_variant" => SafeguardSet::only(Safeguard::SoftVariant),
        "snapshot" => SafeguardSet::only(Safeguard::Snapshot),
        "trial" | "contained" | "within_caps" => SafeguardSet::only(Safeguard::Trial),
        _ => SafeguardSet::NONE,
    }
}
