//! An environment's configuration as one document: what patches are written against.

use serde_json::{Map, Value, json};

use super::canonical;
use super::model::{ServiceInstance, Variables};
use super::world::World;
use crate::error::Refusal;

const DEPLOY_KEYS: [&str; 9] = [
    "startCommand",
    "preDeployCommand",
    "numReplicas",
    "region",
    "cronSchedule",
    "healthcheckPath",
    "healthcheckTimeout",
    "restartPolicyType",
    "sleepApplication",
];

/// The configuration; without `decrypt` the values of variables are masked.
pub(crate) fn config(world: &World, environment_id: &str, decrypt: bool) -> Result<Value, Refusal> {
    let environment = world.environment(environment_id)?;
    let services = world
        .service_instances
        .values()
        .filter(|i| i.environment_id == environment_id);
    let services: Map<_, _> = services
        .map(|i| (i.service_id.clone(), service(world, i, decrypt)))
        .collect();
    let volumes = world
        .volume_instances
        .values()
        .filter(|i| i.environment_id == environment_id);
    let volumes: Map<_, _> = volumes
        .map(|i| {
            (
                i.volume_id.clone(),
                json!({ "sizeMB": i.size_mb, "region": i.region }),
            )
        })
        .collect();
    let buckets = world.buckets.values();
    let buckets: Map<_, _> = buckets
        .filter_map(|b| {
            Some((
                b.id.clone(),
                json!({ "region": b.credentials.get(environment_id)?.region }),
            ))
        })
        .collect();
    Ok(json!({
        "services": services,
        "volumes": volumes,
        "buckets": buckets,
        "sharedVariables": variables(&environment.shared_variables, decrypt),
    }))
}

/// Changes with every change of the configuration, values of variables included.
pub(crate) fn config_etag(world: &World, environment_id: &str) -> Result<String, Refusal> {
    Ok(canonical::digest(config(world, environment_id, true)?))
}

fn service(world: &World, instance: &ServiceInstance, decrypt: bool) -> Value {
    let here = |service: &str, environment: &str| {
        service == instance.service_id && environment == instance.environment_id
    };
    let mounts = world.volume_instances.values().filter(|v| {
        v.service_id
            .as_deref()
            .is_some_and(|service| here(service, &v.environment_id))
    });
    let mounts: Map<_, _> = mounts
        .map(|v| (v.volume_id.clone(), json!({ "mountPath": v.mount_path })))
        .collect();
    let domains = world
        .custom_domains
        .values()
        .filter(|d| here(&d.service_id, &d.environment_id));
    let domains: Map<_, _> = domains
        .map(|d| (d.domain.clone(), json!({ "port": d.target_port })))
        .collect();
    let deploy = DEPLOY_KEYS
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), instance.settings.get(*key)?.clone())));
    json!({
        "source": instance.settings.get("source"),
        "deploy": deploy.collect::<Map<_, _>>(),
        "variables": variables(&instance.service_variables, decrypt),
        "volumeMounts": mounts,
        "networking": { "customDomains": domains },
    })
}

fn variables(table: &Variables, decrypt: bool) -> Value {
    let shown = |value: &String| {
        if decrypt {
            json!({ "value": value })
        } else {
            json!({ "value": "*****" })
        }
    };
    let entries = table
        .iter()
        .map(|(name, value)| (name.clone(), shown(value)));
    Value::Object(entries.collect())
}
