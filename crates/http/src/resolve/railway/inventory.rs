//! What there is: projects with their environments, volumes and services, and which project each id
//! belongs to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tagout_core::environment::Place;
use tagout_core::untrusted::Untrusted;

/// Everything that our credential can see of one upstream, at some moment.
#[derive(Clone, Debug)]
pub(crate) struct Inventory {
    projects: HashMap<String, Arc<Project>>,
    /// The project of every id in the inventory.
    owners: HashMap<String, String>,
    /// When the list of projects was asked for.
    pub(crate) listed_at: Instant,
    /// Whether every project of the list could be read.
    is_complete: bool,
}

/// One project, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) environments: Vec<EnvironmentEntry>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) services: Vec<Service>,
    /// When it was asked for.
    pub(crate) read_at: Instant,
}

/// One environment.
#[derive(Clone, Debug)]
pub(crate) struct EnvironmentEntry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) ephemeral: bool,
}

/// One volume, with its instance in each environment.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) instances: Vec<Instance>,
}

/// A volume in one environment: this is where the data is.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) environment_id: String,
    pub(crate) service_id: Option<String>,
    pub(crate) used_bytes: u64,
    pub(crate) state: Option<String>,
    pub(crate) pending_deletion: bool,
}

/// One service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The environments in which it has an instance.
    pub(crate) environment_ids: Vec<String>,
}

/// The kinds of resources whose ids the inventory knows.
pub(crate) fn is_kept(kind: &str) -> bool {
    matches!(
        kind,
        "project" | "environment" | "volume" | "volume_instance" | "service"
    )
}

impl Inventory {
    /// An inventory of these projects.
    pub(crate) fn new(projects: Vec<Arc<Project>>, listed_at: Instant, is_complete: bool) -> Self {
        let mut inventory = Self {
            projects: HashMap::new(),
            owners: HashMap::new(),
            listed_at,
            is_complete,
        };
        for project in projects {
            inventory.insert(project);
        }
        inventory
    }

    /// The same with one project read anew; what was in it before and is not there any more is gone.
    pub(crate) fn with(&self, project: Arc<Project>) -> Self {
        let mut inventory = self.clone();
        inventory.owners.retain(|_, owner| *owner != project.id);
        inventory.insert(project);
        inventory
    }

    fn insert(&mut self, project: Arc<Project>) {
        for id in project.ids() {
            self.owners.insert(id.to_owned(), project.id.clone());
        }
        self.projects.insert(project.id.clone(), project);
    }

    /// The project that an id belongs to.
    pub(crate) fn owner(&self, id: &str) -> Option<&Arc<Project>> {
        self.projects.get(self.owners.get(id)?)
    }

    /// Every place of every project; none where not all is known.
    pub(crate) fn places(&self) -> Vec<Place> {
        if !self.is_complete {
            return Vec::new();
        }
        let mut projects: Vec<_> = self.projects.values().collect();
        projects.sort_by(|a, b| a.id.cmp(&b.id));
        projects
            .into_iter()
            .flat_map(|project| project.places())
            .collect()
    }

    /// Every project.
    pub(crate) fn projects(&self) -> impl Iterator<Item = &Arc<Project>> {
        self.projects.values()
    }
}

impl Project {
    fn ids(&self) -> impl Iterator<Item = &str> {
        let environments = self.environments.iter().map(|environment| &environment.id);
        let volumes = self.volumes.iter().map(|volume| &volume.id);
        let instances = self.instances().map(|instance| &instance.id);
        let services = self.services.iter().map(|service| &service.id);
        let all = std::iter::once(&self.id).chain(environments).chain(volumes);
        all.chain(instances).chain(services).map(String::as_str)
    }

    /// Every instance of every volume.
    pub(crate) fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.volumes.iter().flat_map(|volume| &volume.instances)
    }

    /// The place of one of its environments.
    pub(crate) fn place(&self, environment_id: &str) -> Option<Place> {
        let found = self
            .environments
            .iter()
            .find(|environment| environment.id == environment_id);
        found.map(|environment| self.place_of(environment))
    }

    /// The places of all its environments.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.environments
            .iter()
            .map(|environment| self.place_of(environment))
            .collect()
    }

    fn place_of(&self, environment: &EnvironmentEntry) -> Place {
        Place {
            id: environment.id.clone(),
            name: Untrusted::from(environment.name.as_str()),
            project: Some(Untrusted::from(self.name.as_str())),
            ephemeral: environment.ephemeral,
        }
    }

    pub(crate) fn volume(&self, id: &str) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.id == id)
    }

    pub(crate) fn service(&self, id: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.id == id)
    }

    /// The name of a service, for cards.
    pub(crate) fn service_name(&self, id: Option<&str>) -> Option<Untrusted> {
        Some(Untrusted::from(self.service(id?)?.name.as_str()))
    }
}
