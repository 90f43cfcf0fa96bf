//! Projects.

use serde_json::{Value, json};

use super::environment;
use super::model::Project;
use super::world::{self, World};
use crate::args::Args;
use crate::error::Refusal;

/// A project starts with one environment, named `production` unless said otherwise.
pub(super) fn create(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let workspace_id = match input.owned("workspaceId") {
        Some(id) if world.workspaces.contains_key(&id) => id,
        Some(id) => return Err(world::not_found("Workspace", &id)),
        None => crate::seed::WORKSPACE.to_owned(),
    };
    let id = world.new_id();
    let now = world.now();
    let project = Project {
        name: input
            .owned("name")
            .unwrap_or_else(|| format!("project-{}", world.next_number)),
        description: input.owned("description"),
        workspace_id,
        base_environment_id: None,
        is_public: input.flag("isPublic").unwrap_or(false),
        pr_deploys: input.flag("prDeploys").unwrap_or(false),
        bot_pr_environments: false,
        focused_pr_environments: false,
        created_at: now.clone(),
        updated_at: now,
        deleted_at: None,
        id: id.clone(),
    };
    world.projects.insert(id.clone(), project.clone());
    let first = input
        .opt_text("defaultEnvironmentName")
        .unwrap_or("production");
    environment::insert(world, &id, first, false, None);
    Ok(world::json(&project))
}

pub(super) fn update(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    if let Some(id) = input.opt_text("baseEnvironmentId") {
        world.environment(id)?;
    }
    let project = world.project_mut(args.text("id")?)?;
    if let Some(name) = input.opt_text("name") {
        name.clone_into(&mut project.name);
    }
    if input.get("description").is_some() {
        project.description = input.owned("description");
    }
    if input.get("baseEnvironmentId").is_some() {
        project.base_environment_id = input.owned("baseEnvironmentId");
    }
    for (name, target) in [
        ("isPublic", &mut project.is_public),
        ("prDeploys", &mut project.pr_deploys),
        ("botPrEnvironments", &mut project.bot_pr_environments),
        (
            "focusedPrEnvironments",
            &mut project.focused_pr_environments,
        ),
    ] {
        *target = input.flag(name).unwrap_or(*target);
    }
    Ok(world::json(project))
}

pub(super) fn delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let id = world.project(args.text("id")?)?.id.clone();
    destroy(world, &id);
    Ok(json!(true))
}

/// Starts the grace period of 48 hours.
pub(super) fn schedule_delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let id = args.text("id")?;
    if world.project(id)?.deleted_at.is_none() {
        let now = world.now();
        world.project_mut(id)?.deleted_at = Some(now);
    }
    Ok(json!(true))
}

pub(super) fn schedule_delete_cancel(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    world.project_mut(args.text("id")?)?.deleted_at = None;
    Ok(json!(true))
}

/// Ends the grace period: the project goes now.
pub(super) fn schedule_delete_force(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let project = world.project(args.text("id")?)?;
    if project.deleted_at.is_none() {
        return Err(Refusal::invalid("Project is not scheduled for deletion"));
    }
    let id = project.id.clone();
    destroy(world, &id);
    Ok(json!(true))
}

fn destroy(world: &mut World, id: &str) {
    for environment_id in world.environments_of(id) {
        environment::destroy(world, &environment_id);
    }
    world.volumes.retain(|_, volume| volume.project_id != id);
    world.services.retain(|_, service| service.project_id != id);
    world.buckets.retain(|_, bucket| bucket.project_id != id);
    world
        .project_tokens
        .retain(|_, token| token.project_id != id);
    world.projects.remove(id);
}
