//! Railway: what ids mean, from an inventory of the projects that our credential can see.
//!
//! A resource that is not found, because it is not there, or because the provider did not answer or
//! may not be asked just now, has no places: it counts as production.

mod ask;
mod asked;
mod backups;
mod cache;
mod derive;
mod elsewhere;
mod inventory;
mod list;
mod page;
mod project;
mod staged;
mod target;
mod variants;

use std::collections::BTreeSet;
use std::sync::Arc;

use tagout_core::effect::{EffectOn, Reach};
use tagout_core::environment::Place;
use tagout_core::operation::Operation;
use tagout_core::pipeline::Errands;
use tagout_core::resolved::{Resolved, Target};

use crate::adapter::HttpAdapter;
use crate::upstream::Registered;
use ask::LookUp;
use asked::fields;
use backups::Listed;
pub(crate) use cache::Cache;
use inventory::Inventory;
pub(crate) use staged::is_blind;

/// Looks up every effect of `operation`. A commit of what is staged is replaced by one that says what
/// it commits.
pub(crate) async fn resolve(
    adapter: &HttpAdapter,
    to: &Registered,
    operation: Operation,
    errands: &dyn Errands,
) -> Resolved {
    let listed = Listed::default();
    let look_up = LookUp {
        to,
        vault: adapter.vault().as_ref(),
        errands,
        listed: &listed,
    };
    let operation = match is_blind(&operation) {
        false => operation,
        true => match staged::explicit(adapter, look_up, &operation).await {
            Some(explicit) => explicit,
            None => return super::without_places(operation),
        },
    };
    let inventory = inventory(look_up, &operation).await;
    let targets = targets_of(look_up, inventory.as_deref(), &operation).await;
    let variants =
        variants::variants(adapter, look_up, inventory.as_deref(), &operation, &targets).await;
    Resolved {
        operation,
        targets,
        variants,
        achieved: BTreeSet::new(),
    }
}

/// Every environment that our credential can see, for a person to label. `None` when they could not be
/// looked up.
pub(crate) async fn places(
    adapter: &HttpAdapter,
    to: &Registered,
    errands: &dyn Errands,
) -> Option<Vec<Place>> {
    let look_up = LookUp {
        to,
        vault: adapter.vault().as_ref(),
        errands,
        listed: &Listed::default(),
    };
    let inventory = look_up
        .to
        .inventory
        .holding(look_up, &BTreeSet::new())
        .await?;
    Some(inventory.places())
}

/// An inventory that was asked for every id that the operation names.
async fn inventory(look_up: LookUp<'_>, operation: &Operation) -> Option<Arc<Inventory>> {
    let mut wanted: BTreeSet<&str> = operation.effects.iter().flat_map(inventory_ids).collect();
    wanted.extend(
        fields(operation)
            .iter()
            .filter_map(|field| field.text(target::OF_INSTANCE)),
    );
    look_up.to.inventory.holding(look_up, &wanted).await
}

/// The target of each effect, in the same order.
pub(crate) async fn targets_of(
    look_up: LookUp<'_>,
    inventory: Option<&Inventory>,
    operation: &Operation,
) -> Vec<Target> {
    let mut targets = Vec::with_capacity(operation.effects.len());
    for on in &operation.effects {
        let found = match inventory {
            Some(inventory) if !on.effect.only_observes() => {
                target::find(look_up, inventory, operation, on).await
            }
            _ => None,
        };
        targets.push(found.unwrap_or_else(|| Target::not_found(on.clone())));
    }
    targets
}

/// The ids of an effect that the inventory must know.
fn inventory_ids(on: &EffectOn) -> Vec<&str> {
    let mut ids = Vec::new();
    if inventory::is_kept(on.resource.kind()) && on.resource.id() != "*" {
        ids.push(on.resource.id());
    }
    if let Reach::Environment(id) = &on.reach {
        ids.push(id.as_str());
    }
    ids
}
