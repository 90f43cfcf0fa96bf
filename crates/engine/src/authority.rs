//! Who may do what, as read from the store, arranged for look-ups without IO.

use std::collections::HashMap;
use std::sync::Arc;

use tagout_core::effect::Effect;
use tagout_core::environment::{Environment, Place};
use tagout_core::grant::{Budget, Connection, Grant, GrantState};
use tagout_core::ids::{ConnectionId, GrantId, PersonId, UpstreamName};
use tagout_core::proposal::Upstream;
use tagout_core::resolved::Labelled;
use tagout_core::rights::{Coverage, Rights};
use tagout_core::store::{Authority, Freeze, Person, Purse};
use tagout_core::time::UnixMs;

use crate::signatures::SOLO_AFTER_MS;

/// Everything in force. Replaced as a whole when anything changes.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    connections: HashMap<ConnectionId, Arc<Connection>>,
    grants: HashMap<GrantId, Arc<Grant>>,
    by_connection: HashMap<ConnectionId, Vec<Arc<Grant>>>,
    labels: HashMap<(UpstreamName, String), Environment>,
    upstreams: HashMap<UpstreamName, Arc<Upstream>>,
    people: Vec<Person>,
    frozen: Option<Freeze>,
}

/// Whose rights an operation uses, and whose budgets it spends.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The connection.
    pub(crate) connection: Arc<Connection>,
    /// The grant used, if not only the connection's own rights.
    pub(crate) grant: Option<Arc<Grant>>,
    /// Its own budget and that of every ancestor.
    pub(crate) purses: Vec<(Purse, Budget)>,
}

impl InForce {
    pub(crate) fn new(authority: Authority) -> Self {
        let mut in_force = Self {
            people: authority.people,
            ..Self::default()
        };
        for connection in authority.connections {
            in_force
                .connections
                .insert(connection.id.clone(), Arc::new(connection));
        }
        for grant in authority.grants {
            let grant = Arc::new(grant);
            let of_connection = in_force.by_connection.entry(grant.connection.clone());
            of_connection.or_default().push(Arc::clone(&grant));
            in_force.grants.insert(grant.id.clone(), grant);
        }
        for (upstream, place, environment) in authority.labels {
            in_force.labels.insert((upstream, place), environment);
        }
        for upstream in authority.upstreams {
            in_force
                .upstreams
                .insert(upstream.name.clone(), Arc::new(upstream));
        }
        in_force.frozen = authority.frozen;
        in_force
    }

    pub(crate) fn connection(&self, id: &ConnectionId) -> Option<&Arc<Connection>> {
        self.connections.get(id)
    }

    pub(crate) fn grant(&self, id: &GrantId) -> Option<&Arc<Grant>> {
        self.grants.get(id)
    }

    pub(crate) fn upstream(&self, name: &UpstreamName) -> Option<&Arc<Upstream>> {
        self.upstreams.get(name)
    }

    pub(crate) fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.values()
    }

    pub(crate) fn people(&self) -> &[Person] {
        &self.people
    }

    /// Whether somebody was enrolled, after others, less than twelve hours before `at`.
    pub(crate) fn is_newcomer(&self, id: &PersonId, at: UnixMs) -> bool {
        let first = self.people.iter().map(|person| person.since).min();
        let person = self.people.iter().find(|person| &person.id == id);
        person.is_some_and(|person| {
            Some(person.since) != first && at.since_ms(person.since) < SOLO_AFTER_MS
        })
    }

    pub(crate) const fn frozen(&self) -> Option<&Freeze> {
        self.frozen.as_ref()
    }

    /// What a person said this place is; else development if the provider calls it short-lived; else
    /// unknown, which counts as production. Its name decides nothing.
    pub(crate) fn label(&self, upstream: &UpstreamName, place: &Place) -> Labelled {
        let label = self
            .labels
            .get(&(upstream.clone(), place.id.clone()))
            .copied();
        let default = if place.ephemeral {
            Environment::Development
        } else {
            Environment::Unknown
        };
        Labelled {
            place: place.clone(),
            environment: label.unwrap_or(default),
        }
    }

    /// The standing with which the connection does best: each open grant is tried, newest first, then
    /// the connection's own rights; `covers` says how well rights cover what is asked.
    pub(crate) fn standing(
        &self,
        connection: &Arc<Connection>,
        now: UnixMs,
        covers: impl Fn(&Rights) -> Coverage,
    ) -> Standing {
        let own = covers(&connection.rights);
        let grants = self
            .by_connection
            .get(&connection.id)
            .map_or(&[][..], Vec::as_slice);
        let open = grants
            .iter()
            .rev()
            .filter(|grant| self.in_force(grant, now));
        let best = open
            .map(|grant| (covers(&grant.rights), grant))
            .reduce(|best, next| if next.0 > best.0 { next } else { best });
        match best {
            Some((coverage, grant)) if coverage > Coverage::None && coverage >= own => {
                self.with_grant(connection, grant)
            }
            _ => self.on_own_rights(connection),
        }
    }

    /// The standing under a certain grant, whether or not it has expired; or on the connection's own
    /// rights.
    pub(crate) fn standing_under(
        &self,
        connection: &Arc<Connection>,
        grant: Option<&GrantId>,
    ) -> Standing {
        match grant.and_then(|grant| self.grants.get(grant)) {
            Some(grant) if grant.connection == connection.id => self.with_grant(connection, grant),
            _ => self.on_own_rights(connection),
        }
    }

    /// A grant that was stopped by its budget, has not expired, and would have covered this better
    /// than what is left: what it was stopped for must not simply become a hold.
    pub(crate) fn tripped(
        &self,
        standing: &Standing,
        now: UnixMs,
        covers: impl Fn(&Rights) -> Coverage,
    ) -> Option<GrantId> {
        let left = covers(standing.rights());
        let grants = self.by_connection.get(&standing.connection.id)?;
        let stopped = |grant: &&Arc<Grant>| {
            now < grant.expires
                && self
                    .lineage(grant)
                    .any(|each| each.state == GrantState::Tripped)
                && covers(&grant.rights) > left
        };
        grants
            .iter()
            .rev()
            .find(stopped)
            .map(|grant| grant.id.clone())
    }

    /// Whether a grant and all its ancestors are open.
    fn in_force(&self, grant: &Grant, now: UnixMs) -> bool {
        self.lineage(grant).all(|each| each.open(now))
            && self
                .lineage(grant)
                .last()
                .is_some_and(|root| root.parent.is_none())
    }

    /// A grant and its ancestors, as far as they are known.
    fn lineage<'a>(&'a self, grant: &'a Grant) -> impl Iterator<Item = &'a Grant> {
        std::iter::successors(Some(grant), |each| {
            each.parent
                .as_ref()
                .and_then(|id| self.grants.get(id))
                .map(Arc::as_ref)
        })
    }

    fn with_grant(&self, connection: &Arc<Connection>, grant: &Arc<Grant>) -> Standing {
        let purse = |each: &Grant| (Purse::Grant(each.id.clone()), each.budget.clone());
        Standing {
            connection: Arc::clone(connection),
            grant: Some(Arc::clone(grant)),
            purses: self.lineage(grant).map(purse).collect(),
        }
    }

    fn on_own_rights(&self, connection: &Arc<Connection>) -> Standing {
        let first = Some(connection.as_ref());
        let lineage = std::iter::successors(first, |each| {
            each.parent
                .as_ref()
                .and_then(|id| self.connections.get(id))
                .map(Arc::as_ref)
        });
        let purse = |each: &Connection| (Purse::Connection(each.id.clone()), each.budget.clone());
        let purses = lineage.map(purse).collect();
        Standing {
            connection: Arc::clone(connection),
            grant: None,
            purses,
        }
    }
}

impl Standing {
    /// The rights used.
    pub(crate) fn rights(&self) -> &Rights {
        self.grant
            .as_ref()
            .map_or(&self.connection.rights, |grant| &grant.rights)
    }

    /// The id that operations of this standing are found by.
    pub(crate) fn asker(&self) -> &str {
        self.grant
            .as_ref()
            .map_or(self.connection.id.as_str(), |grant| grant.id.as_str())
    }

    /// The purse that is looked at for the task's total.
    pub(crate) fn own_purse(&self) -> Purse {
        match &self.grant {
            Some(grant) => Purse::Grant(grant.id.clone()),
            None => Purse::Connection(self.connection.id.clone()),
        }
    }

    /// Whether the grant itself names this effect, rather than the standing rights.
    pub(crate) fn grant_names(&self, effect: Effect) -> bool {
        let names = |grant: &Arc<Grant>| {
            grant
                .rights
                .0
                .iter()
                .any(|clause| clause.effects.contains(&effect))
        };
        self.grant.as_ref().is_some_and(names)
    }
}
