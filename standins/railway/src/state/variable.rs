//! Variables: shared by an environment, or a service's own.

use serde_json::{Map, Value, json};

use super::model::Variables;
use super::world::World;
use crate::args::Args;
use crate::error::Refusal;

pub(super) fn upsert(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let name = input.text("name")?.to_owned();
    let value = input.text("value")?.to_owned();
    table_mut(world, input)?.insert(name, value);
    Ok(json!(true))
}

/// With `replace` every variable that is not listed goes.
pub(super) fn collection_upsert(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let table = table_mut(world, input)?;
    if input.flag("replace") == Some(true) {
        table.clear();
    }
    merge(table, input.map("variables")?);
    Ok(json!(true))
}

pub(super) fn delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    table_mut(world, input)?.remove(input.text("name")?);
    Ok(json!(true))
}

/// Puts plain values in; null removes.
pub(super) fn merge(table: &mut Variables, values: &Map<String, Value>) {
    for (name, value) in values {
        match value {
            Value::Null => drop(table.remove(name)),
            Value::String(text) => drop(table.insert(name.clone(), text.clone())),
            other => drop(table.insert(name.clone(), other.to_string())),
        }
    }
}

fn table_mut<'w>(world: &'w mut World, input: Args<'_>) -> Result<&'w mut Variables, Refusal> {
    let environment_id = input.text("environmentId")?;
    match input.opt_text("serviceId") {
        Some(service_id) => {
            let instance = world.service_instance_mut(service_id, environment_id)?;
            Ok(&mut instance.service_variables)
        }
        None => Ok(&mut world.environment_mut(environment_id)?.shared_variables),
    }
}

/// What a query for variables answers: a service's own ones, or the shared ones.
pub(crate) fn rendered(world: &World, args: Args<'_>) -> Result<Value, Refusal> {
    let environment = world.environment(args.text("environmentId")?)?;
    let table = match args.opt_text("serviceId") {
        Some(service_id) => {
            &world
                .service_instance(service_id, &environment.id)?
                .service_variables
        }
        None => &environment.shared_variables,
    };
    Ok(super::world::json(table))
}
