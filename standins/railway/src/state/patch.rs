//! Changes to an environment's configuration: at once, staged and committed, or as a change set.
//!
//! A patch names only what changes. `isDeleted: true`, and null in an object's place, delete it. A
//! change set is the same document here: its real shape is not published. Keys that are not
//! understood are refused, so that nothing is silently left undone.

use serde_json::{Map, Value, json};

use super::config::config_etag;
use super::environment::staged_patch;
use super::model::{EnvironmentPatch, Variables};
use super::world::{self, World};
use super::{service, volume};
use crate::args::Args;
use crate::error::Refusal;

/// Applies a patch. Answers the id of the job.
pub(super) fn commit(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let environment_id = world.environment(args.text("environmentId")?)?.id.clone();
    let patch = args.get("patch").cloned().unwrap_or_else(|| json!({}));
    apply(world, &environment_id, &patch)?;
    keep(world, &environment_id, patch, args.owned("commitMessage"));
    Ok(json!(world.workflow("commitEnvironmentPatch")))
}

/// Sets what the next commit will do; with `merge` it is added to what is staged.
pub(super) fn stage(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let environment_id = args.text("environmentId")?;
    let mut staged = staged_patch(world, environment_id)?;
    let input = Value::Object(args.map("input")?.clone());
    if args.flag("merge") == Some(true) {
        merge(&mut staged.patch, &input);
    } else {
        staged.patch = input;
    }
    staged.updated_at = world.now();
    world
        .staged_patches
        .insert(environment_id.to_owned(), staged.clone());
    Ok(world::json(&staged))
}

/// Applies whatever is staged; the call itself does not say what that is.
pub(super) fn commit_staged(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let environment_id = world.environment(args.text("environmentId")?)?.id.clone();
    let staged = world.staged_patches.remove(&environment_id);
    let staged = staged.ok_or_else(|| Refusal::invalid("No staged changes to commit"))?;
    apply(world, &environment_id, &staged.patch)?;
    keep(
        world,
        &environment_id,
        staged.patch,
        args.owned("commitMessage"),
    );
    Ok(json!(world.workflow("commitStagedEnvironmentPatch")))
}

/// Applies a change set, if the configuration still has the given etag.
pub(super) fn apply_change_set(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let environment_id = world.environment(args.text("environmentId")?)?.id.clone();
    if let Some(etag) = args.opt_text("baseConfigEtag")
        && etag != config_etag(world, &environment_id)?
    {
        return Err(Refusal::invalid(
            "Environment config has changed since baseConfigEtag",
        ));
    }
    let input = Value::Object(args.map("input")?.clone());
    let effects = effects(&input);
    apply(world, &environment_id, &input)?;
    let id = keep(world, &environment_id, input, args.owned("commitMessage"));
    let changes = effects.iter().map(
        |effect| json!({ "kind": effect["kind"], "path": effect["path"], "status": "applied" }),
    );
    Ok(json!({
        "id": id, "status": "applied", "diagnostics": [], "changes": changes.collect::<Vec<_>>(),
    }))
}

/// Says what a change set would do. Changes nothing.
pub(super) fn preview_change_set(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let environment_id = world.environment(args.text("environmentId")?)?.id.clone();
    let input = Value::Object(args.map("input")?.clone());
    apply(&mut world.clone(), &environment_id, &input)?;
    let effects = effects(&input);
    Ok(json!({ "changeSet": input, "effects": effects, "diagnostics": [] }))
}

fn keep(world: &mut World, environment_id: &str, patch: Value, message: Option<String>) -> String {
    let now = world.now();
    let id = world.new_id();
    world.committed_patches.push(EnvironmentPatch {
        id: id.clone(),
        environment_id: environment_id.to_owned(),
        patch,
        status: "COMMITTED",
        message,
        created_at: now.clone(),
        updated_at: now.clone(),
        applied_at: Some(now),
    });
    id
}

/// Later values win; objects are merged.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn effects(patch: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for (section, kind) in [
        ("services", "service"),
        ("volumes", "volume"),
        ("buckets", "bucket"),
    ] {
        for (id, change) in patch
            .get(section)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let verb = if deletes(change) { "delete" } else { "update" };
            found.push(json!({
                "kind": format!("{kind}.{verb}"), "path": format!("{section}.{id}"), "id": id,
            }));
        }
    }
    found
}

fn deletes(change: &Value) -> bool {
    change.is_null() || change.get("isDeleted") == Some(&Value::Bool(true))
}

fn apply(world: &mut World, environment_id: &str, patch: &Value) -> Result<(), Refusal> {
    for (section, changes) in object(patch)? {
        if section == "sharedVariables" {
            let environment = world.environment_mut(environment_id)?;
            set_variables(&mut environment.shared_variables, changes)?;
            continue;
        }
        for (id, change) in object(changes)? {
            match section.as_str() {
                "services" => apply_service(world, environment_id, id, change)?,
                "volumes" => apply_volume(world, environment_id, id, change)?,
                "buckets" => apply_bucket(world, environment_id, id, change)?,
                _ => return Err(unknown(section)),
            }
        }
    }
    Ok(())
}

fn apply_volume(
    world: &mut World,
    environment_id: &str,
    id: &str,
    change: &Value,
) -> Result<(), Refusal> {
    let instances = world.instances_of(id, Some(environment_id));
    let instance_id = instances
        .first()
        .ok_or_else(|| world::not_found("Volume", id))?;
    if deletes(change) {
        volume::delete_instance(world, instance_id)?;
        volume::drop_if_empty(world, id);
        return Ok(());
    }
    let instance = world.volume_instance_mut(instance_id)?;
    for (key, value) in object(change)? {
        match key.as_str() {
            "sizeMB" => instance.size_mb = whole(value)?,
            "region" => instance.region = value.as_str().map(str::to_owned),
            "isDeleted" => {}
            _ => return Err(unknown(key)),
        }
    }
    Ok(())
}

fn apply_bucket(
    world: &mut World,
    environment_id: &str,
    id: &str,
    change: &Value,
) -> Result<(), Refusal> {
    let bucket = world.bucket_mut(id)?;
    if !deletes(change) {
        return Err(Refusal::invalid(
            "Only the deletion of a bucket can be patched",
        ));
    }
    bucket.credentials.remove(environment_id);
    if bucket.credentials.is_empty() {
        world.buckets.remove(id);
    }
    Ok(())
}

fn apply_service(
    world: &mut World,
    environment_id: &str,
    id: &str,
    change: &Value,
) -> Result<(), Refusal> {
    world.service_instance(id, environment_id)?;
    if deletes(change) {
        service::delete_in(world, id, environment_id);
        service::drop_orphans(world);
        return Ok(());
    }
    for (key, value) in object(change)? {
        match key.as_str() {
            "volumeMounts" => mount(world, environment_id, id, value)?,
            "networking" => remove_domains(world, environment_id, id, value)?,
            _ => configure(world, environment_id, id, key, value)?,
        }
    }
    Ok(())
}

fn configure(
    world: &mut World,
    environment_id: &str,
    id: &str,
    key: &str,
    value: &Value,
) -> Result<(), Refusal> {
    let instance = world.service_instance_mut(id, environment_id)?;
    match key {
        "variables" => set_variables(&mut instance.service_variables, value)?,
        "deploy" | "build" => instance.settings.extend(object(value)?.clone()),
        "source" => drop(instance.settings.insert("source".to_owned(), value.clone())),
        "isDeleted" => {}
        _ => return Err(unknown(key)),
    }
    Ok(())
}

/// A null mount takes the volume off the service; the volume stays.
fn mount(
    world: &mut World,
    environment_id: &str,
    service_id: &str,
    mounts: &Value,
) -> Result<(), Refusal> {
    for (volume_id, change) in object(mounts)? {
        let instances = world.instances_of(volume_id, Some(environment_id));
        let instance_id = instances
            .first()
            .ok_or_else(|| world::not_found("Volume", volume_id))?;
        let instance = world.volume_instance_mut(instance_id)?;
        instance.service_id = (!change.is_null()).then(|| service_id.to_owned());
        if let Some(path) = change.get("mountPath").and_then(Value::as_str) {
            path.clone_into(&mut instance.mount_path);
        }
    }
    Ok(())
}

/// Only taking custom domains away can be patched here; adding one has its own mutation.
fn remove_domains(
    world: &mut World,
    environment_id: &str,
    service_id: &str,
    networking: &Value,
) -> Result<(), Refusal> {
    for (key, changes) in object(networking)? {
        if key != "customDomains" {
            return Err(unknown(key));
        }
        for (name, change) in object(changes)? {
            if !change.is_null() {
                return Err(Refusal::invalid(
                    "Custom domains are added by `customDomainCreate`",
                ));
            }
            world.custom_domains.retain(|_, d| {
                d.domain != *name
                    || d.service_id != service_id
                    || d.environment_id != environment_id
            });
        }
    }
    Ok(())
}

/// `{"NAME": {"value": "…"}}`, null removes.
fn set_variables(table: &mut Variables, changes: &Value) -> Result<(), Refusal> {
    for (name, change) in object(changes)? {
        if change.is_null() {
            table.remove(name);
            continue;
        }
        let value = change.get("value").and_then(Value::as_str);
        let value = value.ok_or_else(|| Refusal::Missing(format!("{name}.value")))?;
        table.insert(name.clone(), value.to_owned());
    }
    Ok(())
}

fn object(value: &Value) -> Result<&Map<String, Value>, Refusal> {
    value
        .as_object()
        .ok_or_else(|| Refusal::invalid("Patch is not an object where one is needed"))
}

fn whole(value: &Value) -> Result<u32, Refusal> {
    let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
    number.ok_or_else(|| Refusal::invalid("Volume size is not a whole number of megabytes"))
}

fn unknown(key: &str) -> Refusal {
    Refusal::invalid(format!("Patch key `{key}` is not known"))
}
