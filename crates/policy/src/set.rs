//! A set of policies made ready to decide: parsed, strictly validated, indexed, and with a digest.

use std::collections::BTreeSet;

use cedar_policy::{Schema, ValidationError, ValidationMode, Validator};
use miette::Diagnostic;
use serde_json::json;
use tagout_core::canonical::canonical_json;
use tagout_core::digest::PolicyDigest;

use crate::caps::Caps;
use crate::error::{Problem, Rejected};
use crate::facts::Names;
use crate::index::Index;
use crate::rule::Rule;
use crate::source::{Parsed, Source, offset_of, parse, said};

/// The schema of everything a policy can speak about.
const SCHEMA: &str = include_str!("../packs/default/schema.cedarschema");

/// The policies shipped with Tagout, by file. Guard rails first, so that their reasons are named first.
const DEFAULT_PACK: [(&str, &str); 5] = [
    (
        "default/guard_rails.cedar",
        include_str!("../packs/default/guard_rails.cedar"),
    ),
    (
        "default/reading.cedar",
        include_str!("../packs/default/reading.cedar"),
    ),
    (
        "default/changing.cedar",
        include_str!("../packs/default/changing.cedar"),
    ),
    (
        "default/beyond_reach.cedar",
        include_str!("../packs/default/beyond_reach.cedar"),
    ),
    (
        "default/destroying.cedar",
        include_str!("../packs/default/destroying.cedar"),
    ),
];

/// Policies ready to decide: the default pack, and whatever was added to it. Immutable.
#[derive(Debug)]
pub struct PolicySet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) index: Index,
    pub(crate) names: Names,
    pub(crate) caps: Caps,
    digest: PolicyDigest,
}

impl PolicySet {
    /// The default pack alone, with the default caps.
    ///
    /// # Errors
    /// Only if this build is defective; the crate's tests load it.
    pub fn default_pack() -> Result<Self, Rejected> {
        Self::load(&[], Caps::default())
    }

    /// The default pack and `added` policies beside it. Added policies can permit more, within the
    /// guard rails, or forbid more; they can't take anything of the default pack away.
    ///
    /// # Errors
    /// Everything that is wrong with the added texts; then nothing is loaded.
    pub fn load(added: &[Source], caps: Caps) -> Result<Self, Rejected> {
        let sources = with_default_pack(added);
        let (parsed, mut problems) = parse(&sources, DEFAULT_PACK.len());
        let schema = schema()?;
        problems.extend(validate(schema, &parsed, &sources)?);
        if !problems.is_empty() {
            return Err(Rejected { problems });
        }
        let rules = parsed
            .into_iter()
            .map(Rule::of)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            index: Index::of(&rules),
            rules,
            names: Names::new()?,
            caps,
            digest: digest(&sources, caps),
        })
    }

    /// The version of this set: schema, texts and caps.
    #[must_use]
    pub const fn digest(&self) -> PolicyDigest {
        self.digest
    }

    /// How many policies there are, the default pack included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Never: the default pack is always there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The ids and reasons of all policies, as loaded.
    pub fn reasons(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rules
            .iter()
            .map(|rule| (rule.id.as_str(), rule.reason.as_str()))
    }
}

/// The policies shipped with Tagout, for reading.
pub fn default_sources() -> impl Iterator<Item = Source> {
    DEFAULT_PACK
        .into_iter()
        .map(|(name, text)| Source::new(name, text))
}

fn with_default_pack(added: &[Source]) -> Vec<Source> {
    default_sources().chain(added.iter().cloned()).collect()
}

pub(crate) fn schema() -> Result<Schema, Problem> {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| Problem::Shipped {
        what: error.to_string(),
    })?;
    Ok(schema)
}

/// What the strict validator says. Warnings are problems as well: a policy that can never apply, or
/// that is written with look-alike letters, protects nobody.
fn validate(
    schema: Schema,
    parsed: &[Parsed],
    sources: &[Source],
) -> Result<Vec<Problem>, Problem> {
    let policies = parsed.iter().map(|parsed| parsed.policy.clone());
    let set =
        cedar_policy::PolicySet::from_policies(policies).map_err(|error| Problem::Shipped {
            what: error.to_string(),
        })?;
    let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
    let name = |error: &ValidationError| error.policy_id().to_string();
    let faulty: BTreeSet<String> = result.validation_errors().map(name).collect();
    let errors = result
        .validation_errors()
        .map(|error| invalid(name(error), error, parsed, sources));
    // A policy with an error is also said never to apply; that is no second fault.
    let warnings = result
        .validation_warnings()
        .map(|warning| (warning.policy_id().to_string(), warning))
        .filter(|(id, _)| !faulty.contains(id))
        .map(|(id, warning)| invalid(id, warning, parsed, sources));
    Ok(once_a_line(errors.chain(warnings).collect()))
}

/// The problems in the order of the texts, one a line: Cedar names a fault again for every action.
fn once_a_line(mut problems: Vec<Problem>) -> Vec<Problem> {
    let key = |problem: &Problem| match problem {
        Problem::Invalid { place, id, what } => (Some(place.clone()), id.clone(), what.clone()),
        other => (None, String::new(), other.to_string()),
    };
    problems.sort_by_cached_key(key);
    problems.dedup_by_key(|problem| match problem {
        Problem::Invalid { place, id, .. } => (Some(place.clone()), id.clone()),
        other => (None, other.to_string()),
    });
    problems
}

fn invalid<E: Diagnostic>(id: String, error: &E, parsed: &[Parsed], sources: &[Source]) -> Problem {
    let Some(policy) = parsed.iter().find(|parsed| parsed.id == id) else {
        return Problem::Shipped { what: said(error) };
    };
    let place = match (sources.get(policy.source), offset_of(error)) {
        (Some(source), Some(offset)) => source.place(offset),
        _ => policy.place.clone(),
    };
    let what = said(error);
    Problem::Invalid { place, id, what }
}

fn digest(sources: &[Source], caps: Caps) -> PolicyDigest {
    let texts: Vec<_> = sources
        .iter()
        .map(|source| json!([source.name, source.text]))
        .collect();
    let whole = json!({ "caps": caps, "policies": texts, "schema": SCHEMA });
    PolicyDigest::of(canonical_json(&whole).as_bytes())
}
