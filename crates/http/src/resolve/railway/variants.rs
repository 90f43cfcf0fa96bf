//! Milder operations that would do what the agent seems to want: in one environment instead of in all,
//! or with the provider's grace period.

use serde_json::{Map, Value, json};
use tagout_core::environment::Place;
use tagout_core::operation::Operation;
use tagout_core::pipeline::Adapter as _;
use tagout_core::resolved::{Target, Variant};

use super::ask::LookUp;
use super::asked::only_field;
use super::derive::attempt;
use super::inventory::Inventory;
use crate::adapter::HttpAdapter;
use crate::upstream::Registered;

/// Variants on one card; more environments than that are a list that nobody reads.
const VARIANTS_LIMIT: usize = 8;

/// Characters of an environment's name on a button.
const NAME_CHARACTERS: usize = 40;

const PATCH: &str = "mutation($environmentId: String!, $patch: EnvironmentConfig) {
  environmentPatchCommit(environmentId: $environmentId, patch: $patch)
}";

const SCHEDULE_DELETE: &str = "mutation($id: String!) { projectScheduleDelete(id: $id) }";

/// A variant's title, and the request it is made from.
struct Derived {
    title: String,
    query: &'static str,
    variables: Map<String, Value>,
}

/// The variants of an operation with one root field, those for short-lived environments first.
pub(crate) async fn variants(
    adapter: &HttpAdapter,
    look_up: LookUp<'_>,
    inventory: Option<&Inventory>,
    operation: &Operation,
    targets: &[Target],
) -> Vec<Variant> {
    let mut variants = Vec::new();
    for derived in derived(operation, targets).into_iter().take(VARIANTS_LIMIT) {
        if let Some(operation) = classified(adapter, look_up.to, &derived) {
            let targets = super::targets_of(look_up, inventory, &operation).await;
            variants.push(Variant {
                title: derived.title,
                operation,
                targets,
            });
        }
    }
    variants
}

fn classified(adapter: &HttpAdapter, to: &Registered, derived: &Derived) -> Option<Operation> {
    adapter
        .classify(&attempt(to, derived.query, &derived.variables)?)
        .ok()
}

fn derived(operation: &Operation, targets: &[Target]) -> Vec<Derived> {
    let (Some(field), Some(target)) = (only_field(operation), targets.first()) else {
        return Vec::new();
    };
    let places = &target.places;
    match field.name {
        "volumeDelete" => in_each(places, |place| {
            Some(patch_delete("volumes", field.text("volumeId")?, place))
        }),
        // Not by the environment of `serviceDelete`: that one counts for forks only.
        "serviceDelete" => in_each(places, |place| {
            Some(patch_delete("services", field.text("id")?, place))
        }),
        "projectDelete" | "projectScheduleDeleteForce" => {
            field.text("id").map(schedule_delete).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// One for each place, where there are several.
fn in_each(places: &[Place], derive: impl Fn(&Place) -> Option<Derived>) -> Vec<Derived> {
    if places.len() < 2 {
        return Vec::new();
    }
    let (mild, rest): (Vec<&Place>, Vec<&Place>) = places.iter().partition(|place| place.ephemeral);
    mild.into_iter().chain(rest).filter_map(derive).collect()
}

fn only_in(place: &Place) -> String {
    format!("delete in {} only", place.name.cut(NAME_CHARACTERS))
}

/// What is deleted by a patch of one environment stays in the others.
fn patch_delete(group: &str, id: &str, place: &Place) -> Derived {
    Derived {
        title: only_in(place),
        query: PATCH,
        variables: object(json!({
            "environmentId": place.id,
            "patch": {group: {id: {"isDeleted": true}}},
        })),
    }
}

fn schedule_delete(id: &str) -> Derived {
    Derived {
        title: "delete after the provider's 48 hours of grace".to_owned(),
        query: SCHEDULE_DELETE,
        variables: object(json!({"id": id})),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
