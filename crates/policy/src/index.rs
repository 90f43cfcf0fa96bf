//! Which policies can apply at all: by effect, then by who asks, then by what it is about.
//!
//! Sound by construction: a policy is left out only where its own scope excludes the request, and a
//! policy whose scope excludes a request is not applicable in Cedar either, whatever its conditions.

use std::collections::HashMap;

use cedar_policy::EntityUid;
use tagout_core::effect::Effect;

use crate::rule::Rule;

type ByResource = HashMap<Option<EntityUid>, Vec<usize>>;
type ByPrincipal = HashMap<Option<EntityUid>, ByResource>;

/// Positions of rules by scope.
#[derive(Debug, Default)]
pub(crate) struct Index {
    effects: HashMap<Effect, ByPrincipal>,
}

impl Index {
    /// Indexes rules by their scopes.
    pub(crate) fn of(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (position, rule) in rules.iter().enumerate() {
            for effect in &rule.scope.actions {
                index
                    .effects
                    .entry(*effect)
                    .or_default()
                    .entry(rule.scope.principal.clone())
                    .or_default()
                    .entry(rule.scope.resource.clone())
                    .or_default()
                    .push(position);
            }
        }
        index
    }

    /// The positions of all rules that can apply, forbids and permits as they were loaded.
    /// `principals` and `resources` are the uid itself and every group of it, and `None`.
    pub(crate) fn candidates(
        &self,
        effect: Effect,
        principals: &[Option<EntityUid>],
        resources: &[Option<EntityUid>],
    ) -> Vec<usize> {
        let Some(by_principal) = self.effects.get(&effect) else {
            return Vec::new();
        };
        let mut found: Vec<usize> = principals
            .iter()
            .filter_map(|principal| by_principal.get(principal))
            .flat_map(|by_resource| resources.iter().filter_map(|uid| by_resource.get(uid)))
            .flatten()
            .copied()
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}
