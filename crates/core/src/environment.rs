//! Environments: what a person bound to a provider's ids. Names are not environments.

use serde::{Deserialize, Serialize};

use crate::untrusted::Untrusted;

/// Where a resource lives, mildest first. `Unknown` is treated as production by every rule and sorts
/// last, so that the strictest of a set is its maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Labelled so by a person, marked ephemeral by the provider, or created under this grant.
    Development,
    /// Labelled so by a person.
    Staging,
    /// Labelled so by a person.
    Production,
    /// Not labelled, or not resolved.
    Unknown,
}

impl Environment {
    /// Every environment, mildest first.
    pub const ALL: [Self; 4] = [
        Self::Development,
        Self::Staging,
        Self::Production,
        Self::Unknown,
    ];

    /// The word used in policies, JSON and on cards.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Unknown => "unknown",
        }
    }

    /// The environment of that word, or `None`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|environment| environment.word() == word)
    }

    /// Whether rules for production apply.
    #[must_use]
    pub const fn counts_as_production(self) -> bool {
        matches!(self, Self::Production | Self::Unknown)
    }
}

/// A provider's environment (or database, or cluster): the id that a person's label is bound to.
/// `name` and `project` are what the provider calls it, and decide nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The provider's id, unique within the upstream.
    pub id: String,
    /// What the provider calls it.
    pub name: Untrusted,
    /// What the provider calls the project it belongs to.
    pub project: Option<Untrusted>,
    /// Whether the provider itself marks it as short-lived.
    pub ephemeral: bool,
}
