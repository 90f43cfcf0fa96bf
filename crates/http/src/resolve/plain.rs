//! Upstreams of which no inventory is known: the upstream itself is the one place, for a person to
//! label as a whole.

use std::collections::BTreeSet;

use tagout_core::environment::Place;
use tagout_core::operation::Operation;
use tagout_core::resolved::{Resolved, Target};
use tagout_core::untrusted::Untrusted;

use crate::upstream::Registered;

/// Every effect reaches the upstream, and we know nothing more.
pub(crate) fn resolve(to: &Registered, operation: Operation) -> Resolved {
    let place = place(to);
    let target = |on| Target {
        places: vec![place.clone()],
        ..Target::not_found(on)
    };
    let targets = operation.effects.iter().cloned().map(target).collect();
    Resolved {
        operation,
        targets,
        variants: Vec::new(),
        achieved: BTreeSet::new(),
    }
}

/// The one place of such an upstream.
pub(crate) fn place(to: &Registered) -> Place {
    Place {
        id: to.upstream.name.to_string(),
        name: Untrusted::from(to.authority.as_str()),
        project: None,
        ephemeral: false,
    }
}
