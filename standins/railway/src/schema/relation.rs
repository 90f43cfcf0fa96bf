//! Fields that lead from one object to others, and fields that are computed or constant.

use serde_json::{Value, json};

use super::page::connection;
use crate::args::Args;
use crate::error::Refusal;
use crate::state::{self, World, json, not_found};

/// The value of `field` on `parent`; `None` where it has none.
pub(crate) fn resolve(
    world: &World,
    parent_type: &str,
    field: &str,
    parent: &Value,
    args: Args<'_>,
) -> Option<Value> {
    let id = text(parent, "id");
    match parent_type {
        "User" => (field == "workspaces")
            .then(|| Value::Array(world.workspaces.values().map(json).collect())),
        "Workspace" => of_workspace(world, field, id, args),
        "Project" => of_project(world, field, id, parent, args),
        "Environment" => of_environment(world, field, id, parent, args),
        "Service" => of_service(world, field, id, parent, args),
        "ServiceInstance" => of_service_instance(world, field, parent),
        "Volume" if field == "volumeInstances" => Some(connection(
            world
                .volume_instances
                .values()
                .filter(|i| i.volume_id == id)
                .map(json)
                .collect(),
            args,
        )),
        "Deployment" => of_deployment(field, parent).or_else(|| target(world, field, parent)),
        "CustomDomain" | "ServiceDomain" | "TCPProxy" => of_domain(parent_type, field, parent),
        _ => target(world, field, parent),
    }
}

/// A workspace by id.
pub(crate) fn workspace(world: &World, id: &str) -> Result<Value, Refusal> {
    world
        .workspaces
        .get(id)
        .map(json)
        .ok_or_else(|| not_found("Workspace", id))
}

/// The domains of a service in an environment.
pub(crate) fn domains(world: &World, service: Option<&str>, environment: Option<&str>) -> Value {
    let here = |s: &str, e: &str| service == Some(s) && environment == Some(e);
    let custom = world.custom_domains.values();
    let custom = custom
        .filter(|d| here(&d.service_id, &d.environment_id))
        .map(json);
    let given = world.service_domains.values();
    let given = given
        .filter(|d| here(&d.service_id, &d.environment_id))
        .map(json);
    json!({
        "customDomains": custom.collect::<Vec<_>>(),
        "serviceDomains": given.collect::<Vec<_>>(),
    })
}

/// The fields that many objects share: what they belong to.
fn target(world: &World, field: &str, parent: &Value) -> Option<Value> {
    let id = |name| parent.get(name).and_then(Value::as_str);
    match field {
        "project" => world.projects.get(id("projectId")?).map(json),
        "environment" => world.environments.get(id("environmentId")?).map(json),
        "service" => world.services.get(id("serviceId")?).map(json),
        "volume" => world.volumes.get(id("volumeId")?).map(json),
        "workspace" => world.workspaces.get(id("workspaceId")?).map(json),
        "baseEnvironment" => world.environments.get(id("baseEnvironmentId")?).map(json),
        "sourceEnvironment" => world.environments.get(id("sourceEnvironmentId")?).map(json),
        _ => None,
    }
}

fn of_workspace(world: &World, field: &str, id: &str, args: Args<'_>) -> Option<Value> {
    let own = world.projects.values();
    let own = own
        .filter(|p| p.workspace_id == id && p.deleted_at.is_none())
        .map(json);
    match field {
        "projects" => Some(connection(own.collect(), args)),
        "projectCount" => Some(json!(own.count())),
        "has2FAEnforcement" => Some(json!(false)),
        _ => None,
    }
}

fn of_project(
    world: &World,
    field: &str,
    id: &str,
    parent: &Value,
    args: Args<'_>,
) -> Option<Value> {
    let nodes = match field {
        "environments" => owned(world.environments.values(), |e| e.project_id == id),
        "services" => owned(world.services.values(), |s| s.project_id == id),
        "volumes" => owned(world.volumes.values(), |v| v.project_id == id),
        "buckets" => owned(world.buckets.values(), |b| b.project_id == id),
        "deployments" => owned(world.deployments.values(), |d| d.project_id == id),
        "primaryEnvironmentId" => return world.primary_environment(id).map(|e| json!(e.id)),
        "isTempProject" => return Some(json!(false)),
        _ => return target(world, field, parent),
    };
    Some(connection(nodes, args))
}

fn of_environment(
    world: &World,
    field: &str,
    id: &str,
    parent: &Value,
    args: Args<'_>,
) -> Option<Value> {
    let nodes = match field {
        "volumeInstances" => owned(world.volume_instances.values(), |i| i.environment_id == id),
        "serviceInstances" => owned(world.service_instances.values(), |i| i.environment_id == id),
        "deployments" => owned(world.deployments.values(), |d| d.environment_id == id),
        "config" => {
            let decrypt = args.flag("decryptVariables").unwrap_or(false);
            return state::config(world, id, decrypt).ok();
        }
        "configEtag" => return state::config_etag(world, id).ok().map(Value::String),
        "canAccess" => return Some(json!(true)),
        "unmergedChangesCount" => return Some(json!(world.staged_patches.contains_key(id) as u8)),
        _ => return target(world, field, parent),
    };
    Some(connection(nodes, args))
}

fn of_service(
    world: &World,
    field: &str,
    id: &str,
    parent: &Value,
    args: Args<'_>,
) -> Option<Value> {
    let nodes = match field {
        "serviceInstances" => owned(world.service_instances.values(), |i| i.service_id == id),
        "deployments" => owned(world.deployments.values(), |d| d.service_id == id),
        "isRestricted" => return Some(json!(false)),
        _ => return target(world, field, parent),
    };
    Some(connection(nodes, args))
}

fn of_service_instance(world: &World, field: &str, parent: &Value) -> Option<Value> {
    let (service, environment) = (text(parent, "serviceId"), text(parent, "environmentId"));
    let deployments = || {
        let all = world.deployments.values();
        all.filter(|d| d.service_id == service && d.environment_id == environment)
    };
    match field {
        "serviceName" => world.services.get(service).map(|s| json!(s.name)),
        "domains" => Some(domains(world, Some(service), Some(environment))),
        "latestDeployment" => deployments().max_by_key(|d| &d.created_at).map(json),
        "activeDeployments" => Some(Value::Array(
            deployments()
                .filter(|d| d.status == "SUCCESS")
                .map(json)
                .collect(),
        )),
        "builder" => Some(json!("RAILPACK")),
        "restartPolicyType" => Some(json!("ON_FAILURE")),
        "restartPolicyMaxRetries" => Some(json!(10)),
        "watchPatterns" => Some(json!([])),
        "isUpdatable" => Some(json!(false)),
        _ => target(world, field, parent),
    }
}

fn of_deployment(field: &str, parent: &Value) -> Option<Value> {
    match field {
        "canRedeploy" => Some(json!(true)),
        "canRollback" => Some(json!(text(parent, "status") == "REMOVED")),
        "suggestAddServiceDomain" => Some(json!(false)),
        _ => None,
    }
}

fn of_domain(parent_type: &str, field: &str, parent: &Value) -> Option<Value> {
    match field {
        "syncStatus" => Some(json!("ACTIVE")),
        "isRailwayDomain" => Some(json!(false)),
        "suffix" => text(parent, "domain")
            .split_once('.')
            .map(|(_, suffix)| json!(suffix)),
        "status" if parent_type == "CustomDomain" => Some(json!({
            "certificateStatus": "CERTIFICATE_STATUS_TYPE_VALID", "dnsRecords": [],
            "verified": true,
        })),
        _ => None,
    }
}

fn owned<'a, T: serde::Serialize + 'a>(
    rows: impl Iterator<Item = &'a T>,
    belongs: impl Fn(&T) -> bool,
) -> Vec<Value> {
    rows.filter(|row| belongs(row)).map(json).collect()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
