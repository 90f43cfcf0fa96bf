//! What an operation would really touch: looked up, measured, and marked with where each fact is from.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::effect::EffectOn;
use crate::environment::{Environment, Place};
use crate::operation::Operation;
use crate::resource::Resource;
use crate::untrusted::Untrusted;
use crate::verdict::Safeguard;

/// How we know a fact. Never mixed on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Counted by us.
    Measured,
    /// Looked up in the live resource.
    Resolved,
    /// Said by a policy, a pack or a person.
    Declared,
    /// Said by the agent.
    Claimed,
}

/// One fact for the card: `backups: 4 (resolved)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about: `size`, `backups`, `attached to`.
    pub label: String,
    /// Its value.
    pub value: Untrusted,
    /// How we know.
    pub provenance: Provenance,
}

/// What one effect would reach, as looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The effect, from the operation.
    pub on: EffectOn,
    /// What the provider calls the resource.
    pub name: Option<Untrusted>,
    /// Every environment it would reach. Empty means: not found, and so unknown.
    pub places: Vec<Place>,
    /// What else would go with it: backups, bytes, dependants.
    pub counts: Vec<Count>,
    /// More for the card.
    pub facts: Vec<Fact>,
}

/// How many of something would be touched: `backup: 4`. The ceilings of an approval are made of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Of what: `rows`, `objects`, `backups`, `bytes`.
    pub of: String,
    /// How many.
    pub count: u64,
    /// How we know.
    pub provenance: Provenance,
}

/// A milder operation that would do what the agent seems to want; a person may choose it instead.
#[derive(Clone, Debug)]
pub struct Variant {
    /// What it does, for the button: `delete in staging only`.
    pub title: String,
    /// The derived operation itself.
    pub operation: Operation,
    /// What it would reach.
    pub targets: Vec<Target>,
}

/// An operation whose targets were looked up. Consumes the operation.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What was asked.
    pub operation: Operation,
    /// One for each effect, in the same order.
    pub targets: Vec<Target>,
    /// Safer ways, mildest first.
    pub variants: Vec<Variant>,
    /// Safeguards that were really put in place on the way here: a trial whose end was measured. Then the
    /// targets carry what was measured.
    pub achieved: BTreeSet<Safeguard>,
}

/// A place and what a person said it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labelled {
    /// The provider's environment.
    pub place: Place,
    /// The label bound to its id, or what follows from its being short-lived, or unknown.
    pub environment: Environment,
}

impl Target {
    /// The target of an effect that could not be found: everywhere, and so unknown.
    #[must_use]
    pub const fn not_found(on: EffectOn) -> Self {
        Self {
            on,
            name: None,
            places: Vec::new(),
            counts: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// The resource.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.on.resource
    }
}
