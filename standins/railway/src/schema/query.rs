//! The fields of `Query`.

use serde_json::{Value, json};

use super::auth::{Caller, Reach};
use super::page::connection;
use super::{logs, relation};
use crate::args::Args;
use crate::error::Refusal;
use crate::seed;
use crate::state::{self, Deployment, World, json, not_found};

/// The answer to one root field of a query.
pub(crate) fn answer(
    world: &World,
    caller: &Caller,
    field: &str,
    args: Args<'_>,
) -> Result<Value, Refusal> {
    match field {
        "me" => Ok(me()),
        "apiToken" | "apiTokens" | "projectToken" | "projectTokens" => {
            credential(world, caller, field, args)
        }
        "variables" | "variablesForServiceDeployment" => state::rendered(world, args),
        "bucketS3Credentials" => bucket_credentials(world, args),
        "buildLogs" | "deploymentLogs" | "environmentLogs" => {
            logs::lines(world, field, args).map(Value::Array)
        }
        "httpLogs" => Ok(logs::http_lines(
            world.deployment(args.text("deploymentId")?)?,
        )),
        "workflowStatus" => Ok(workflow_status(world, args.text("workflowId")?)),
        "projects" | "environments" | "deployments" | "sandboxes" | "tcpProxies" | "domains" => {
            list(world, field, args)
        }
        "volumeInstanceBackupList" | "volumeInstanceBackupScheduleList" => {
            backups(world, field, args)
        }
        _ => one(world, field, args),
    }
}

fn me() -> Value {
    json!({
        "id": seed::USER, "name": "Robin Example", "email": "robin@booking-app.example",
        "username": "robin", "createdAt": state::timestamp(0), "lastLogin": state::timestamp(0),
        "isAdmin": false, "isVerified": true, "has2FA": true, "hasPasskeys": false,
    })
}

fn one(world: &World, field: &str, args: Args<'_>) -> Result<Value, Refusal> {
    let id = args.opt_text("id").unwrap_or_default();
    match field {
        "workspace" => relation::workspace(world, args.text("workspaceId")?),
        "project" => Ok(json(world.project(id)?)),
        "environment" => environment(world, id, args.opt_text("projectId")),
        "environmentStagedChanges" => Ok(json(&state::staged_patch(
            world,
            args.text("environmentId")?,
        )?)),
        "service" => Ok(json(world.service(id)?)),
        "serviceInstance" => {
            let (service, environment) = (args.text("serviceId")?, args.text("environmentId")?);
            Ok(json(world.service_instance(service, environment)?))
        }
        "volumeInstance" => Ok(json(world.volume_instance(id)?)),
        "deployment" => Ok(json(world.deployment(id)?)),
        "sandbox" => Ok(world.sandbox(id).map_or(Value::Null, json)),
        "customDomain" => {
            let project = args.text("projectId")?;
            let found = world
                .custom_domains
                .get(id)
                .filter(|d| d.project_id == project);
            found
                .map(json)
                .ok_or_else(|| not_found("Custom domain", id))
        }
        _ => Err(Refusal::invalid(format!("`{field}` is not served"))),
    }
}

fn environment(world: &World, id: &str, project_id: Option<&str>) -> Result<Value, Refusal> {
    let environment = world.environment(id)?;
    if project_id.is_some_and(|p| p != environment.project_id) {
        return Err(not_found("Environment", id));
    }
    Ok(json(environment))
}

fn list(world: &World, field: &str, args: Args<'_>) -> Result<Value, Refusal> {
    let environment = args.opt_text("environmentId");
    let service = args.opt_text("serviceId");
    Ok(match field {
        "projects" => connection(projects(world, args), args),
        "environments" => {
            let project = world.project(args.text("projectId")?)?;
            let wanted = args.flag("isEphemeral");
            let found = world.environments.values().filter(|e| {
                e.project_id == project.id && wanted.is_none_or(|w| w == e.is_ephemeral)
            });
            connection(found.map(json).collect(), args)
        }
        "deployments" => connection(deployments(world, args.object("input")?), args),
        "sandboxes" => {
            let found = world.sandboxes.values();
            let found = found.filter(|s| Some(s.environment_id.as_str()) == environment);
            connection(found.map(json).collect(), args)
        }
        "domains" => relation::domains(world, service, environment),
        _ => {
            let proxies = world.tcp_proxies.values().filter(|p| {
                Some(p.service_id.as_str()) == service
                    && Some(p.environment_id.as_str()) == environment
            });
            Value::Array(proxies.map(json).collect())
        }
    })
}

fn projects(world: &World, args: Args<'_>) -> Vec<Value> {
    let deleted_too = args.flag("includeDeleted").unwrap_or(false);
    let workspace = args.opt_text("workspaceId");
    let found = world.projects.values().filter(|p| {
        (deleted_too || p.deleted_at.is_none()) && workspace.is_none_or(|id| id == p.workspace_id)
    });
    found.map(json).collect()
}

fn deployments(world: &World, input: Args<'_>) -> Vec<Value> {
    let status = input.object("status").ok();
    let matches = |name: &str, actual: &str| input.opt_text(name).is_none_or(|id| id == actual);
    let wanted = |d: &&Deployment| {
        let listed = |key| status.map(|s| s.texts(key)).unwrap_or_default();
        matches("projectId", &d.project_id)
            && matches("environmentId", &d.environment_id)
            && matches("serviceId", &d.service_id)
            && (listed("in").is_empty() || listed("in").contains(&d.status.as_str()))
            && !listed("notIn").contains(&d.status.as_str())
    };
    world
        .deployments
        .values()
        .filter(wanted)
        .map(json)
        .collect()
}

fn backups(world: &World, field: &str, args: Args<'_>) -> Result<Value, Refusal> {
    let id = &world.volume_instance(args.text("volumeInstanceId")?)?.id;
    Ok(if field == "volumeInstanceBackupList" {
        let own = world
            .backups
            .values()
            .filter(|b| b.volume_instance_id == *id);
        Value::Array(own.map(json).collect())
    } else {
        let own = world
            .backup_schedules
            .values()
            .filter(|s| s.volume_instance_id == *id);
        Value::Array(own.map(json).collect())
    })
}

fn bucket_credentials(world: &World, args: Args<'_>) -> Result<Value, Refusal> {
    let bucket = world.bucket(args.text("bucketId")?)?;
    let found = bucket.credentials.get(args.text("environmentId")?);
    Ok(Value::Array(found.map(json).into_iter().collect()))
}

fn workflow_status(world: &World, id: &str) -> Value {
    let known = world.workflows.contains_key(id);
    json!({ "status": if known { "Complete" } else { "NotFound" } })
}

fn credential(
    world: &World,
    caller: &Caller,
    field: &str,
    args: Args<'_>,
) -> Result<Value, Refusal> {
    match (field, &caller.reach) {
        ("apiTokens", _) => Ok(connection(
            world.api_tokens.values().map(json).collect(),
            args,
        )),
        ("projectTokens", _) => {
            let project = &world.project(args.text("projectId")?)?.id;
            let own = world
                .project_tokens
                .values()
                .filter(|t| t.project_id == *project);
            Ok(connection(own.map(json).collect(), args))
        }
        ("projectToken", Reach::Environment { token_id, .. }) => {
            let token = world.project_tokens.get(token_id);
            token.map(json).ok_or(Refusal::NotAuthorized)
        }
        ("apiToken", Reach::Workspace(id)) => {
            Ok(json!({ "workspaces": [relation::workspace(world, id)?] }))
        }
        ("apiToken", Reach::Account) => {
            Ok(json!({ "workspaces": world.workspaces.values().map(json).collect::<Vec<_>>() }))
        }
        _ => Err(Refusal::NotAuthorized),
    }
}
