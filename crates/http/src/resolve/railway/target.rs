//! From one effect and the inventory to what the effect would reach.

use tagout_core::effect::{Effect, EffectOn, Reach};
use tagout_core::environment::Place;
use tagout_core::operation::Operation;
use tagout_core::resolved::{Count, Fact, Provenance, Target};
use tagout_core::untrusted::Untrusted;

use super::ask::{LookUp, NotFound};
use super::asked::{Field, fields};
use super::backups::backups_of;
use super::elsewhere;
use super::inventory::{Instance, Inventory, Project};

/// The argument that names a volume's instance.
pub(crate) const OF_INSTANCE: &str = "volumeInstanceId";

/// What an effect concerns, before it is counted.
struct Concerned<'a> {
    name: Option<Untrusted>,
    places: Vec<Place>,
    /// The volume instances whose data goes with it.
    instances: Vec<(&'a Project, &'a Instance)>,
    counts: Vec<Count>,
    facts: Vec<Fact>,
}

impl Concerned<'_> {
    const fn at(places: Vec<Place>) -> Self {
        Self {
            name: None,
            places,
            instances: Vec::new(),
            counts: Vec::new(),
            facts: Vec::new(),
        }
    }

    fn named(name: &str, places: Vec<Place>) -> Self {
        Self {
            name: Some(Untrusted::from(name)),
            ..Self::at(places)
        }
    }

    /// Counts what would be lost: the volumes' instances, their bytes, and their backups.
    async fn measure(&mut self, look_up: LookUp<'_>) -> Result<(), NotFound> {
        if self.instances.is_empty() {
            return Ok(());
        }
        let instances = self.instances.iter().map(|(_, instance)| instance);
        let bytes = instances.clone().map(|instance| instance.used_bytes).sum();
        let ids: Vec<&str> = instances.map(|instance| instance.id.as_str()).collect();
        let backups = backups_of(look_up, &ids).await?;
        let latest = backups
            .iter()
            .map(|backup| backup.created_at.as_str())
            .max();
        self.counts.push(count("instances", self.instances.len()));
        self.counts.push(Count {
            of: "bytes".to_owned(),
            count: bytes,
            provenance: Provenance::Resolved,
        });
        self.counts.push(count("backups", backups.len()));
        self.facts.extend(
            self.instances
                .iter()
                .flat_map(|(project, instance)| facts_of(project, instance)),
        );
        self.facts
            .extend(latest.map(|latest| fact("last backup", latest)));
        Ok(())
    }
}

/// The target of `on`, or `None` if it is not found.
pub(crate) async fn find(
    look_up: LookUp<'_>,
    inventory: &Inventory,
    operation: &Operation,
    on: &EffectOn,
) -> Option<Target> {
    let mut concerned = match on.resource.kind() {
        _ if on.resource.id() == "*" => at_large(inventory, on)?,
        "backup" => backup(look_up, inventory, operation, on).await?,
        kind if elsewhere::is_kept(kind) => by_asking(look_up, inventory, on).await?,
        kind if super::inventory::is_kept(kind) => kept(inventory, on)?,
        _ => at_large(inventory, on)?,
    };
    if concerned.places.is_empty() {
        return None;
    }
    if takes_away(on.effect) {
        concerned.measure(look_up).await.ok()?;
    }
    Some(Target {
        on: on.clone(),
        name: concerned.name,
        places: concerned.places,
        counts: concerned.counts,
        facts: concerned.facts,
    })
}

/// Data and backups go with what is destroyed, and count where protection is taken away.
const fn takes_away(effect: Effect) -> bool {
    matches!(effect, Effect::Destroy | Effect::Unprotect)
}

/// What the inventory keeps.
fn kept<'a>(inventory: &'a Inventory, on: &EffectOn) -> Option<Concerned<'a>> {
    let id = on.resource.id();
    let project = inventory.owner(id)?;
    match on.resource.kind() {
        "volume" => volume(project, id, &on.reach),
        "volume_instance" => volume_instance(project, id, &on.reach),
        "service" => service(project, id, &on.reach),
        "environment" => environment(project, id),
        "project" => (project.id == id).then(|| whole_project(project)),
        _ => None,
    }
}

/// What belongs to an environment that the request names, or to the account: then everything.
fn at_large<'a>(inventory: &'a Inventory, on: &EffectOn) -> Option<Concerned<'a>> {
    match &on.reach {
        Reach::Environment(id) => Some(Concerned::at(vec![inventory.owner(id)?.place(id)?])),
        // Nothing at all was understood: then it is not known either where it goes.
        Reach::Everywhere if on.resource.kind() == "*" => None,
        Reach::Everywhere => Some(Concerned::at(inventory.places())),
    }
}

fn volume<'a>(project: &'a Project, id: &str, reach: &Reach) -> Option<Concerned<'a>> {
    let volume = project.volume(id)?;
    let within = |instance: &&Instance| match reach {
        Reach::Environment(only) => instance.environment_id == *only,
        Reach::Everywhere => true,
    };
    let instances: Vec<&Instance> = volume.instances.iter().filter(within).collect();
    let places = match reach {
        Reach::Environment(only) => vec![project.place(only)?],
        // A volume that is mounted nowhere may be anywhere in its project.
        Reach::Everywhere if instances.is_empty() => project.places(),
        Reach::Everywhere => places_of(
            project,
            instances
                .iter()
                .map(|instance| instance.environment_id.as_str()),
        )?,
    };
    Some(with_instances(
        Concerned::named(&volume.name, places),
        project,
        instances,
    ))
}

fn volume_instance<'a>(project: &'a Project, id: &str, reach: &Reach) -> Option<Concerned<'a>> {
    let holds = |volume: &&super::inventory::Volume| {
        volume.instances.iter().any(|instance| instance.id == id)
    };
    let volume = project.volumes.iter().find(holds)?;
    let instance = volume.instances.iter().find(|instance| instance.id == id)?;
    agreed(reach, &instance.environment_id)?;
    let places = vec![project.place(&instance.environment_id)?];
    Some(with_instances(
        Concerned::named(&volume.name, places),
        project,
        vec![instance],
    ))
}

fn service<'a>(project: &'a Project, id: &str, reach: &Reach) -> Option<Concerned<'a>> {
    let service = project.service(id)?;
    let places = match reach {
        Reach::Environment(only) => vec![project.place(only)?],
        Reach::Everywhere if service.environment_ids.is_empty() => project.places(),
        Reach::Everywhere => {
            places_of(project, service.environment_ids.iter().map(String::as_str))?
        }
    };
    let attached = project.instances().filter(|instance| {
        let here = places
            .iter()
            .any(|place| place.id == instance.environment_id);
        here && instance.service_id.as_deref() == Some(id)
    });
    let attached: Vec<&Instance> = attached.collect();
    Some(with_instances(
        Concerned::named(&service.name, places),
        project,
        attached,
    ))
}

fn environment<'a>(project: &'a Project, id: &str) -> Option<Concerned<'a>> {
    let place = project.place(id)?;
    let name = place.name.raw().to_owned();
    let instances = project
        .instances()
        .filter(|instance| instance.environment_id == id)
        .collect();
    Some(with_instances(
        Concerned::named(&name, vec![place]),
        project,
        instances,
    ))
}

fn whole_project(project: &Project) -> Concerned<'_> {
    let concerned = Concerned::named(&project.name, project.places());
    with_instances(concerned, project, project.instances().collect())
}

/// What is asked for when it is needed.
async fn by_asking<'a>(
    look_up: LookUp<'_>,
    inventory: &'a Inventory,
    on: &EffectOn,
) -> Option<Concerned<'a>> {
    let found = elsewhere::find(look_up, inventory, on.resource.kind(), on.resource.id()).await?;
    let project = inventory.owner(&found.environment_id)?;
    agreed(&on.reach, &found.environment_id)?;
    let mut concerned = Concerned::at(vec![project.place(&found.environment_id)?]);
    let service = project.service_name(found.service_id.as_deref());
    concerned
        .facts
        .extend(found.status.map(|status| fact("status", &status)));
    match found.domain {
        Some(domain) => {
            concerned.name = Some(Untrusted::from(domain));
            concerned
                .facts
                .extend(service.map(|service| fact("service", service.raw())));
        }
        None => concerned.name = service,
    }
    Some(concerned)
}

/// A request that names another environment than the one in which the thing is does not mean what it
/// seems to mean.
fn agreed(reach: &Reach, environment_id: &str) -> Option<()> {
    match reach {
        Reach::Environment(named) => (named == environment_id).then_some(()),
        Reach::Everywhere => Some(()),
    }
}

/// A backup is found through its volume's instance, which the request names, and only if it is there.
async fn backup<'a>(
    look_up: LookUp<'_>,
    inventory: &'a Inventory,
    operation: &Operation,
    on: &EffectOn,
) -> Option<Concerned<'a>> {
    let id = on.resource.id();
    let fields = fields(operation);
    let names_it = |field: &&Field<'_>| field.text("volumeInstanceBackupId") == Some(id);
    let instance_id = fields.iter().find(names_it)?.text(OF_INSTANCE)?;
    let project = inventory.owner(instance_id)?;
    let of = volume_instance(project, instance_id, &on.reach)?;
    let backups = backups_of(look_up, &[instance_id]).await.ok()?;
    let found = backups.iter().find(|backup| backup.id == id)?;
    let mut concerned = Concerned::at(of.places);
    concerned.name = of.name;
    concerned.counts.push(count("backups", 1));
    concerned.facts.push(fact("made at", &found.created_at));
    concerned.facts.push(fact(
        "backups of this volume here",
        &backups.len().to_string(),
    ));
    Some(concerned)
}

/// The places of these environments. One that the project does not know makes all of it not found.
fn places_of<'a>(project: &Project, ids: impl Iterator<Item = &'a str>) -> Option<Vec<Place>> {
    let mut places: Vec<Place> = Vec::new();
    for id in ids {
        if !places.iter().any(|place| place.id == id) {
            places.push(project.place(id)?);
        }
    }
    Some(places)
}

fn with_instances<'a>(
    concerned: Concerned<'a>,
    project: &'a Project,
    instances: Vec<&'a Instance>,
) -> Concerned<'a> {
    let instances = instances
        .into_iter()
        .map(|instance| (project, instance))
        .collect();
    Concerned {
        instances,
        ..concerned
    }
}

fn facts_of(project: &Project, instance: &Instance) -> Vec<Fact> {
    let place = project.place(&instance.environment_id);
    let place = place.map_or_else(String::new, |place| place.name.raw().to_owned());
    let mut facts = vec![fact(
        "size",
        &format!("{} bytes in {place}", instance.used_bytes),
    )];
    if let Some(service) = project.service_name(instance.service_id.as_deref()) {
        facts.push(fact(
            "attached to",
            &format!("{} in {place}", service.raw()),
        ));
    }
    if instance.pending_deletion {
        facts.push(fact(
            "state",
            &format!("already waiting to be deleted in {place}"),
        ));
    } else if let Some(state) = &instance.state {
        facts.push(fact("state", &format!("{state} in {place}")));
    }
    facts
}

fn count(of: &str, count: usize) -> Count {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    Count {
        of: of.to_owned(),
        count,
        provenance: Provenance::Resolved,
    }
}

fn fact(label: &str, value: &str) -> Fact {
    Fact {
        label: label.to_owned(),
        value: Untrusted::from(value),
        provenance: Provenance::Resolved,
    }
}
