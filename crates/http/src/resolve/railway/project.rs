//! One project, read whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use super::ask::{LookUp, NotFound};
use super::inventory::{EnvironmentEntry, Instance, Project, Service, Volume};
use super::page::Page;

/// The project with the first pages of everything: one request for most projects.
const PROJECT: &str = "query tagoutProject($id: String!) {
  project(id: $id) {
    id name
    environments(first: 50) { edges { node { ...inEnvironment } } pageInfo { hasNextPage endCursor } }
    volumes(first: 100) { edges { node { id name } } pageInfo { hasNextPage endCursor } }
    services(first: 100) { edges { node { id name } } pageInfo { hasNextPage endCursor } }
  }
}
fragment inEnvironment on Environment {
  id name isEphemeral
  volumeInstances(first: 100) {
    edges { node { id volumeId environmentId serviceId currentSizeMB state isPendingDeletion } }
    pageInfo { hasNextPage endCursor }
  }
  serviceInstances(first: 100) { edges { node { serviceId } } pageInfo { hasNextPage endCursor } }
}";

const ENVIRONMENTS: &str = "query tagoutEnvironments($id: String!, $after: String) {
  project(id: $id) {
    environments(first: 50, after: $after) {
      edges { node { ...inEnvironment } } pageInfo { hasNextPage endCursor }
    }
  }
}
fragment inEnvironment on Environment {
  id name isEphemeral
  volumeInstances(first: 100) {
    edges { node { id volumeId environmentId serviceId currentSizeMB state isPendingDeletion } }
    pageInfo { hasNextPage endCursor }
  }
  serviceInstances(first: 100) { edges { node { serviceId } } pageInfo { hasNextPage endCursor } }
}";

const VOLUMES: &str = "query tagoutVolumes($id: String!, $after: String) {
  project(id: $id) {
    volumes(first: 100, after: $after) { edges { node { id name } } pageInfo { hasNextPage endCursor } }
  }
}";

const SERVICES: &str = "query tagoutServices($id: String!, $after: String) {
  project(id: $id) {
    services(first: 100, after: $after) { edges { node { id name } } pageInfo { hasNextPage endCursor } }
  }
}";

const VOLUME_INSTANCES: &str = "query tagoutVolumeInstances($id: String!, $after: String) {
  environment(id: $id) {
    volumeInstances(first: 100, after: $after) {
      edges { node { id volumeId environmentId serviceId currentSizeMB state isPendingDeletion } }
      pageInfo { hasNextPage endCursor }
    }
  }
}";

const SERVICE_INSTANCES: &str = "query tagoutServiceInstances($id: String!, $after: String) {
  environment(id: $id) {
    serviceInstances(first: 100, after: $after) {
      edges { node { serviceId } } pageInfo { hasNextPage endCursor }
    }
  }
}";

#[derive(Deserialize)]
struct Answer {
    project: ProjectNode,
}

#[derive(Deserialize)]
struct ProjectNode {
    id: String,
    name: String,
    environments: Page<EnvironmentNode>,
    volumes: Page<Named>,
    services: Page<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvironmentNode {
    id: String,
    name: String,
    is_ephemeral: bool,
    volume_instances: Page<InstanceNode>,
    service_instances: Page<ServiceInstanceNode>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InstanceNode {
    id: String,
    volume_id: String,
    environment_id: String,
    service_id: Option<String>,
    #[serde(rename = "currentSizeMB")]
    current_size_mb: f64,
    state: Option<String>,
    is_pending_deletion: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceInstanceNode {
    service_id: String,
}

/// What is gathered on the way, by volume id and by service id.
#[derive(Default)]
struct Gathered {
    environments: Vec<EnvironmentEntry>,
    instances: BTreeMap<String, Vec<Instance>>,
    service_environments: BTreeMap<String, Vec<String>>,
}

/// Reads a project to the last page of everything.
pub(crate) async fn read_project(look_up: LookUp<'_>, id: &str) -> Result<Arc<Project>, NotFound> {
    let read_at = Instant::now();
    let variables = json!({"id": id});
    let answer: Answer = look_up.ask(PROJECT, variables.clone()).await?;
    let node = answer.project;
    let environments = node
        .environments
        .all(look_up, ENVIRONMENTS, &variables, "/project/environments")
        .await?;
    let volumes = node
        .volumes
        .all(look_up, VOLUMES, &variables, "/project/volumes")
        .await?;
    let services = node
        .services
        .all(look_up, SERVICES, &variables, "/project/services")
        .await?;
    let mut gathered = Gathered::default();
    for environment in environments {
        gathered.take(look_up, environment).await?;
    }
    Ok(Arc::new(Project {
        id: node.id,
        name: node.name,
        volumes: gathered.volumes(volumes),
        services: gathered.services(services),
        environments: gathered.environments,
        read_at,
    }))
}

impl Gathered {
    async fn take(&mut self, look_up: LookUp<'_>, node: EnvironmentNode) -> Result<(), NotFound> {
        let variables = json!({"id": node.id});
        let instances = node.volume_instances;
        let at = "/environment/volumeInstances";
        for instance in instances
            .all(look_up, VOLUME_INSTANCES, &variables, at)
            .await?
        {
            let of_volume = self
                .instances
                .entry(instance.volume_id.clone())
                .or_default();
            of_volume.push(instance.into());
        }
        let services = node.service_instances;
        let at = "/environment/serviceInstances";
        for service in services
            .all(look_up, SERVICE_INSTANCES, &variables, at)
            .await?
        {
            self.service_environments
                .entry(service.service_id)
                .or_default()
                .push(node.id.clone());
        }
        let entry = EnvironmentEntry {
            id: node.id,
            name: node.name,
            ephemeral: node.is_ephemeral,
        };
        self.environments.push(entry);
        Ok(())
    }

    /// The named volumes, and those that only an environment knows.
    fn volumes(&mut self, named: Vec<Named>) -> Vec<Volume> {
        let mut volumes: Vec<Volume> = named
            .into_iter()
            .map(|volume| {
                let instances = self.instances.remove(&volume.id).unwrap_or_default();
                Volume {
                    id: volume.id,
                    name: volume.name,
                    instances,
                }
            })
            .collect();
        let rest = std::mem::take(&mut self.instances).into_iter();
        volumes.extend(rest.map(|(id, instances)| Volume {
            name: String::new(),
            id,
            instances,
        }));
        volumes
    }

    fn services(&mut self, named: Vec<Named>) -> Vec<Service> {
        named
            .into_iter()
            .map(|service| {
                let environment_ids = self
                    .service_environments
                    .remove(&service.id)
                    .unwrap_or_default();
                Service {
                    id: service.id,
                    name: service.name,
                    environment_ids,
                }
            })
            .collect()
    }
}

impl From<InstanceNode> for Instance {
    fn from(node: InstanceNode) -> Self {
        Self {
            id: node.id,
            environment_id: node.environment_id,
            service_id: node.service_id,
            used_bytes: bytes_of_mb(node.current_size_mb),
            state: node.state,
            pending_deletion: node.is_pending_deletion,
        }
    }
}

/// The provider counts in megabytes with a fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate, and a size for a card may be rounded"
)]
fn bytes_of_mb(mb: f64) -> u64 {
    (mb * 1_000_000.0) as u64
}
