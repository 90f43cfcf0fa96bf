//! The inventory that is kept, and when it is read anew.
//!
//! On a miss everything is read again, once for all who wait. Before anything that is more than a read
//! the one project that it concerns is read again unless that was just now. Both are bounded: what can't
//! be read is not found.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ask::{LookUp, NotFound};
use super::inventory::Inventory;
use super::list::project_ids;
use super::project::read_project;

/// How old a project may be when something in it is to be changed. An agent that works sends several
/// requests in a row; and what a person approves is looked up once more at that time.
const FRESH: Duration = Duration::from_secs(5);

/// How long after a whole reading an id that was not in it is still not there. Agents that guess ids
/// must not use up the provider's limit for us.
const MISS_REST: Duration = Duration::from_secs(2);

/// How old the list of projects may be for what concerns all of them: an account's settings, tokens.
const LISTING_LIFE: Duration = Duration::from_mins(1);

/// The inventory of one upstream.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    current: Mutex<Option<Arc<Inventory>>>,
    /// When something was last sent that may have changed what is there.
    changed_at: Mutex<Option<Instant>>,
    /// Held while somebody reads. Holds when reading failed last, and why.
    reading: tokio::sync::Mutex<Option<(Instant, NotFound)>>,
}

impl Cache {
    /// An inventory that was asked for all of `wanted`. Ids that are not in it are not there. `None` when the
    /// provider did not answer.
    pub(crate) async fn holding(
        &self,
        look_up: LookUp<'_>,
        wanted: &BTreeSet<&str>,
    ) -> Option<Arc<Inventory>> {
        let brought = self.bring(look_up, wanted, Instant::now()).await;
        if let Err(error) = &brought {
            tracing::warn!(upstream = %look_up.to.upstream.name, %error, "the inventory could not be read");
        }
        brought.ok()
    }

    async fn bring(
        &self,
        look_up: LookUp<'_>,
        wanted: &BTreeSet<&str>,
        asked_at: Instant,
    ) -> Result<Arc<Inventory>, NotFound> {
        if let Some(inventory) = self
            .current()
            .filter(|held| self.is_enough(held, wanted, asked_at))
        {
            return Ok(inventory);
        }
        // Whoever waits here finds what the one before has read, or that it could not be read.
        let mut failed = self.reading.lock().await;
        if let Some((_, error)) = failed.as_ref().filter(|(since, _)| *since >= asked_at) {
            return Err(error.clone());
        }
        let read = self.read(look_up, wanted, asked_at).await;
        *failed = read
            .as_ref()
            .err()
            .map(|error| (Instant::now(), error.clone()));
        read
    }

    async fn read(
        &self,
        look_up: LookUp<'_>,
        wanted: &BTreeSet<&str>,
        asked_at: Instant,
    ) -> Result<Arc<Inventory>, NotFound> {
        let mut inventory = match self
            .current()
            .filter(|held| self.knows(held, wanted, asked_at))
        {
            Some(inventory) => inventory,
            None => self.keep(read_all(look_up).await?),
        };
        for id in self.stale(&inventory, wanted, asked_at) {
            let project = read_project(look_up, &id).await?;
            inventory = self.keep(inventory.with(project));
        }
        Ok(inventory)
    }

    /// Something was sent that may have changed what is there: what was read before is old.
    pub(crate) fn has_changed(&self) {
        let mut changed_at = self
            .changed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *changed_at = Some(Instant::now());
    }

    fn changed_at(&self) -> Option<Instant> {
        *self
            .changed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether every id is there, or the reading is so new that what is not there does not exist. What
    /// was made since, by an operation that we sent, may exist.
    fn knows(&self, held: &Inventory, wanted: &BTreeSet<&str>, at: Instant) -> bool {
        let age = at.saturating_duration_since(held.listed_at);
        if wanted.is_empty() {
            return age < LISTING_LIFE;
        }
        let changed = self.changed_at();
        let is_whole = changed.is_none_or(|changed| held.listed_at > changed);
        (age < MISS_REST && is_whole) || wanted.iter().all(|id| held.owner(id).is_some())
    }

    /// The projects of these ids that were read too long ago, or before the last change.
    fn stale(&self, held: &Inventory, wanted: &BTreeSet<&str>, at: Instant) -> BTreeSet<String> {
        stale_projects(held, wanted, at, self.changed_at())
    }

    fn is_enough(&self, held: &Inventory, wanted: &BTreeSet<&str>, at: Instant) -> bool {
        self.knows(held, wanted, at) && self.stale(held, wanted, at).is_empty()
    }

    fn current(&self) -> Option<Arc<Inventory>> {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn keep(&self, inventory: Inventory) -> Arc<Inventory> {
        let inventory = Arc::new(inventory);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&inventory));
        inventory
    }
}

async fn read_all(look_up: LookUp<'_>) -> Result<Inventory, NotFound> {
    let listed_at = Instant::now();
    let ids = project_ids(look_up).await?;
    let (mut projects, mut is_complete) = (Vec::new(), true);
    for id in ids {
        match read_project(look_up, &id).await {
            Ok(project) => projects.push(project),
            // One that may not be seen, or is just being deleted. What is in it is not found.
            Err(NotFound::Refused(_)) => is_complete = false,
            Err(other) => return Err(other),
        }
    }
    Ok(Inventory::new(projects, listed_at, is_complete))
}

/// The projects of these ids that were read too long ago, or before `changed_at`.
fn stale_projects(
    held: &Inventory,
    wanted: &BTreeSet<&str>,
    at: Instant,
    changed_at: Option<Instant>,
) -> BTreeSet<String> {
    let is_stale = |read_at: Instant| {
        at.saturating_duration_since(read_at) >= FRESH
            || changed_at.is_some_and(|changed| read_at <= changed)
    };
    let owners = wanted.iter().filter_map(|id| held.owner(id));
    let stale = owners.filter(|project| is_stale(project.read_at));
    stale.map(|project| project.id.clone()).collect()
}
