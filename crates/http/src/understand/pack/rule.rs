//! Rules: what a call with certain arguments does.

use serde::Deserialize;
use serde_json::Value;
use tagout_core::effect::{Effect, EffectOn, Mark, Reach, Reversibility};
use tagout_core::resource::Resource;

use super::condition::{Condition, Path};
use super::template::Template;

/// What one root field or route does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// What it always does.
    pub(crate) effect: Effect,
    /// To what.
    pub(crate) on: Template,
    /// The argument that names the environment. Without it, or where it is missing: everywhere.
    pub(crate) environment: Option<Path>,
    #[serde(default)]
    pub(crate) marks: Vec<Mark>,
    pub(crate) reversibility: Option<Reversibility>,
    /// Said on cards.
    pub(crate) why: Option<String>,
    /// The whole answer is a secret.
    #[serde(default)]
    pub(crate) secret: bool,
    /// The shape that an argument of free form must have: its path and the name of the shape.
    pub(crate) shape: Option<ShapeAt>,
    /// What it does besides under some condition.
    #[serde(default)]
    pub(crate) also: Vec<Also>,
}

/// Where a value of free form is, and which shape it must have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShapeAt {
    pub(crate) at: Path,
    pub(crate) is: String,
}

/// A further effect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Also {
    /// Once for each value at this path; conditions and `{1}` … then speak of that value.
    pub(crate) each: Option<Path>,
    /// All must hold.
    #[serde(default)]
    pub(crate) when: OneOrMore,
    pub(crate) effect: Effect,
    /// The rule's own unless said.
    pub(crate) on: Option<Template>,
    /// The rule's own unless said.
    pub(crate) environment: Option<Path>,
    #[serde(default)]
    pub(crate) marks: Vec<Mark>,
    pub(crate) reversibility: Option<Reversibility>,
    pub(crate) why: String,
}

/// One condition or several.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    #[default]
    None,
    One(Condition),
    Several(Vec<Condition>),
}

impl Also {
    /// As [`Rule::paths`]. With `each`, conditions speak of the values found and not of arguments.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let conditions = self.when.all().iter().filter(|_| self.each.is_none());
        let own = self.environment.iter().chain(&self.each);
        own.chain(self.on.as_ref().and_then(Template::path))
            .chain(conditions.map(Condition::path))
    }
}

impl OneOrMore {
    pub(crate) fn all(&self) -> &[Condition] {
        match self {
            Self::None => &[],
            Self::One(condition) => std::slice::from_ref(condition),
            Self::Several(conditions) => conditions,
        }
    }
}

impl Rule {
    /// Every path that this rule looks for among the arguments.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let shape = self.shape.as_ref().map(|shape| &shape.at);
        let own = self.environment.iter().chain(self.on.path()).chain(shape);
        own.chain(self.also.iter().flat_map(Also::paths)).collect()
    }

    /// Whether this rule looks at the argument of that name, or may do so through wildcards.
    pub(crate) fn looks_at(&self, name: &str) -> bool {
        let mut paths = self.paths().into_iter();
        paths.any(|path| path.names().next().is_none_or(|first| first == name))
    }

    /// The effects of a call of `name` with these arguments.
    pub(crate) fn judge(&self, name: &str, args: &Value) -> Vec<EffectOn> {
        let why = self
            .why
            .clone()
            .unwrap_or_else(|| format!("{name}: {}", self.effect.word()));
        let base = Shared {
            effect: self.effect,
            reach: self.reach(self.environment.as_ref(), args),
            marks: &self.marks,
            reversibility: self.reversibility,
            why: &why,
        };
        let mut effects = base.on_each(self.on.resources(args, args, &[]));
        for also in &self.also {
            effects.extend(self.further(also, name, args));
        }
        if effects.is_empty() {
            effects.push(EffectOn::new(
                Effect::Read,
                Resource::all("nothing"),
                format!("{name}: of nothing"),
            ));
        }
        effects
    }

    fn further(&self, also: &Also, name: &str, args: &Value) -> Vec<EffectOn> {
        let on = also.on.as_ref().unwrap_or(&self.on);
        let environment = also.environment.as_ref().or(self.environment.as_ref());
        let why = format!("{name}: {}", also.why);
        let shared = Shared {
            effect: also.effect,
            reach: self.reach(environment, args),
            marks: &also.marks,
            reversibility: also.reversibility,
            why: &why,
        };
        let holds = |value: &Value| {
            also.when
                .all()
                .iter()
                .all(|condition| condition.holds(value))
        };
        let Some(each) = &also.each else {
            return if holds(args) {
                shared.on_each(on.resources(args, args, &[]))
            } else {
                Vec::new()
            };
        };
        let found = each
            .find(args)
            .into_iter()
            .filter(|found| holds(found.value));
        found
            .flat_map(|found| shared.on_each(on.resources(args, found.value, &found.wildcards)))
            .collect()
    }

    fn reach(&self, environment: Option<&Path>, args: &Value) -> Reach {
        match environment.and_then(|path| path.one(args)) {
            Some(Value::String(id)) if !id.is_empty() => Reach::Environment(id.clone()),
            _ => Reach::Everywhere,
        }
    }
}

/// What the effects of one clause have in common.
struct Shared<'a> {
    effect: Effect,
    reach: Reach,
    marks: &'a [Mark],
    reversibility: Option<Reversibility>,
    why: &'a str,
}

impl Shared<'_> {
    fn on_each(&self, resources: Vec<Resource>) -> Vec<EffectOn> {
        resources
            .into_iter()
            .map(|resource| self.on(resource))
            .collect()
    }

    fn on(&self, resource: Resource) -> EffectOn {
        let plain = EffectOn::new(self.effect, resource, self.why);
        EffectOn {
            reach: self.reach.clone(),
            marks: self.marks.to_vec(),
            reversibility: self.reversibility.unwrap_or(plain.reversibility),
            ..plain
        }
    }
}
