//! Deployments, and commands in a sandbox.

use serde_json::{Value, json};

use super::model::Deployment;
use super::world::{self, World};
use crate::args::Args;
use crate::error::Refusal;

/// A new deployment of a service; the running one is replaced. Answers its id.
pub(super) fn deploy(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let (service_id, environment_id) = (args.text("serviceId")?, args.text("environmentId")?);
    world.service_instance(service_id, environment_id)?;
    let meta = json!({ "commitHash": args.opt_text("commitSha") });
    let deployment = start(world, service_id, environment_id, meta)?;
    Ok(json!(deployment.id))
}

pub(super) fn instance_redeploy(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    deploy(world, args)?;
    Ok(json!(true))
}

pub(super) fn redeploy(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let old = world.deployment(args.text("id")?)?.clone();
    let new = start(world, &old.service_id, &old.environment_id, old.meta)?;
    Ok(world::json(&new))
}

/// Runs an earlier deployment again.
pub(super) fn rollback(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    redeploy(world, args)?;
    Ok(json!(true))
}

fn start(
    world: &mut World,
    service_id: &str,
    environment_id: &str,
    meta: Value,
) -> Result<Deployment, Refusal> {
    let project_id = world.service(service_id)?.project_id.clone();
    let now = world.now();
    for running in world.deployments.values_mut() {
        let same = running.service_id == service_id && running.environment_id == environment_id;
        if same && running.status == "SUCCESS" {
            set_status(running, "REMOVED", &now);
        }
    }
    let deployment = Deployment {
        id: world.new_id(),
        project_id,
        environment_id: environment_id.to_owned(),
        service_id: service_id.to_owned(),
        status: "SUCCESS".to_owned(),
        deployment_stopped: false,
        restarts: 0,
        url: None,
        meta,
        created_at: now.clone(),
        updated_at: now.clone(),
        status_updated_at: Some(now),
    };
    world
        .deployments
        .insert(deployment.id.clone(), deployment.clone());
    Ok(deployment)
}

pub(super) fn remove(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    finish(world, args, "REMOVED")
}

/// A cancelled build ends as removed.
pub(super) fn cancel(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    finish(world, args, "REMOVED")
}

fn finish(world: &mut World, args: Args<'_>, status: &str) -> Result<Value, Refusal> {
    let id = args.text("id")?;
    if world.deployment(id)?.status != status {
        let now = world.now();
        set_status(world.deployment_mut(id)?, status, &now);
    }
    Ok(json!(true))
}

pub(super) fn stop(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    world.deployment_mut(args.text("id")?)?.deployment_stopped = true;
    Ok(json!(true))
}

pub(super) fn restart(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let deployment = world.deployment_mut(args.text("id")?)?;
    deployment.restarts += 1;
    deployment.deployment_stopped = false;
    Ok(json!(true))
}

fn set_status(deployment: &mut Deployment, status: &str, now: &str) {
    status.clone_into(&mut deployment.status);
    now.clone_into(&mut deployment.updated_at);
    deployment.status_updated_at = Some(now.to_owned());
}

/// Notes the command as accepted; this server runs nothing, so there is no output.
pub(super) fn sandbox_exec(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let sandbox = world.sandbox_mut(args.text("id")?)?;
    if sandbox.environment_id != args.text("environmentId")? {
        return Err(world::not_found("Sandbox", args.text("id")?));
    }
    sandbox.commands.push(args.text("command")?.to_owned());
    Ok(json!({
        "exitCode": 0, "stdout": "", "stderr": "", "timedOut": false, "truncated": false,
    }))
}
