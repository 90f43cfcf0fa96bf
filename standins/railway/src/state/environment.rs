//! Environments.

use serde_json::{Value, json};

use super::model::{Environment, EnvironmentPatch, Variables};
use super::world::{self, World};
use super::{service, volume};
use crate::args::Args;
use crate::error::Refusal;

impl World {
    /// Ids of a project's environments.
    pub(super) fn environments_of(&self, project_id: &str) -> Vec<String> {
        let own = self
            .environments
            .values()
            .filter(|e| e.project_id == project_id);
        own.map(|e| e.id.clone()).collect()
    }
}

/// With a source environment its services and variables are copied; volumes are not.
pub(super) fn create(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let project_id = world.project(input.text("projectId")?)?.id.clone();
    let name = input.text("name")?;
    let mut siblings = world
        .environments
        .values()
        .filter(|e| e.project_id == project_id);
    if siblings.any(|e| e.name == name) {
        return Err(Refusal::invalid(
            "Environment with that name already exists",
        ));
    }
    let source = match input.opt_text("sourceEnvironmentId") {
        Some(id) => Some(world.environment(id)?.clone()),
        None => None,
    };
    let ephemeral = input.flag("ephemeral").unwrap_or(false);
    let environment = insert(world, &project_id, name, ephemeral, source.as_ref());
    if let Some(source) = source {
        copy_services(world, &source.id, &environment.id);
    }
    Ok(world::json(&environment))
}

pub(super) fn insert(
    world: &mut World,
    project_id: &str,
    name: &str,
    is_ephemeral: bool,
    source: Option<&Environment>,
) -> Environment {
    let now = world.now();
    let environment = Environment {
        id: world.new_id(),
        name: name.to_owned(),
        project_id: project_id.to_owned(),
        is_ephemeral,
        source_environment_id: source.map(|s| s.id.clone()),
        shared_variables: source.map_or_else(Variables::new, |s| s.shared_variables.clone()),
        created_at: now.clone(),
        updated_at: now,
    };
    world
        .environments
        .insert(environment.id.clone(), environment.clone());
    environment
}

fn copy_services(world: &mut World, from: &str, to: &str) {
    let originals: Vec<_> = world
        .service_instances
        .values()
        .filter(|i| i.environment_id == from)
        .cloned()
        .collect();
    for original in originals {
        let mut copy = service::new_instance(world, &original.service_id, to);
        copy.service_variables = original.service_variables;
        copy.settings = original.settings;
        world.service_instances.insert(copy.id.clone(), copy);
    }
}

pub(super) fn rename(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let environment = world.environment_mut(args.text("id")?)?;
    args.object("input")?
        .text("name")?
        .clone_into(&mut environment.name);
    Ok(world::json(environment))
}

pub(super) fn delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let id = world.environment(args.text("id")?)?.id.clone();
    destroy(world, &id);
    Ok(json!(true))
}

/// Removes an environment with everything in it, at once: no grace period is documented.
pub(super) fn destroy(world: &mut World, id: &str) {
    let services = world
        .service_instances
        .values()
        .filter(|i| i.environment_id == id);
    let services: Vec<_> = services.map(|i| i.service_id.clone()).collect();
    for service_id in services {
        service::delete_in(world, &service_id, id);
    }
    service::drop_orphans(world);
    let instances = world
        .volume_instances
        .values()
        .filter(|i| i.environment_id == id);
    let instances: Vec<_> = instances
        .map(|i| (i.id.clone(), i.volume_id.clone()))
        .collect();
    for (instance_id, volume_id) in instances {
        volume::destroy_instance(world, &instance_id);
        volume::drop_if_empty(world, &volume_id);
    }
    for bucket in world.buckets.values_mut() {
        bucket.credentials.remove(id);
    }
    world
        .buckets
        .retain(|_, bucket| !bucket.credentials.is_empty());
    world
        .sandboxes
        .retain(|_, sandbox| sandbox.environment_id != id);
    world
        .project_tokens
        .retain(|_, token| token.environment_id != id);
    world.staged_patches.remove(id);
    world.environments.remove(id);
}

/// What is staged for an environment; an empty patch if nothing is.
pub(crate) fn staged_patch(world: &World, id: &str) -> Result<EnvironmentPatch, Refusal> {
    let environment = world.environment(id)?;
    let staged = world.staged_patches.get(id).cloned();
    Ok(staged.unwrap_or_else(|| EnvironmentPatch {
        id: format!("staged-{id}"),
        environment_id: id.to_owned(),
        patch: json!({}),
        status: "STAGED",
        message: None,
        created_at: environment.created_at.clone(),
        updated_at: environment.created_at.clone(),
        applied_at: None,
    }))
}
