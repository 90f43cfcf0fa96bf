//! What an agent may ask for: rights that can only narrow.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::environment::Environment;
use crate::ids::UpstreamName;
use crate::resource::Resource;

/// One clause of rights: these effects, on these resources, in these environments, at these upstreams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// The upstreams it speaks of.
    pub upstreams: Among<UpstreamName>,
    /// The effects it allows to ask for.
    pub effects: BTreeSet<Effect>,
    /// The resources, as patterns: `volume:*`.
    pub resources: Vec<Resource>,
    /// The environments.
    pub environments: BTreeSet<Environment>,
}

/// Everything, or only what is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Among<T: Ord> {
    /// All there are, also those registered later.
    All,
    /// Only these.
    Only(BTreeSet<T>),
}

impl<T: Ord> Among<T> {
    /// Whether `item` is among them.
    #[must_use]
    pub fn has(&self, item: &T) -> bool {
        match self {
            Self::All => true,
            Self::Only(items) => items.contains(item),
        }
    }

    /// Whether everything in `other` is in this.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(mine), Self::Only(theirs)) => theirs.is_subset(mine),
        }
    }
}

/// How far rights cover one effect on one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coverage {
    /// Effect, resource or upstream are not in the rights.
    None,
    /// They are, but not in this environment.
    OtherEnvironment,
    /// All of it is.
    Full,
}

/// A list of clauses; what one of them covers is covered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rights(pub Vec<Clause>);

/// Why rights can't be given to a child: this clause is not inside any clause of the parent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("clause {0} asks for more than its parent has; a child can only be narrower")]
pub struct Wider(pub usize);

impl Rights {
    /// The standing rights of a new connection: read everywhere (secrets redacted), and ordinary work in
    /// development. Everything else takes a grant.
    #[must_use]
    pub fn standing() -> Self {
        let clause = |effects: &[Effect], environments: &[Environment]| Clause {
            upstreams: Among::All,
            effects: effects.iter().copied().collect(),
            resources: vec![Resource::anything()],
            environments: environments.iter().copied().collect(),
        };
        Self(vec![
            clause(&[Effect::Read, Effect::SecretRead], &Environment::ALL),
            clause(&Effect::ALL, &[Environment::Development]),
        ])
    }

    /// How far these rights cover `effect` on `resource` of `upstream` in `environment`.
    #[must_use]
    pub fn coverage(
        &self,
        upstream: &UpstreamName,
        effect: Effect,
        resource: &Resource,
        environment: Environment,
    ) -> Coverage {
        let speaks = |clause: &&Clause| clause.speaks_of(upstream, effect, resource);
        let here = |clause: &Clause| clause.environments.contains(&environment);
        let mut coverage = Coverage::None;
        for clause in self.0.iter().filter(speaks) {
            coverage = coverage.max(if here(clause) {
                Coverage::Full
            } else {
                Coverage::OtherEnvironment
            });
        }
        coverage
    }

    /// Whether some clause names this effect at this upstream, so that the asker is not read-only.
    #[must_use]
    pub fn only_observe(&self) -> bool {
        self.0
            .iter()
            .all(|clause| clause.effects.iter().all(|effect| effect.only_observes()))
    }

    /// Checks that `child` is inside these rights, clause by clause.
    ///
    /// # Errors
    /// [`Wider`] names the first clause of the child that is inside no clause of the parent.
    pub fn narrow(&self, child: Self) -> Result<Self, Wider> {
        let inside = |clause: &Clause| self.0.iter().any(|mine| mine.includes(clause));
        match child.0.iter().position(|clause| !inside(clause)) {
            Some(index) => Err(Wider(index)),
            None => Ok(child),
        }
    }
}

impl Clause {
    fn speaks_of(&self, upstream: &UpstreamName, effect: Effect, resource: &Resource) -> bool {
        self.upstreams.has(upstream)
            && self.effects.contains(&effect)
            && self
                .resources
                .iter()
                .any(|pattern| pattern.covers(resource))
    }

    fn includes(&self, other: &Self) -> bool {
        let covered = |theirs: &Resource| self.resources.iter().any(|mine| mine.covers(theirs));
        self.upstreams.includes(&other.upstreams)
            && other.effects.is_subset(&self.effects)
            && other.environments.is_subset(&self.environments)
            && other.resources.iter().all(covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn railway() -> UpstreamName {
        "railway".parse().unwrap()
    }

    fn clause(effects: &[Effect], resource: &str, environments: &[Environment]) -> Clause {
        Clause {
            upstreams: Among::Only([railway()].into()),
            effects: effects.iter().copied().collect(),
            resources: vec![Resource::try_from(resource.to_owned()).unwrap()],
            environments: environments.iter().copied().collect(),
        }
    }

    #[test]
    fn a_token_for_domains_does_not_cover_volumes() {
        let rights = Rights(vec![clause(&Effect::ALL, "domain:*", &Environment::ALL)]);
        let coverage = |kind: &str| {
            let resource = Resource::new(kind, "x");
            rights.coverage(
                &railway(),
                Effect::Destroy,
                &resource,
                Environment::Production,
            )
        };
        assert_eq!(coverage("domain"), Coverage::Full);
        assert_eq!(coverage("volume"), Coverage::None);
    }

    #[test]
    fn another_environment_is_told_apart() {
        let staging = clause(&[Effect::Destroy], "volume:*", &[Environment::Staging]);
        let rights = Rights(vec![staging]);
        let volume = Resource::new("volume", "x");
        for (environment, coverage) in [
            (Environment::Staging, Coverage::Full),
            (Environment::Production, Coverage::OtherEnvironment),
            (Environment::Unknown, Coverage::OtherEnvironment),
        ] {
            let found = rights.coverage(&railway(), Effect::Destroy, &volume, environment);
            assert_eq!(found, coverage);
        }
    }

    #[test]
    fn children_only_narrow() {
        let parent = Rights(vec![clause(
            &[Effect::Read, Effect::Write],
            "service:*",
            &[Environment::Staging, Environment::Development],
        )]);
        let child = |effects: &[Effect], resource: &str, environments: &[Environment]| {
            parent.narrow(Rights(vec![clause(effects, resource, environments)]))
        };
        assert!(child(&[Effect::Read], "service:api", &[Environment::Staging]).is_ok());
        assert!(parent.narrow(Rights::default()).is_ok());
        assert_eq!(child(&[Effect::Destroy], "service:api", &[]), Err(Wider(0)));
        assert_eq!(child(&[Effect::Read], "*:*", &[]), Err(Wider(0)));
        assert_eq!(
            child(&[Effect::Read], "service:*", &[Environment::Production]),
            Err(Wider(0))
        );
        assert!(parent.narrow(Rights::standing()).is_err());
    }

    #[test]
    fn standing_rights_read_everywhere_and_work_in_development() {
        let rights = Rights::standing();
        let of = |effect, environment| {
            rights.coverage(&railway(), effect, &Resource::new("x", "y"), environment)
        };
        assert_eq!(of(Effect::Read, Environment::Production), Coverage::Full);
        assert_eq!(of(Effect::Write, Environment::Development), Coverage::Full);
        assert_eq!(
            of(Effect::Destroy, Environment::Production),
            Coverage::OtherEnvironment
        );
    }
}
