//! What a person signs, and what makes it void.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::canonical::{canonical_text, prefixed_hash};
use crate::digest::{ApprovalDigest, BytesDigest, OperationDigest, PolicyDigest};
use crate::ids::{HoldId, PersonId, UpstreamName};
use crate::resolved::Target;
use crate::time::UnixMs;
use crate::verdict::Safeguard;

/// The prefix of the WebAuthn challenge of an approval or denial.
pub const APPROVE_PREFIX: &str = "tagout/approve/v1";

/// Everything an approval binds. Its canonical text is what the ApprovalDigest is taken over; it is
/// kept beside the ledger, so that anybody can check a signature later with nothing of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalDocument {
    /// The hold.
    pub hold: HoldId,
    /// Where it would go.
    pub upstream: UpstreamName,
    /// What was asked, in canonical form.
    pub operation: OperationDigest,
    /// The exact bytes that would be sent: the agent's, or the derived variant's.
    pub bytes: BytesDigest,
    /// The safer variant chosen, by its title; absent for what the agent asked.
    pub variant: Option<String>,
    /// What a person was shown, whole.
    pub shown: String,
    /// Resources with the environments they would be reached in, by id.
    pub ceilings: Ceilings,
    /// What is imposed.
    pub safeguards: BTreeSet<Safeguard>,
    /// How many people have to agree.
    pub approvals: u8,
    /// How long after the last approval it runs.
    pub delay_ms: u64,
    /// The policy it was judged by.
    pub policy: PolicyDigest,
    /// When an unused approval ends.
    pub expires: UnixMs,
}

impl ApprovalDocument {
    /// The canonical text.
    #[must_use]
    pub fn text(&self) -> String {
        canonical_text(self)
    }

    /// The digest over [`Self::text`].
    #[must_use]
    pub fn digest(&self) -> ApprovalDigest {
        ApprovalDigest::of(self.text().as_bytes())
    }
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may run.
    Approve,
    /// It may not.
    Deny,
}

/// What the passkey signs, by way of the WebAuthn challenge: the decision, by whom, on what, and the
/// ledger as it stood when the card was drawn. So each approval also witnesses the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// On what: each approval digest of the card, in its order. One for a single hold.
    pub approvals: Vec<ApprovalDigest>,
    /// Yes or no.
    pub decision: Decision,
    /// By whom.
    pub approver: PersonId,
    /// Random, so that no two ceremonies have the same challenge. Hexadecimal.
    pub nonce: String,
    /// The ledger's checkpoint, as its signed note's body.
    pub checkpoint: String,
}

impl Challenge {
    /// The canonical text.
    #[must_use]
    pub fn text(&self) -> String {
        canonical_text(self)
    }

    /// The 32 bytes given to the authenticator.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        prefixed_hash(APPROVE_PREFIX, self.text().as_bytes())
    }
}

/// How far the world may move and the approval still hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceilings {
    /// Each resource with the ids of the environments it was found in.
    pub places: BTreeMap<String, BTreeSet<String>>,
    /// The most of each thing that may go: rows, backups, bytes.
    pub counts: BTreeMap<String, u64>,
}

/// What moved beyond what was approved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Drift {
    /// A resource is reached that nobody approved.
    #[error("`{0}` was not among what was approved")]
    Resource(String),
    /// A resource is reached in an environment that nobody approved.
    #[error("`{resource}` is now also in environment `{place}`")]
    Place {
        /// The resource.
        resource: String,
        /// The environment's id.
        place: String,
    },
    /// A resource could no longer be found.
    #[error("`{0}` could not be found again")]
    Lost(String),
    /// More would go than was approved.
    #[error("{of}: {now} now, at most {ceiling} approved")]
    Count {
        /// Of what.
        of: String,
        /// How many now.
        now: u64,
        /// How many were approved.
        ceiling: u64,
    },
}

impl Ceilings {
    /// What was shown, and a margin of a tenth (at least one) on everything that is counted: living
    /// data is not drift.
    #[must_use]
    pub fn around(targets: &[Target]) -> Self {
        let mut ceilings = Self::default();
        for target in targets {
            let places = ceilings
                .places
                .entry(target.resource().to_string())
                .or_default();
            places.extend(target.places.iter().map(|place| place.id.clone()));
            for count in &target.counts {
                let ceiling = ceilings.counts.entry(count.of.clone()).or_default();
                *ceiling = ceiling.saturating_add(count.count);
            }
        }
        for ceiling in ceilings.counts.values_mut() {
            *ceiling = ceiling.saturating_add((*ceiling / 10).max(1));
        }
        ceilings
    }

    /// Whether what was found now is inside.
    ///
    /// # Errors
    /// The first [`Drift`] found.
    pub fn admit(&self, targets: &[Target]) -> Result<(), Drift> {
        let mut now: BTreeMap<&str, u64> = BTreeMap::new();
        for target in targets {
            self.admit_places(target)?;
            for count in &target.counts {
                let sum = now.entry(&count.of).or_default();
                *sum = sum.saturating_add(count.count);
            }
        }
        for (of, now) in now {
            let ceiling = self.counts.get(of).copied().unwrap_or_default();
            if now > ceiling {
                return Err(Drift::Count {
                    of: of.to_owned(),
                    now,
                    ceiling,
                });
            }
        }
        Ok(())
    }

    fn admit_places(&self, target: &Target) -> Result<(), Drift> {
        let resource = target.resource().to_string();
        let Some(approved) = self.places.get(&resource) else {
            return Err(Drift::Resource(resource));
        };
        if target.places.is_empty() && !approved.is_empty() {
            return Err(Drift::Lost(resource));
        }
        match target
            .places
            .iter()
            .find(|place| !approved.contains(&place.id))
        {
            Some(place) => Err(Drift::Place {
                resource,
                place: place.id.clone(),
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Effect, EffectOn};
    use crate::environment::Place;
    use crate::resolved::{Count, Provenance};
    use crate::resource::Resource;

    fn target(id: &str, places: &[&str], backups: u64) -> Target {
        let on = EffectOn::new(Effect::Destroy, Resource::new("volume", id), "test");
        let place = |id: &&str| Place {
            id: (*id).to_owned(),
            name: "x".into(),
            project: None,
            ephemeral: false,
        };
        let count = Count {
            of: "backups".into(),
            count: backups,
            provenance: Provenance::Resolved,
        };
        let mut target = Target::not_found(on);
        target.places = places.iter().map(place).collect();
        target.counts = vec![count];
        target
    }

    #[test]
    fn living_data_is_not_drift_and_other_ids_are() {
        let approved = Ceilings::around(&[target("a", &["prod", "staging"], 4)]);
        let admit = |targets: &[Target]| approved.admit(targets);
        assert_eq!(admit(&[target("a", &["prod", "staging"], 5)]), Ok(()));
        assert_eq!(admit(&[target("a", &["staging"], 0)]), Ok(()));
        assert_eq!(
            admit(&[target("b", &["prod"], 0)]),
            Err(Drift::Resource("volume:b".into()))
        );
        assert!(matches!(
            admit(&[target("a", &["pr-7"], 0)]),
            Err(Drift::Place { .. })
        ));
        assert_eq!(
            admit(&[target("a", &[], 0)]),
            Err(Drift::Lost("volume:a".into()))
        );
        assert_eq!(
            admit(&[target("a", &["prod"], 6)]),
            Err(Drift::Count {
                of: "backups".into(),
                now: 6,
                ceiling: 5
            })
        );
        let two = [target("a", &["prod"], 3), target("a", &["staging"], 3)];
        assert!(matches!(admit(&two), Err(Drift::Count { now: 6, .. })));
    }

    #[test]
    fn every_part_of_a_challenge_changes_it() {
        let base = Challenge {
            approvals: vec![ApprovalDigest::of(b"a")],
            decision: Decision::Approve,
            approver: PersonId::from_bits([1; 16]),
            nonce: "00".into(),
            checkpoint: "origin\n1\nroot\n".into(),
        };
        let mut others = vec![base.clone(); 5];
        others[0].approvals = vec![ApprovalDigest::of(b"b")];
        others[1].decision = Decision::Deny;
        others[2].approver = PersonId::from_bits([2; 16]);
        others[3].nonce = "01".into();
        others[4].checkpoint = "origin\n2\nroot\n".into();
        for other in others {
            assert_ne!(other.bytes(), base.bytes(), "{other:?}");
        }
    }
}
