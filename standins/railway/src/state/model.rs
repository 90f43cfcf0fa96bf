//! The provider's objects. Serialised names are those of the GraphQL types, so that a field without
//! a resolver of its own is simply the property of that name.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// Rows by id.
pub(crate) type Table<T> = BTreeMap<String, T>;
/// Values by variable name.
pub(crate) type Variables = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Workspace {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) workspace_id: String,
    pub(crate) base_environment_id: Option<String>,
    pub(crate) is_public: bool,
    pub(crate) pr_deploys: bool,
    pub(crate) bot_pr_environments: bool,
    pub(crate) focused_pr_environments: bool,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    /// Set while the project waits for its scheduled deletion.
    pub(crate) deleted_at: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Environment {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) project_id: String,
    pub(crate) is_ephemeral: bool,
    /// The environment that this one was forked from.
    pub(crate) source_environment_id: Option<String>,
    pub(crate) shared_variables: Variables,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvironmentPatch {
    pub(crate) id: String,
    pub(crate) environment_id: String,
    pub(crate) patch: Value,
    pub(crate) status: &'static str,
    pub(crate) message: Option<String>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) applied_at: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) icon: Option<String>,
    pub(crate) project_id: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// A service in one environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceInstance {
    pub(crate) id: String,
    pub(crate) service_id: String,
    pub(crate) environment_id: String,
    pub(crate) service_variables: Variables,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    /// `source`, `startCommand`, `numReplicas` … as the provider's input names them.
    #[serde(flatten)]
    pub(crate) settings: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Volume {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) project_id: String,
    pub(crate) created_at: String,
}

/// A volume in one environment: this is what holds data.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VolumeInstance {
    pub(crate) id: String,
    pub(crate) volume_id: String,
    pub(crate) environment_id: String,
    pub(crate) service_id: Option<String>,
    pub(crate) mount_path: String,
    #[serde(rename = "sizeMB")]
    pub(crate) size_mb: u32,
    #[serde(rename = "currentSizeMB")]
    pub(crate) current_size_mb: u32,
    pub(crate) state: String,
    pub(crate) region: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) is_pending_deletion: bool,
    pub(crate) created_at: String,
    pub(crate) deleted_at: Option<String>,
    /// Stands for the bytes on the disk: two volumes with equal contents hold the same data.
    pub(crate) contents: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Backup {
    pub(crate) id: String,
    pub(crate) volume_instance_id: String,
    pub(crate) name: Option<String>,
    pub(crate) creator_id: Option<String>,
    pub(crate) schedule_id: Option<String>,
    pub(crate) external_id: String,
    #[serde(rename = "usedMB")]
    pub(crate) used_mb: u32,
    #[serde(rename = "referencedMB")]
    pub(crate) referenced_mb: u32,
    #[serde(rename = "volumeInstanceSizeMB")]
    pub(crate) volume_instance_size_mb: u32,
    pub(crate) created_at: String,
    pub(crate) expires_at: Option<String>,
    /// The instance's contents when the backup was made.
    pub(crate) contents: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupSchedule {
    pub(crate) id: String,
    pub(crate) volume_instance_id: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) cron: String,
    pub(crate) retention_seconds: u32,
    pub(crate) created_at: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bucket {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) project_id: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    /// Credentials by environment id.
    pub(crate) credentials: BTreeMap<String, BucketCredentials>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BucketCredentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) bucket_name: String,
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) url_style: String,
    pub(crate) created_at: String,
}

/// A custom or a provider-given domain.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Domain {
    pub(crate) id: String,
    pub(crate) domain: String,
    pub(crate) project_id: String,
    pub(crate) environment_id: String,
    pub(crate) service_id: String,
    pub(crate) target_port: Option<i64>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TcpProxy {
    pub(crate) id: String,
    pub(crate) domain: String,
    pub(crate) environment_id: String,
    pub(crate) service_id: String,
    pub(crate) application_port: i64,
    pub(crate) proxy_port: i64,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) environment_id: String,
    pub(crate) service_id: String,
    pub(crate) status: String,
    pub(crate) deployment_stopped: bool,
    pub(crate) restarts: u32,
    pub(crate) url: Option<String>,
    pub(crate) meta: Value,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) status_updated_at: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sandbox {
    pub(crate) id: String,
    pub(crate) environment_id: String,
    pub(crate) status: String,
    pub(crate) network_isolation: String,
    pub(crate) region: String,
    pub(crate) created_at: String,
    /// Commands that were accepted; none is run.
    pub(crate) commands: Vec<String>,
}

/// An account token (no workspace) or a workspace token.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiToken {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) workspace_id: Option<String>,
    pub(crate) display_token: String,
    pub(crate) token: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProjectToken {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) project_id: String,
    pub(crate) environment_id: String,
    pub(crate) display_token: String,
    pub(crate) token: String,
    pub(crate) created_at: String,
}
