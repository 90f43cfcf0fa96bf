//! Credentials that the provider gives out.

use serde_json::{Value, json};

use super::model::{ApiToken, ProjectToken};
use super::world::{self, World};
use crate::args::Args;
use crate::error::Refusal;

/// Without `workspaceId` the token reaches everything. Answers the secret, which works at once.
pub(super) fn api_create(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let workspace_id = input.owned("workspaceId");
    if let Some(id) = workspace_id
        .as_ref()
        .filter(|id| !world.workspaces.contains_key(*id))
    {
        return Err(world::not_found("Workspace", id));
    }
    let (id, secret) = (world.new_id(), world.new_secret("rwy_"));
    let token = ApiToken {
        id: id.clone(),
        name: input.text("name")?.to_owned(),
        workspace_id,
        display_token: display(&secret),
        token: secret.clone(),
    };
    world.api_tokens.insert(id, token);
    Ok(json!(secret))
}

pub(super) fn api_delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let id = args.text("id")?;
    world
        .api_tokens
        .remove(id)
        .ok_or_else(|| world::not_found("Token", id))?;
    Ok(json!(true))
}

pub(super) fn project_create(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let project_id = world.project(input.text("projectId")?)?.id.clone();
    let environment_id = world.environment(input.text("environmentId")?)?.id.clone();
    let (id, secret) = (world.new_id(), world.new_secret("rwp_"));
    let token = ProjectToken {
        id: id.clone(),
        name: input.text("name")?.to_owned(),
        project_id,
        environment_id,
        display_token: display(&secret),
        token: secret.clone(),
        created_at: world.now(),
    };
    world.project_tokens.insert(id, token);
    Ok(json!(secret))
}

pub(super) fn project_delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let id = args.text("id")?;
    world
        .project_tokens
        .remove(id)
        .ok_or_else(|| world::not_found("Token", id))?;
    Ok(json!(true))
}

/// A token for a shell in the browser.
pub(super) fn shell(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    world.environment(args.object("input")?.text("environmentId")?)?;
    let secret = world.new_secret("shell_");
    world.shell_tokens.push(secret.clone());
    Ok(json!(secret))
}

/// The part of a secret that lists show.
pub(crate) fn display(secret: &str) -> String {
    let tail: String = secret.chars().rev().take(4).collect();
    format!("****{}", tail.chars().rev().collect::<String>())
}
