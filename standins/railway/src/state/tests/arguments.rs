//! Arguments with which every mutation succeeds on the seed and changes something.

use serde_json::{Value, json};

use crate::seed::*;

pub(super) type Row = (&'static str, Value);

/// All of them.
pub(super) fn good() -> Vec<Row> {
    [projects(), services(), volumes(), credentials()].concat()
}

fn projects() -> Vec<Row> {
    let id = |id: &str| json!({ "id": id });
    let delete_volume = json!({ "volumes": { POSTGRES_VOLUME: { "isDeleted": true } } });
    vec![
        (
            "environmentApplyChangeSet",
            json!({ "environmentId": STAGING, "input": delete_volume }),
        ),
        (
            "environmentCreate",
            json!({ "input": { "projectId": PROJECT, "name": "qa", "sourceEnvironmentId": STAGING } }),
        ),
        ("environmentDelete", id(STAGING)),
        (
            "environmentPatchCommit",
            json!({ "environmentId": STAGING, "patch": delete_volume }),
        ),
        (
            "environmentRename",
            json!({ "id": PRODUCTION, "input": { "name": "dev" } }),
        ),
        (
            "environmentStageChanges",
            json!({ "environmentId": STAGING, "input": delete_volume }),
        ),
        ("projectCreate", json!({ "input": { "name": "new" } })),
        ("projectDelete", id(PROJECT)),
        ("projectScheduleDelete", id(PROJECT)),
        (
            "projectUpdate",
            json!({ "id": PROJECT, "input": { "name": "renamed" } }),
        ),
    ]
}

fn services() -> Vec<Row> {
    let id = |id: &str| json!({ "id": id });
    let place = json!({ "serviceId": API_SERVICE, "environmentId": STAGING });
    let variable = json!({
        "projectId": PROJECT, "environmentId": STAGING, "serviceId": API_SERVICE,
        "name": "PORT", "value": "9090", "variables": { "PORT": "9090" }, "replace": true,
    });
    vec![
        ("deploymentCancel", id(STAGING_DEPLOYMENT)),
        ("deploymentRedeploy", id(STAGING_DEPLOYMENT)),
        ("deploymentRemove", id(STAGING_DEPLOYMENT)),
        ("deploymentRestart", id(STAGING_DEPLOYMENT)),
        ("deploymentRollback", id(STAGING_DEPLOYMENT)),
        ("deploymentStop", id(STAGING_DEPLOYMENT)),
        (
            "sandboxExec",
            json!({ "id": SANDBOX, "environmentId": STAGING, "command": "psql" }),
        ),
        (
            "serviceCreate",
            json!({ "input": { "projectId": PROJECT, "name": "worker" } }),
        ),
        ("serviceDelete", id(API_SERVICE)),
        ("serviceDomainCreate", json!({ "input": place })),
        ("serviceDomainDelete", id(STAGING_SERVICE_DOMAIN)),
        ("serviceInstanceDeployV2", place.clone()),
        ("serviceInstanceRedeploy", place.clone()),
        (
            "serviceInstanceUpdate",
            json!({ "serviceId": API_SERVICE, "input": { "startCommand": "sh" } }),
        ),
        (
            "serviceUpdate",
            json!({ "id": API_SERVICE, "input": { "name": "web" } }),
        ),
        ("variableCollectionUpsert", json!({ "input": variable })),
        ("variableDelete", json!({ "input": variable })),
        ("variableUpsert", json!({ "input": variable })),
    ]
}

fn volumes() -> Vec<Row> {
    let backup = json!({
        "volumeInstanceId": PRODUCTION_VOLUME_INSTANCE,
        "volumeInstanceBackupId": PRODUCTION_BACKUPS[1],
    });
    vec![
        (
            "volumeCreate",
            json!({ "input": { "projectId": PROJECT, "mountPath": "/data",
                "environmentId": STAGING } }),
        ),
        ("volumeDelete", json!({ "volumeId": POSTGRES_VOLUME })),
        (
            "volumeInstanceBackupCreate",
            json!({ "volumeInstanceId": PRODUCTION_VOLUME_INSTANCE, "name": "before" }),
        ),
        ("volumeInstanceBackupDelete", backup.clone()),
        ("volumeInstanceBackupLock", backup.clone()),
        ("volumeInstanceBackupRestore", backup),
        (
            "volumeInstanceBackupScheduleUpdate",
            json!({ "volumeInstanceId": PRODUCTION_VOLUME_INSTANCE, "kinds": [] }),
        ),
        (
            "volumeInstanceUpdate",
            json!({ "volumeId": POSTGRES_VOLUME, "input": { "serviceId": null } }),
        ),
        (
            "volumeUpdate",
            json!({ "volumeId": POSTGRES_VOLUME, "input": { "name": "renamed" } }),
        ),
    ]
}

fn credentials() -> Vec<Row> {
    let id = |id: &str| json!({ "id": id });
    vec![
        ("apiTokenCreate", json!({ "input": { "name": "new" } })),
        ("apiTokenDelete", id("5b000000-0000-4000-8000-5e0000000002")),
        (
            "bucketCredentialsReset",
            json!({ "bucketId": BUCKET, "environmentId": PRODUCTION, "projectId": PROJECT }),
        ),
        (
            "customDomainCreate",
            json!({ "input": { "domain": "new.example", "projectId": PROJECT,
                "serviceId": API_SERVICE, "environmentId": STAGING } }),
        ),
        ("customDomainDelete", id(CUSTOM_DOMAIN)),
        (
            "generateShellToken",
            json!({ "input": { "environmentId": STAGING, "instanceId": "i", "scope": "s" } }),
        ),
        (
            "projectTokenCreate",
            json!({ "input": { "name": "t", "projectId": PROJECT, "environmentId": STAGING } }),
        ),
        (
            "projectTokenDelete",
            id("5a000000-0000-4000-8000-5e0000000001"),
        ),
        (
            "tcpProxyCreate",
            json!({ "input": { "serviceId": POSTGRES_SERVICE, "environmentId": PRODUCTION,
                "applicationPort": 5432 } }),
        ),
    ]
}
