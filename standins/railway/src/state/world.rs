//! All there is: the tables, the look-ups over them, new ids and the clock.

use serde::Serialize;
use serde_json::Value;

use super::delete_mode::DeleteMode;
use super::model::{
    ApiToken, Backup, BackupSchedule, Bucket, Deployment, Domain, Environment, EnvironmentPatch,
    Project, ProjectToken, Sandbox, Service, ServiceInstance, Table, TcpProxy, Volume,
    VolumeInstance, Workspace,
};
use crate::error::Refusal;

/// The provider's whole state. Time is a counter that only changes move, so equal operations on
/// equal states give equal states.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct World {
    pub(crate) delete_mode: DeleteMode,
    pub(crate) workspaces: Table<Workspace>,
    pub(crate) projects: Table<Project>,
    pub(crate) environments: Table<Environment>,
    /// The patch being collected, by environment id; absent means nothing is staged.
    pub(crate) staged_patches: Table<EnvironmentPatch>,
    pub(crate) committed_patches: Vec<EnvironmentPatch>,
    pub(crate) services: Table<Service>,
    pub(crate) service_instances: Table<ServiceInstance>,
    pub(crate) volumes: Table<Volume>,
    pub(crate) volume_instances: Table<VolumeInstance>,
    pub(crate) backups: Table<Backup>,
    pub(crate) backup_schedules: Table<BackupSchedule>,
    pub(crate) buckets: Table<Bucket>,
    pub(crate) custom_domains: Table<Domain>,
    pub(crate) service_domains: Table<Domain>,
    pub(crate) tcp_proxies: Table<TcpProxy>,
    pub(crate) deployments: Table<Deployment>,
    pub(crate) sandboxes: Table<Sandbox>,
    pub(crate) api_tokens: Table<ApiToken>,
    pub(crate) project_tokens: Table<ProjectToken>,
    /// Tokens for a browser shell that were given out.
    pub(crate) shell_tokens: Vec<String>,
    /// Names of asynchronous jobs by id; every job is complete when its id is given out.
    pub(crate) workflows: Table<String>,
    pub(crate) ticks: u32,
    pub(crate) next_number: u32,
}

/// The project, and where there is one the environment, that an object belongs to.
#[derive(Debug, PartialEq)]
pub(crate) struct Owner {
    pub(crate) project_id: String,
    pub(crate) environment_id: Option<String>,
}

macro_rules! lookups {
    ($($one:ident, $one_mut:ident, $table:ident, $ty:ty, $kind:literal;)*) => { $(
        pub(crate) fn $one(&self, id: &str) -> Result<&$ty, Refusal> {
            self.$table.get(id).ok_or_else(|| not_found($kind, id))
        }
        pub(crate) fn $one_mut(&mut self, id: &str) -> Result<&mut $ty, Refusal> {
            self.$table.get_mut(id).ok_or_else(|| not_found($kind, id))
        }
    )* };
}

impl World {
    lookups! {
        project, project_mut, projects, Project, "Project";
        environment, environment_mut, environments, Environment, "Environment";
        service, service_mut, services, Service, "Service";
        volume, volume_mut, volumes, Volume, "Volume";
        volume_instance, volume_instance_mut, volume_instances, VolumeInstance, "Volume instance";
        backup, backup_mut, backups, Backup, "Backup";
        bucket, bucket_mut, buckets, Bucket, "Bucket";
        deployment, deployment_mut, deployments, Deployment, "Deployment";
        sandbox, sandbox_mut, sandboxes, Sandbox, "Sandbox";
    }

    /// The instance of a service in an environment.
    pub(crate) fn service_instance(
        &self,
        service_id: &str,
        environment_id: &str,
    ) -> Result<&ServiceInstance, Refusal> {
        let found = self
            .service_instances
            .values()
            .find(|i| i.service_id == service_id && i.environment_id == environment_id);
        found.ok_or_else(|| not_found("Service instance", service_id))
    }

    pub(crate) fn service_instance_mut(
        &mut self,
        service_id: &str,
        environment_id: &str,
    ) -> Result<&mut ServiceInstance, Refusal> {
        let found = self
            .service_instances
            .values_mut()
            .find(|i| i.service_id == service_id && i.environment_id == environment_id);
        found.ok_or_else(|| not_found("Service instance", service_id))
    }

    /// Ids of the instances of a volume, in one environment or in all.
    pub(crate) fn instances_of(
        &self,
        volume_id: &str,
        environment_id: Option<&str>,
    ) -> Vec<String> {
        let instances = self.volume_instances.values().filter(|i| {
            i.volume_id == volume_id && environment_id.is_none_or(|e| e == i.environment_id)
        });
        instances.map(|i| i.id.clone()).collect()
    }

    /// The oldest environment that is not ephemeral.
    pub(crate) fn primary_environment(&self, project_id: &str) -> Option<&Environment> {
        let lasting = self
            .environments
            .values()
            .filter(|e| e.project_id == project_id && !e.is_ephemeral);
        lasting.min_by(|a, b| a.created_at.cmp(&b.created_at))
    }

    /// Who owns the object with this id; `None` for what is not an id.
    pub(crate) fn owner_of(&self, id: &str) -> Option<Owner> {
        self.owner_environment(id).map_or_else(
            || {
                let project_id = self.owner_project(id)?;
                Some(Owner {
                    project_id,
                    environment_id: None,
                })
            },
            |environment| {
                Some(Owner {
                    project_id: environment.project_id.clone(),
                    environment_id: Some(environment.id.clone()),
                })
            },
        )
    }

    fn owner_environment(&self, id: &str) -> Option<&Environment> {
        let instance_id = self.backups.get(id).map_or(id, |b| &b.volume_instance_id);
        let environment_id = None
            .or_else(|| {
                self.volume_instances
                    .get(instance_id)
                    .map(|i| &i.environment_id)
            })
            .or_else(|| self.service_instances.get(id).map(|i| &i.environment_id))
            .or_else(|| self.deployments.get(id).map(|d| &d.environment_id))
            .or_else(|| self.custom_domains.get(id).map(|d| &d.environment_id))
            .or_else(|| self.service_domains.get(id).map(|d| &d.environment_id))
            .or_else(|| self.tcp_proxies.get(id).map(|p| &p.environment_id))
            .or_else(|| self.sandboxes.get(id).map(|s| &s.environment_id))
            .map_or(id, String::as_str);
        self.environments.get(environment_id)
    }

    fn owner_project(&self, id: &str) -> Option<String> {
        let project_id = None
            .or_else(|| self.services.get(id).map(|s| &s.project_id))
            .or_else(|| self.volumes.get(id).map(|v| &v.project_id))
            .or_else(|| self.buckets.get(id).map(|b| &b.project_id))
            .or_else(|| self.projects.get(id).map(|p| &p.id))?;
        Some(project_id.clone())
    }

    /// A fresh id. Fresh ids sort behind the seeded ones.
    pub(crate) fn new_id(&mut self) -> String {
        self.next_number += 1;
        format!("f{:07x}-0000-4000-8000-0000000000ff", self.next_number)
    }

    /// A fresh secret. Only its prefix says what it is for.
    pub(crate) fn new_secret(&mut self, prefix: &str) -> String {
        self.next_number += 1;
        format!(
            "{prefix}standin{:08x}",
            self.next_number.wrapping_mul(0x9e37_79b1)
        )
    }

    /// The time, a second later at every call.
    pub(crate) fn now(&mut self) -> String {
        self.ticks += 1;
        timestamp(self.ticks)
    }

    /// Registers a finished job and gives its id, as the provider answers asynchronous operations.
    pub(crate) fn workflow(&mut self, name: &str) -> String {
        let id = format!("{name}-{}", self.new_id());
        self.workflows.insert(id.clone(), name.to_owned());
        id
    }
}

/// Seconds from midnight to the start.
const START_SECOND: u32 = 15 * 3_600;

/// The `ticks`-th second after the afternoon of 24 April 2026, in the provider's format.
pub(crate) fn timestamp(ticks: u32) -> String {
    let ticks = START_SECOND + ticks;
    let (day, second) = (ticks / 86_400 % 7, ticks % 86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!(
        "2026-04-{:02}T{hour:02}:{minute:02}:{second:02}.000Z",
        24 + day
    )
}

pub(crate) fn not_found(kind: &'static str, id: &str) -> Refusal {
    Refusal::NotFound {
        kind,
        id: id.to_owned(),
    }
}

/// The object as the resolvers see it.
pub(crate) fn json(object: &impl Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}
