//! What an operation does to a resource, and whether it can be taken back.

use serde::{Deserialize, Serialize};

use crate::resource::Resource;

/// What an operation does, mildest first: `worst` of a list is its maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Observes.
    Read,
    /// Changes or adds.
    Write,
    /// Stops or degrades a service and loses nothing.
    Disrupt,
    /// Returns a secret.
    SecretRead,
    /// Leaves our reach for good: money, messages, publication.
    Emit,
    /// Makes or rotates credentials, changes rights or ownership.
    Privilege,
    /// Runs, now or later, what we cannot see into.
    Opaque,
    /// We could not tell.
    Unknown,
    /// Takes away what would have saved the owner: backups, protection, retention.
    Unprotect,
    /// Data or identity is gone.
    Destroy,
}

impl Effect {
    /// Every effect, mildest first.
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Write,
        Self::Disrupt,
        Self::SecretRead,
        Self::Emit,
        Self::Privilege,
        Self::Opaque,
        Self::Unknown,
        Self::Unprotect,
        Self::Destroy,
    ];

    /// The word used in policies, JSON and on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Disrupt => "disrupt",
            Self::SecretRead => "secret_read",
            Self::Emit => "emit",
            Self::Privilege => "privilege",
            Self::Opaque => "opaque",
            Self::Unknown => "unknown",
            Self::Unprotect => "unprotect",
            Self::Destroy => "destroy",
        }
    }

    /// The effect of that word, or `None`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.word() == word)
    }

    /// Whether the operation only observes, so that it may be recorded in a group.
    #[must_use]
    pub const fn only_observes(self) -> bool {
        matches!(self, Self::Read | Self::SecretRead)
    }
}

/// Whether what an operation does can be taken back, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// By us.
    Undoable,
    /// From a verified copy.
    Restorable,
    /// By redoing work.
    Costly,
    /// We could not tell.
    Unknown,
    /// Not at all.
    Irreversible,
}

impl Reversibility {
    /// The one word on a card.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Undoable => "undoable",
            Self::Restorable => "restorable",
            Self::Costly => "costly",
            Self::Unknown => "unknown",
            Self::Irreversible => "irreversible",
        }
    }
}

/// What makes an effect graver, or milder, than its class says. Declared by packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Backups, whole projects, accounts or keys: two people, then a delay.
    Foundation,
    /// Makes a credential for the upstream itself: an escape from the gateway, always denied.
    Mint,
    /// An operation on Tagout itself: its service, variables, volume, store or DNS. Always denied.
    Ourselves,
    /// Takes back what an earlier operation did, and nothing else.
    Undo,
    /// Data or identity of a resource as a whole is gone: delayed after approval.
    Whole,
    /// Code that the request itself brings and that composes what it does: `DO`, `CALL`, SQL given as text.
    /// In production a trial alone does not make it acceptable.
    Procedural,
}

/// Which environments an effect may reach, as far as the bytes themselves say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Wherever the resource lives. A missing optional argument means *all*.
    Everywhere,
    /// The provider's environment with this id, as named by the request. Still to be resolved.
    Environment(String),
}

/// One effect on one resource, and the reason why we say so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectOn {
    /// What happens.
    pub effect: Effect,
    /// To what.
    pub resource: Resource,
    /// Where, as far as the bytes say.
    pub reach: Reach,
    /// How many objects this touches, as far as the bytes say; at least one.
    pub members: u64,
    /// Whether this effect can be taken back, as the pack declares.
    pub reversibility: Reversibility,
    /// What makes it graver or milder.
    pub marks: Vec<Mark>,
    /// The rule or fact behind the classification, for cards and for `explain`.
    pub why: String,
}

impl EffectOn {
    /// An effect on one object, wherever it lives, whose reversibility follows from the effect:
    /// reads are undoable, the rest is unknown until a pack says more.
    #[must_use]
    pub fn new(effect: Effect, resource: Resource, why: impl Into<String>) -> Self {
        let reversibility = if effect.only_observes() {
            Reversibility::Undoable
        } else {
            Reversibility::Unknown
        };
        Self {
            effect,
            resource,
            reach: Reach::Everywhere,
            members: 1,
            reversibility,
            marks: Vec::new(),
            why: why.into(),
        }
    }

    /// Whether this effect carries `mark`.
    #[must_use]
    pub fn has(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_serde_names_and_come_back() {
        for effect in Effect::ALL {
            assert_eq!(serde_json::to_value(effect).unwrap(), effect.word());
            assert_eq!(Effect::from_word(effect.word()), Some(effect));
        }
        assert_eq!(Effect::from_word("Destroy"), None);
    }

    #[test]
    fn the_worst_effect_is_the_last_that_applies() {
        assert_eq!(Effect::ALL.into_iter().max(), Some(Effect::Destroy));
        assert!(Effect::Unknown > Effect::Opaque && Effect::Unprotect > Effect::Unknown);
        assert!(Effect::ALL.is_sorted());
    }
}
