//! From bytes to meaning: what came in, and what it would do.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::BytesDigest;
use crate::effect::{Effect, EffectOn, Reversibility};
use crate::ids::UpstreamName;
use crate::untrusted::Untrusted;

/// Bytes that came in from an agent, in the form in which their protocol writes one request down:
/// for HTTP an HTTP/1.1 message without the agent's token.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Where the agent wants it to go.
    pub upstream: UpstreamName,
    /// The request.
    pub bytes: Bytes,
}

/// What an attempt means. Made by a pure function of the bytes, so the same bytes always mean the same.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Where it would go.
    pub upstream: UpstreamName,
    /// One line for lists and refusals: `volumeDelete(volumeId: "3d2c…")`.
    pub summary: Untrusted,
    /// The exact bytes that would be sent, written anew from what was parsed.
    pub exact: Exact,
    /// The same in a form a person reads whole on a card: all that determines resource and effect.
    pub shown: Untrusted,
    /// What the OperationDigest is taken over: one value for all ways to write the same thing.
    pub canonical: Value,
    /// What it does, in the order of the request; never empty.
    pub effects: Vec<EffectOn>,
    /// The secret fields that must not reach the agent.
    pub secrets: Vec<SecretPath>,
}

impl Operation {
    /// The last effect that applies.
    #[must_use]
    pub fn worst(&self) -> Effect {
        self.effects
            .iter()
            .map(|on| on.effect)
            .max()
            .unwrap_or(Effect::Unknown)
    }

    /// Whether every effect only observes. Not to be asked of [`Self::worst`]: `secret_read` is worse than
    /// `write`, so the worst of a write that answers with a secret only observes.
    #[must_use]
    pub fn only_observes(&self) -> bool {
        !self.effects.is_empty() && self.effects.iter().all(|on| on.effect.only_observes())
    }

    /// The least reversible of the effects.
    #[must_use]
    pub fn reversibility(&self) -> Reversibility {
        let worst = self.effects.iter().map(|on| on.reversibility).max();
        worst.unwrap_or(Reversibility::Unknown)
    }
}

/// Bytes with their digest, which can't come apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    bytes: Bytes,
    digest: BytesDigest,
}

impl Exact {
    /// Takes the digest of `bytes`.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        let digest = BytesDigest::of(&bytes);
        Self { bytes, digest }
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Their digest.
    #[must_use]
    pub const fn digest(&self) -> BytesDigest {
        self.digest
    }
}

/// Where a secret stands in a JSON answer: the names to follow from the top. `Each` stands for every
/// element of a list; `All` for everything below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretPath(pub Vec<PathStep>);

/// One step of a [`SecretPath`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathStep {
    /// The member of that name (the alias, where the request gave one), through lists.
    Field(String),
    /// Every value from here on: names stay, values go.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Resource;

    #[test]
    fn a_write_that_answers_with_a_secret_is_not_a_read() {
        let of = |effects: &[Effect]| Operation {
            upstream: "railway".parse().unwrap(),
            summary: "x".into(),
            exact: Exact::new(Bytes::new()),
            shown: "x".into(),
            canonical: Value::Null,
            effects: effects
                .iter()
                .map(|e| EffectOn::new(*e, Resource::anything(), ""))
                .collect(),
            secrets: Vec::new(),
        };
        for (effects, worst, only_observes) in [
            (
                &[Effect::Read, Effect::SecretRead][..],
                Effect::SecretRead,
                true,
            ),
            (
                &[Effect::Write, Effect::SecretRead],
                Effect::SecretRead,
                false,
            ),
            (&[Effect::Read], Effect::Read, true),
            (&[], Effect::Unknown, false),
        ] {
            let operation = of(effects);
            assert_eq!(
                (operation.worst(), operation.only_observes()),
                (worst, only_observes)
            );
        }
    }
}
