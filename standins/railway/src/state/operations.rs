//! The table of mutations.

use serde_json::Value;

use super::world::World;
use super::{deployment, environment, network, patch, project, service, token, variable, volume};
use crate::args::Args;
use crate::error::Refusal;

/// A mutation: changes the world and gives the field's value.
pub(crate) type Operation = fn(&mut World, Args<'_>) -> Result<Value, Refusal>;

/// The mutation of this name.
pub(crate) fn operation(name: &str) -> Option<Operation> {
    let found = OPERATIONS.iter().find(|(known, _)| *known == name);
    found.map(|(_, operation)| *operation)
}

pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("apiTokenCreate", token::api_create),
    ("apiTokenDelete", token::api_delete),
    ("bucketCredentialsReset", network::bucket_credentials_reset),
    ("customDomainCreate", network::custom_domain_create),
    ("customDomainDelete", network::custom_domain_delete),
    ("deploymentCancel", deployment::cancel),
    ("deploymentRedeploy", deployment::redeploy),
    ("deploymentRemove", deployment::remove),
    ("deploymentRestart", deployment::restart),
    ("deploymentRollback", deployment::rollback),
    ("deploymentStop", deployment::stop),
    ("environmentApplyChangeSet", patch::apply_change_set),
    ("environmentCreate", environment::create),
    ("environmentDelete", environment::delete),
    ("environmentPatchCommit", patch::commit),
    ("environmentPatchCommitStaged", patch::commit_staged),
    ("environmentPreviewChangeSet", patch::preview_change_set),
    ("environmentRename", environment::rename),
    ("environmentStageChanges", patch::stage),
    ("generateShellToken", token::shell),
    ("projectCreate", project::create),
    ("projectDelete", project::delete),
    ("projectScheduleDelete", project::schedule_delete),
    (
        "projectScheduleDeleteCancel",
        project::schedule_delete_cancel,
    ),
    ("projectScheduleDeleteForce", project::schedule_delete_force),
    ("projectTokenCreate", token::project_create),
    ("projectTokenDelete", token::project_delete),
    ("projectUpdate", project::update),
    ("sandboxExec", deployment::sandbox_exec),
    ("serviceCreate", service::create),
    ("serviceDelete", service::delete),
    ("serviceDomainCreate", network::service_domain_create),
    ("serviceDomainDelete", network::service_domain_delete),
    ("serviceInstanceDeployV2", deployment::deploy),
    ("serviceInstanceRedeploy", deployment::instance_redeploy),
    ("serviceInstanceUpdate", service::instance_update),
    ("serviceUpdate", service::update),
    ("tcpProxyCreate", network::tcp_proxy_create),
    ("tcpProxyDelete", network::tcp_proxy_delete),
    ("variableCollectionUpsert", variable::collection_upsert),
    ("variableDelete", variable::delete),
    ("variableUpsert", variable::upsert),
    ("volumeCreate", volume::create),
    ("volumeDelete", volume::delete),
    ("volumeInstanceBackupCreate", volume::backup_create),
    ("volumeInstanceBackupDelete", volume::backup_delete),
    ("volumeInstanceBackupLock", volume::backup_lock),
    ("volumeInstanceBackupRestore", volume::backup_restore),
    (
        "volumeInstanceBackupScheduleUpdate",
        volume::backup_schedule_update,
    ),
    ("volumeInstanceUpdate", volume::instance_update),
    ("volumeUpdate", volume::update),
];
