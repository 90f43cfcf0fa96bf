//! What an operation would really reach, looked up in the upstream.
//!
//! Plain reads are not looked up: they are allowed wherever they go, and a look-up for each would cost
//! the provider's limit and the agent's time. Their targets have no places. Everything else is looked
//! up, and what is not found has no places either, which counts as production.

mod plain;
mod railway;

use std::collections::BTreeSet;

use tagout_core::environment::Place;
use tagout_core::operation::Operation;
use tagout_core::pipeline::Errands;
use tagout_core::resolved::{Resolved, Target};

use crate::adapter::HttpAdapter;
use crate::upstream::Registered;
pub(crate) use railway::{Cache, is_blind};

/// The pack whose resources are looked up in Railway's inventory.
const RAILWAY: &str = "railway";

/// Looks up every effect of `operation` that is more than a read.
pub(crate) async fn resolve(
    adapter: &HttpAdapter,
    to: &Registered,
    operation: Operation,
    errands: &dyn Errands,
) -> Resolved {
    if operation.only_observes() {
        return without_places(operation);
    }
    if to.upstream.pack == RAILWAY {
        return railway::resolve(adapter, to, operation, errands).await;
    }
    plain::resolve(to, operation)
}

/// The places of an upstream, for a person to label. `None` when they could not be looked up.
pub(crate) async fn places(
    adapter: &HttpAdapter,
    to: &Registered,
    errands: &dyn Errands,
) -> Option<Vec<Place>> {
    if to.upstream.pack != RAILWAY {
        return Some(vec![plain::place(to)]);
    }
    railway::places(adapter, to, errands).await
}

fn without_places(operation: Operation) -> Resolved {
    let targets = operation
        .effects
        .iter()
        .cloned()
        .map(Target::not_found)
        .collect();
    Resolved {
        operation,
        targets,
        variants: Vec::new(),
        achieved: BTreeSet::new(),
    }
}
