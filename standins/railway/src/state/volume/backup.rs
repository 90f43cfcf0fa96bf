//! Backups: they live on the volume instance and die with it.

use serde_json::{Value, json};

use super::super::model::{Backup, BackupSchedule};
use super::super::world::{self, World};
use crate::args::Args;
use crate::error::Refusal;

const DAY_SECONDS: u32 = 86_400;

/// Refused when the data is more than half of the volume's size, as the provider limits it.
pub(in super::super) fn backup_create(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let instance = world
        .volume_instance(args.text("volumeInstanceId")?)?
        .clone();
    if instance.current_size_mb > instance.size_mb / 2 {
        return Err(Refusal::invalid("Backup exceeds 50% of the volume size"));
    }
    let id = world.new_id();
    let backup = Backup {
        external_id: format!("vs_{id}"),
        volume_instance_id: instance.id,
        name: args.owned("name"),
        creator_id: Some(crate::seed::USER.to_owned()),
        schedule_id: None,
        used_mb: instance.current_size_mb,
        referenced_mb: instance.current_size_mb,
        volume_instance_size_mb: instance.size_mb,
        created_at: world.now(),
        expires_at: None,
        contents: instance.contents,
        id: id.clone(),
    };
    world.backups.insert(id, backup);
    Ok(workflow(world, "createVolumeInstanceBackup"))
}

pub(in super::super) fn backup_delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let id = backup_of(world, args)?.id.clone();
    world.backups.remove(&id);
    Ok(workflow(world, "deleteVolumeInstanceBackup"))
}

/// Takes the expiry off.
pub(in super::super) fn backup_lock(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let id = backup_of(world, args)?.id.clone();
    world.backup_mut(&id)?.expires_at = None;
    Ok(json!(true))
}

/// Puts the backup's contents back, removes newer backups, and wipes the volumes of
/// `wipeServiceIds` in the same environment.
pub(in super::super) fn backup_restore(
    world: &mut World,
    args: Args<'_>,
) -> Result<Value, Refusal> {
    let backup = backup_of(world, args)?.clone();
    let instance = world.volume_instance_mut(&backup.volume_instance_id)?;
    instance.contents.clone_from(&backup.contents);
    instance.current_size_mb = backup.used_mb;
    let environment_id = instance.environment_id.clone();
    world.backups.retain(|_, other| {
        other.volume_instance_id != backup.volume_instance_id
            || other.created_at <= backup.created_at
    });
    for service_id in args.texts("wipeServiceIds") {
        wipe(world, service_id, &environment_id);
    }
    Ok(workflow(world, "restoreVolumeInstanceBackup"))
}

/// Wiping empties the volume and deletes its backups.
fn wipe(world: &mut World, service_id: &str, environment_id: &str) {
    let attached = world.volume_instances.values_mut().filter(|instance| {
        instance.service_id.as_deref() == Some(service_id)
            && instance.environment_id == environment_id
    });
    let mut wiped = Vec::new();
    for instance in attached {
        instance.contents.clear();
        instance.current_size_mb = 0;
        wiped.push(instance.id.clone());
    }
    world
        .backups
        .retain(|_, backup| !wiped.contains(&backup.volume_instance_id));
}

/// The list replaces what was there: an empty list ends automatic backups.
pub(in super::super) fn backup_schedule_update(
    world: &mut World,
    args: Args<'_>,
) -> Result<Value, Refusal> {
    let instance_id = world
        .volume_instance(args.text("volumeInstanceId")?)?
        .id
        .clone();
    let kinds = args.texts("kinds");
    world.backup_schedules.retain(|_, schedule| {
        schedule.volume_instance_id != instance_id || kinds.contains(&schedule.kind.as_str())
    });
    for kind in kinds {
        let mut existing = world.backup_schedules.values();
        if !existing.any(|s| s.volume_instance_id == instance_id && s.kind == kind) {
            let (id, now) = (world.new_id(), world.now());
            world
                .backup_schedules
                .insert(id.clone(), schedule(id, &instance_id, kind, now));
        }
    }
    Ok(json!(true))
}

/// A schedule with the provider's documented retention: 6 days, a month, three months.
pub(crate) fn schedule(id: String, instance_id: &str, kind: &str, now: String) -> BackupSchedule {
    let (cron, days) = match kind {
        "DAILY" => ("0 4 * * *", 6),
        "WEEKLY" => ("0 4 * * 0", 30),
        _ => ("0 4 1 * *", 90),
    };
    BackupSchedule {
        id,
        volume_instance_id: instance_id.to_owned(),
        kind: kind.to_owned(),
        name: kind.to_lowercase(),
        cron: cron.to_owned(),
        retention_seconds: days * DAY_SECONDS,
        created_at: now,
    }
}

fn backup_of<'w>(world: &'w World, args: Args<'_>) -> Result<&'w Backup, Refusal> {
    let instance = world.volume_instance(args.text("volumeInstanceId")?)?;
    let backup = world.backup(args.text("volumeInstanceBackupId")?)?;
    if backup.volume_instance_id != instance.id {
        return Err(world::not_found("Backup", &backup.id));
    }
    Ok(backup)
}

fn workflow(world: &mut World, name: &str) -> Value {
    json!({ "workflowId": world.workflow(name) })
}
