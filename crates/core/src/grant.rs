//! Connections and grants: who may ask for what, for how long, and how much of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::ids::{ConnectionId, GrantId, PersonId};
use crate::rights::{Rights, Wider};
use crate::time::UnixMs;
use crate::untrusted::Untrusted;

/// A grant lives eight hours unless said otherwise.
pub const GRANT_LIFE_MS: u64 = 8 * 60 * 60 * 1000;

/// A connection ends after thirty days without use.
pub const CONNECTION_IDLE_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// One agent in one workspace: what goes into an agent's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id, which is also the public half of its token.
    pub id: ConnectionId,
    /// Which agent: `cursor`, `claude-code`.
    pub agent: Untrusted,
    /// Where it works: a folder or repository name.
    pub workspace: Untrusted,
    /// The person it acts for.
    pub owner: Option<PersonId>,
    /// A connection that this one was narrowed from, if any.
    pub parent: Option<ConnectionId>,
    /// What it may ask for without a grant.
    pub rights: Rights,
    /// What it may spend without a grant.
    pub budget: Budget,
    /// Bumped to make older tokens worthless.
    pub token_version: u32,
    /// When it was made.
    pub created: UnixMs,
    /// When it was last used.
    pub used: UnixMs,
    /// Whether somebody ended it.
    pub revoked: bool,
}

/// Rights for one task on top of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Whose rights it adds to.
    pub connection: ConnectionId,
    /// The grant it was narrowed from, if any.
    pub parent: Option<GrantId>,
    /// The task, in the words of whoever opened it.
    pub task: Untrusted,
    /// What it adds.
    pub rights: Rights,
    /// What it may spend.
    pub budget: Budget,
    /// When it ends.
    pub expires: UnixMs,
    /// Whether it is open, ended, or stopped by its budget.
    pub state: GrantState,
}

/// The state of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// In force until it expires.
    Open,
    /// Stopped by its budget; only a present person can open it again, by a new grant.
    Tripped,
    /// Ended by a person.
    Revoked,
}

/// How many members (rows, objects) each effect may touch in one task. An effect without a number is
/// not limited here. Children spend their own budget and that of every ancestor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Budget(pub BTreeMap<Effect, u64>);

/// What an operation would spend: members by effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spending(pub BTreeMap<Effect, u64>);

/// A budget that doesn't carry what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the budget for `{}` is {limit}; {spent} spent, {asked} asked", .effect.word())]
pub struct Overspent {
    /// The effect.
    pub effect: Effect,
    /// Its limit.
    pub limit: u64,
    /// What was spent before.
    pub spent: u64,
    /// What this would add.
    pub asked: u64,
}

impl Budget {
    /// Whether `asked` fits on top of `spent`.
    ///
    /// # Errors
    /// [`Overspent`] names the first effect that doesn't fit.
    pub fn carries(&self, spent: &Spending, asked: &Spending) -> Result<(), Overspent> {
        for (&effect, &asked) in &asked.0 {
            let Some(&limit) = self.0.get(&effect) else {
                continue;
            };
            let spent = spent.0.get(&effect).copied().unwrap_or_default();
            if spent.saturating_add(asked) > limit {
                return Err(Overspent {
                    effect,
                    limit,
                    spent,
                    asked,
                });
            }
        }
        Ok(())
    }
}

impl Spending {
    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (&effect, &count) in &other.0 {
            let sum = self.0.entry(effect).or_default();
            *sum = sum.saturating_add(count);
        }
        self
    }
}

impl Connection {
    /// Whether its token still opens anything at `now`.
    #[must_use]
    pub const fn alive(&self, now: UnixMs) -> bool {
        !self.revoked && now.since_ms(self.used) < CONNECTION_IDLE_MS
    }
}

impl Grant {
    /// Whether its rights count at `now`.
    #[must_use]
    pub fn open(&self, now: UnixMs) -> bool {
        self.state == GrantState::Open && now < self.expires
    }

    /// A narrower grant below this one, ending no later.
    ///
    /// # Errors
    /// [`Wider`] if the child's rights are not inside this grant's.
    pub fn narrow(
        &self,
        id: GrantId,
        task: Untrusted,
        rights: Rights,
        budget: Budget,
        expires: UnixMs,
    ) -> Result<Self, Wider> {
        Ok(Self {
            id,
            connection: self.connection.clone(),
            parent: Some(self.id.clone()),
            task,
            rights: self.rights.narrow(rights)?,
            budget,
            expires: expires.min(self.expires),
            state: self.state,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_carry_up_to_their_limit() {
        let budget = Budget([(Effect::Destroy, 3)].into());
        let of = |count| Spending([(Effect::Destroy, count)].into());
        assert_eq!(budget.carries(&of(2), &of(1)), Ok(()));
        let over = Overspent {
            effect: Effect::Destroy,
            limit: 3,
            spent: 2,
            asked: 2,
        };
        assert_eq!(budget.carries(&of(2), &of(2)), Err(over));
        assert!(budget.carries(&of(u64::MAX), &of(1)).is_err());
        assert_eq!(
            budget.carries(&of(0), &Spending([(Effect::Write, 9)].into())),
            Ok(())
        );
    }

    #[test]
    fn a_child_ends_no_later_than_its_parent() {
        let parent = Grant {
            id: GrantId::from_bits([1; 16]),
            connection: ConnectionId::from_bits([2; 16]),
            parent: None,
            task: "fix".into(),
            rights: Rights::standing(),
            budget: Budget::default(),
            expires: UnixMs(100),
            state: GrantState::Open,
        };
        let id = GrantId::from_bits([3; 16]);
        let child = parent
            .narrow(
                id,
                "part".into(),
                Rights::default(),
                Budget::default(),
                UnixMs(900),
            )
            .unwrap();
        assert_eq!(child.expires, UnixMs(100));
        assert_eq!(child.parent, Some(parent.id.clone()));
        assert!(child.open(UnixMs(99)) && !child.open(UnixMs(100)));
    }
}
