//! Services and their instances.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::model::{Service, ServiceInstance};
use super::variable;
use super::world::{self, World};
use crate::args::Args;
use crate::error::Refusal;

/// With `environmentId` in that environment only, else in all that are not forks.
pub(super) fn create(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let project_id = world.project(input.text("projectId")?)?.id.clone();
    let environments = match input.opt_text("environmentId") {
        Some(id) => vec![world.environment(id)?.id.clone()],
        None => unforked(world, &project_id),
    };
    let id = world.new_id();
    let name = input
        .owned("name")
        .unwrap_or_else(|| format!("service-{}", world.next_number));
    let now = world.now();
    let service = Service {
        id: id.clone(),
        name,
        icon: input.owned("icon"),
        project_id,
        created_at: now.clone(),
        updated_at: now,
    };
    for environment_id in environments {
        let mut instance = new_instance(world, &id, &environment_id);
        if let Some(source) = input.get("source") {
            instance
                .settings
                .insert("source".to_owned(), source.clone());
        }
        if let Ok(values) = input.map("variables") {
            variable::merge(&mut instance.service_variables, values);
        }
        world
            .service_instances
            .insert(instance.id.clone(), instance);
    }
    world.services.insert(id, service.clone());
    Ok(world::json(&service))
}

pub(super) fn new_instance(
    world: &mut World,
    service_id: &str,
    environment_id: &str,
) -> ServiceInstance {
    let now = world.now();
    ServiceInstance {
        id: world.new_id(),
        service_id: service_id.to_owned(),
        environment_id: environment_id.to_owned(),
        service_variables: super::model::Variables::new(),
        created_at: now.clone(),
        updated_at: now,
        settings: Map::new(),
    }
}

pub(super) fn update(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let service = world.service_mut(args.text("id")?)?;
    if let Some(name) = input.opt_text("name") {
        name.clone_into(&mut service.name);
    }
    if input.get("icon").is_some() {
        service.icon = input.owned("icon");
    }
    Ok(world::json(service))
}

/// Without `environmentId` the service goes from every environment that is not a fork.
pub(super) fn delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let service = world.service(args.text("id")?)?.clone();
    let environments = match args.opt_text("environmentId") {
        Some(id) => vec![world.environment(id)?.id.clone()],
        None => unforked(world, &service.project_id),
    };
    for environment_id in environments {
        delete_in(world, &service.id, &environment_id);
    }
    drop_orphans(world);
    Ok(json!(true))
}

/// Removes a service from one environment with everything that hangs on it. A volume stays, without
/// a service.
pub(super) fn delete_in(world: &mut World, service_id: &str, environment_id: &str) {
    let gone =
        |service: &str, environment: &str| service == service_id && environment == environment_id;
    world
        .service_instances
        .retain(|_, i| !gone(&i.service_id, &i.environment_id));
    world
        .deployments
        .retain(|_, d| !gone(&d.service_id, &d.environment_id));
    world
        .custom_domains
        .retain(|_, d| !gone(&d.service_id, &d.environment_id));
    world
        .service_domains
        .retain(|_, d| !gone(&d.service_id, &d.environment_id));
    world
        .tcp_proxies
        .retain(|_, p| !gone(&p.service_id, &p.environment_id));
    for instance in world.volume_instances.values_mut() {
        if instance
            .service_id
            .as_deref()
            .is_some_and(|s| gone(s, &instance.environment_id))
        {
            instance.service_id = None;
        }
    }
}

/// A service ends with its last instance.
pub(super) fn drop_orphans(world: &mut World) {
    let alive: BTreeSet<_> = world
        .service_instances
        .values()
        .map(|i| i.service_id.clone())
        .collect();
    world.services.retain(|id, _| alive.contains(id));
}

/// Without `environmentId` the instances in every environment are updated.
pub(super) fn instance_update(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let service_id = world.service(args.text("serviceId")?)?.id.clone();
    let environment_id = args.opt_text("environmentId");
    let input = args.map("input")?;
    let mut found = false;
    for instance in world.service_instances.values_mut() {
        let chosen = environment_id.is_none_or(|id| id == instance.environment_id);
        if instance.service_id == service_id && chosen {
            instance.settings.extend(input.clone());
            found = true;
        }
    }
    if found {
        Ok(json!(true))
    } else {
        Err(world::not_found("Service instance", &service_id))
    }
}

fn unforked(world: &World, project_id: &str) -> Vec<String> {
    let environments = world
        .environments
        .values()
        .filter(|e| e.project_id == project_id && e.source_environment_id.is_none());
    environments.map(|e| e.id.clone()).collect()
}
