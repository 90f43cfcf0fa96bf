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
            .filter(|held| is_enough(held, wanted, asked_at))
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
        let mut inventory = match self.current().filter(|held| knows(held, wanted, asked_at)) {
            Some(inventory) => inventory,
            None => self.keep(read_all(look_up).await?),
        };
        for id in stale_projects(&inventory, wanted, asked_at) {
            let project = read_project(look_up, &id).await?;
            inventory = self.keep(inventory.with(project));
        }
        Ok(inventory)
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
    Ok(Inventory::new(
        read_projects(look_up, ids).await?,
        listed_at,
    ))
}

fn is_enough(held: &Inventory, wanted: &BTreeSet<&str>, at: Instant) -> bool {
    knows(held, wanted, at) && stale_projects(held, wanted, at).is_empty()
}

/// Whether every id is there, or the reading is so new that what is not there does not exist.
fn knows(held: &Inventory, wanted: &BTreeSet<&str>, at: Instant) -> bool {
    let age = at.saturating_duration_since(held.listed_at);
    let rest = if wanted.is_empty() {
        LISTING_LIFE
    } else {
        MISS_REST
    };
    age < rest || (!wanted.is_empty() && wanted.iter().all(|id| held.owner(id).is_some()))
}

/// The projects of these ids that were read too long ago.
fn stale_projects(held: &Inventory, wanted: &BTreeSet<&str>, at: Instant) -> BTreeSet<String> {
    let owners = wanted.iter().filter_map(|id| held.owner(id));
    let stale = owners.filter(|project| at.saturating_duration_since(project.read_at) >= FRESH);
    stale.map(|project| project.id.clone()).collect()
}
