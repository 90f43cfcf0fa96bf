//! Volumes and their instances.

mod backup;

pub(crate) use backup::schedule;
pub(super) use backup::{
    backup_create, backup_delete, backup_lock, backup_restore, backup_schedule_update,
};

use serde_json::{Value, json};

use super::delete_mode::DeleteMode;
use super::model::{Volume, VolumeInstance};
use super::world::{self, World};
use crate::args::Args;
use crate::error::Refusal;

const DEFAULT_SIZE_MB: u32 = 5_000;

/// Without `environmentId` the volume gets an instance in every environment of the project.
pub(super) fn create(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let project_id = world.project(input.text("projectId")?)?.id.clone();
    let environments = match input.opt_text("environmentId") {
        Some(id) => vec![world.environment(id)?.id.clone()],
        None => world.environments_of(&project_id),
    };
    let volume = Volume {
        id: world.new_id(),
        name: format!("volume-{}", world.next_number),
        project_id,
        created_at: world.now(),
    };
    for environment_id in environments {
        let instance = new_instance(world, &volume.id, environment_id, input)?;
        world.volume_instances.insert(instance.id.clone(), instance);
    }
    world.volumes.insert(volume.id.clone(), volume.clone());
    Ok(world::json(&volume))
}

fn new_instance(
    world: &mut World,
    volume_id: &str,
    environment_id: String,
    input: Args<'_>,
) -> Result<VolumeInstance, Refusal> {
    Ok(VolumeInstance {
        id: world.new_id(),
        volume_id: volume_id.to_owned(),
        environment_id,
        service_id: input.owned("serviceId"),
        mount_path: input.text("mountPath")?.to_owned(),
        size_mb: DEFAULT_SIZE_MB,
        current_size_mb: 0,
        state: "READY".to_owned(),
        region: input.owned("region"),
        external_id: None,
        is_pending_deletion: false,
        created_at: world.now(),
        deleted_at: None,
        contents: String::new(),
    })
}

pub(super) fn update(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let volume = world.volume_mut(args.text("volumeId")?)?;
    if let Some(name) = args.object("input")?.opt_text("name") {
        name.clone_into(&mut volume.name);
    }
    Ok(world::json(volume))
}

/// Takes only the volume's id, so every environment's instance goes, with its backups.
pub(super) fn delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let volume_id = world.volume(args.text("volumeId")?)?.id.clone();
    for instance_id in world.instances_of(&volume_id, None) {
        delete_instance(world, &instance_id)?;
    }
    drop_if_empty(world, &volume_id);
    Ok(json!(true))
}

/// Without `environmentId` every instance of the volume is updated.
pub(super) fn instance_update(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let volume_id = world.volume(args.text("volumeId")?)?.id.clone();
    let instances = world.instances_of(&volume_id, args.opt_text("environmentId"));
    if instances.is_empty() {
        return Err(world::not_found("Volume instance", &volume_id));
    }
    for instance_id in instances {
        update_instance(world, &instance_id, args.object("input")?)?;
    }
    drop_if_empty(world, &volume_id);
    Ok(json!(true))
}

/// Whether the real provider honours the two delete states in this input is not known; here it does,
/// because that is the case to be guarded against.
fn update_instance(world: &mut World, id: &str, input: Args<'_>) -> Result<(), Refusal> {
    if matches!(input.opt_text("state"), Some("DELETED" | "DELETING")) {
        return delete_instance(world, id);
    }
    if let Some(service_id) = input.opt_text("serviceId") {
        world.service(service_id)?;
    }
    let instance = world.volume_instance_mut(id)?;
    if let Some(path) = input.opt_text("mountPath") {
        path.clone_into(&mut instance.mount_path);
    }
    if let Some(state) = input.opt_text("state") {
        state.clone_into(&mut instance.state);
    }
    if input.get("serviceId").is_some() {
        instance.service_id = input.owned("serviceId");
    }
    Ok(())
}

/// Deletes one instance as the delete mode says.
pub(super) fn delete_instance(world: &mut World, id: &str) -> Result<(), Refusal> {
    world.volume_instance(id)?;
    match world.delete_mode {
        DeleteMode::Soft => mark_pending(world, id)?,
        DeleteMode::Immediate | DeleteMode::ClaimsSoft => destroy_instance(world, id),
    }
    Ok(())
}

fn mark_pending(world: &mut World, id: &str) -> Result<(), Refusal> {
    if world.volume_instance(id)?.is_pending_deletion {
        return Ok(());
    }
    let now = world.now();
    let instance = world.volume_instance_mut(id)?;
    instance.is_pending_deletion = true;
    instance.deleted_at = Some(now);
    "DELETING".clone_into(&mut instance.state);
    Ok(())
}

/// Removes an instance with its backups and schedules, for good.
pub(super) fn destroy_instance(world: &mut World, id: &str) {
    world.volume_instances.remove(id);
    world
        .backups
        .retain(|_, backup| backup.volume_instance_id != id);
    world
        .backup_schedules
        .retain(|_, schedule| schedule.volume_instance_id != id);
}

/// A volume ends with its last instance.
pub(super) fn drop_if_empty(world: &mut World, volume_id: &str) {
    if world.instances_of(volume_id, None).is_empty() {
        world.volumes.remove(volume_id);
    }
}
