//! Every mutation on the seeded state.

mod arguments;
mod cascades;

use serde_json::{Value, json};

use arguments::good;

use super::operations::OPERATIONS;
use super::{DeleteMode, State, operation};
use crate::args::Args;
use crate::error::Refusal;
use crate::record::Record;
use crate::seed::*;

fn run(state: &State, name: &str, args: &Value) -> (bool, Result<Value, Refusal>) {
    let operation = operation(name).unwrap();
    let answer = state.transact(
        |world| operation(world, Args::new(args.as_object().unwrap())),
        |changed, _| Record {
            changed,
            ..Record::default()
        },
    );
    (state.requests().last().unwrap().changed, answer)
}

fn changed(name: &str, args: &Value) -> State {
    let state = State::seeded();
    let (changed, answer) = run(&state, name, args);
    assert!(changed && answer.is_ok(), "{name}: {answer:?}");
    state
}

fn has(state: &State, table: &str, id: &str) -> bool {
    state.table(table).get(id).is_some()
}

/// Tested elsewhere, because they need something before them or change nothing.
const APART: [&str; 5] = [
    "environmentPatchCommitStaged",
    "environmentPreviewChangeSet",
    "projectScheduleDeleteCancel",
    "projectScheduleDeleteForce",
    "tcpProxyDelete",
];

#[test]
fn every_mutation_is_tested() {
    let tested: Vec<_> = good()
        .into_iter()
        .map(|(name, _)| name)
        .chain(APART)
        .collect();
    for (name, _) in OPERATIONS {
        assert!(tested.contains(name), "{name}");
    }
    assert_eq!(tested.len(), OPERATIONS.len());
}

#[test]
fn digest_changes_exactly_with_the_state() {
    for (name, args) in good() {
        let state = State::seeded();
        let (before, table) = (state.digest(), state.inventory());
        let (changed, answer) = run(&state, name, &args);
        assert!(changed && answer.is_ok(), "{name}: {answer:?}");
        assert_ne!(state.digest(), before, "{name}");
        state.reset();
        assert_eq!(
            (state.digest(), state.inventory()),
            (before, table),
            "{name}"
        );
    }
}

#[test]
fn equal_operations_give_equal_states() {
    for (name, args) in good() {
        assert_eq!(
            changed(name, &args).inventory(),
            changed(name, &args).inventory(),
            "{name}"
        );
    }
}

#[test]
fn unknown_ids_are_refused_and_change_nothing() {
    for (name, args) in good() {
        let spoiled = args.to_string().replace("-5e00000000", "-5e99000000");
        let spoiled: Value = serde_json::from_str(&spoiled).unwrap();
        if spoiled == args {
            continue;
        }
        let state = State::seeded();
        let before = state.digest();
        let (changed, answer) = run(&state, name, &spoiled);
        let refused = matches!(answer, Err(Refusal::NotFound { .. }));
        assert!(refused && !changed, "{name}: {answer:?}");
        assert_eq!(state.digest(), before, "{name}");
    }
}

#[test]
fn delete_modes() {
    for (mode, instance_stays) in [
        (DeleteMode::Immediate, false),
        (DeleteMode::Soft, true),
        (DeleteMode::ClaimsSoft, false),
    ] {
        let state = State::seeded_with(ACCOUNT_TOKEN, mode);
        let (_, answer) = run(
            &state,
            "volumeDelete",
            &json!({ "volumeId": POSTGRES_VOLUME }),
        );
        assert_eq!(answer, Ok(json!(true)));
        let instance = &state.table("volumeInstances")[PRODUCTION_VOLUME_INSTANCE];
        assert_eq!(
            instance["isPendingDeletion"] == json!(true),
            instance_stays,
            "{mode:?}"
        );
        assert_eq!(
            instance["deletedAt"].is_string(),
            instance_stays,
            "{mode:?}"
        );
        assert_eq!(
            has(&state, "backups", PRODUCTION_BACKUPS[0]),
            instance_stays,
            "{mode:?}"
        );
    }
}

#[test]
fn staged_changes_have_effect_at_commit_only() {
    let state = State::seeded();
    let commit = json!({ "environmentId": PRODUCTION });
    assert!(
        run(&state, "environmentPatchCommitStaged", &commit)
            .1
            .is_err()
    );
    let stage = |input: Value, merge: bool| json!({ "environmentId": PRODUCTION, "input": input, "merge": merge });
    let volume = json!({ "volumes": { POSTGRES_VOLUME: { "isDeleted": true } } });
    let variable = json!({ "sharedVariables": { "LOG_LEVEL": null } });
    for input in [stage(volume, false), stage(variable, true)] {
        let (changed, answer) = run(&state, "environmentStageChanges", &input);
        assert!(changed && answer.is_ok());
    }
    assert!(has(&state, "volumeInstances", PRODUCTION_VOLUME_INSTANCE));
    assert!(
        run(&state, "environmentPatchCommitStaged", &commit)
            .1
            .is_ok()
    );
    assert!(!has(&state, "volumeInstances", PRODUCTION_VOLUME_INSTANCE));
    assert!(has(&state, "volumeInstances", STAGING_VOLUME_INSTANCE));
    let environment = &state.table("environments")[PRODUCTION];
    assert_eq!(environment["sharedVariables"], json!({}));
    assert!(
        run(&state, "environmentPatchCommitStaged", &commit)
            .1
            .is_err()
    );
}

#[test]
fn change_sets_can_be_previewed_and_compared() {
    let state = State::seeded();
    let input = json!({ "volumes": { POSTGRES_VOLUME: { "isDeleted": true } } });
    let args = json!({ "environmentId": STAGING, "input": input, "baseConfigEtag": "old" });
    let (changed, answer) = run(&state, "environmentPreviewChangeSet", &args);
    assert!(!changed);
    assert_eq!(answer.unwrap()["effects"][0]["kind"], "volume.delete");
    assert!(run(&state, "environmentApplyChangeSet", &args).1.is_err());
    let etag = super::config_etag(&state.world(), STAGING).unwrap();
    let args = json!({ "environmentId": STAGING, "input": input, "baseConfigEtag": etag });
    assert!(run(&state, "environmentApplyChangeSet", &args).1.is_ok());
    assert_ne!(super::config_etag(&state.world(), STAGING).unwrap(), etag);
}

#[test]
fn a_scheduled_project_can_be_saved_or_forced() {
    let id = json!({ "id": PROJECT });
    let state = State::seeded();
    assert!(run(&state, "projectScheduleDeleteForce", &id).1.is_err());
    assert!(run(&state, "projectScheduleDelete", &id).0);
    assert!(!run(&state, "projectScheduleDelete", &id).0);
    assert!(run(&state, "projectScheduleDeleteCancel", &id).0);
    assert!(run(&state, "projectScheduleDeleteForce", &id).1.is_err());
    assert!(run(&state, "projectScheduleDelete", &id).0);
    assert!(run(&state, "projectScheduleDeleteForce", &id).0);
    assert!(!has(&state, "projects", PROJECT));
}

#[test]
fn a_backup_brings_the_contents_back() {
    let contents = |state: &State| {
        state.table("volumeInstances")[PRODUCTION_VOLUME_INSTANCE]["contents"].clone()
    };
    let state = State::seeded();
    let seeded = contents(&state);
    let restore = |id: &Value| json!({ "volumeInstanceId": PRODUCTION_VOLUME_INSTANCE, "volumeInstanceBackupId": id });
    let create = json!({ "volumeInstanceId": PRODUCTION_VOLUME_INSTANCE });
    assert!(run(&state, "volumeInstanceBackupCreate", &create).0);
    let backups = state.table("backups");
    let known = |id: &&String| !PRODUCTION_BACKUPS.contains(&id.as_str()) && *id != STAGING_BACKUP;
    let fresh = json!(backups.as_object().unwrap().keys().find(known).unwrap());
    assert_eq!(backups[fresh.as_str().unwrap()]["contents"], seeded);
    let old = run(
        &state,
        "volumeInstanceBackupRestore",
        &restore(&json!(PRODUCTION_BACKUPS[0])),
    );
    assert!(old.0);
    assert_ne!(contents(&state), seeded);
    assert!(
        run(&state, "volumeInstanceBackupRestore", &restore(&fresh))
            .1
            .is_err()
    );
}

#[test]
fn a_backup_of_a_full_volume_is_refused() {
    let state = State::seeded();
    let shrink = json!({ "environmentId": PRODUCTION,
        "patch": { "volumes": { POSTGRES_VOLUME: { "sizeMB": 5000 } } } });
    assert!(run(&state, "environmentPatchCommit", &shrink).0);
    let create = json!({ "volumeInstanceId": PRODUCTION_VOLUME_INSTANCE });
    assert!(
        run(&state, "volumeInstanceBackupCreate", &create)
            .1
            .is_err()
    );
}

#[test]
fn patches_that_are_not_understood_are_refused() {
    for patch in [
        json!({ "groups": { "a": {} } }),
        json!({ "volumes": { POSTGRES_VOLUME: { "colour": 1 } } }),
        json!({ "volumes": [] }),
        json!({ "services": { API_SERVICE: { "networking": { "tcpProxies": {} } } } }),
    ] {
        let state = State::seeded();
        let args = json!({ "environmentId": STAGING, "patch": patch });
        let (changed, answer) = run(&state, "environmentPatchCommit", &args);
        assert!(!changed && answer.is_err(), "{patch}");
    }
}

#[test]
fn replacing_variables_drops_the_others() {
    let input = json!({ "projectId": PROJECT, "environmentId": PRODUCTION,
        "serviceId": API_SERVICE, "variables": { "PORT": "1" }, "replace": true });
    let state = changed("variableCollectionUpsert", &json!({ "input": input }));
    let instance = &state.table("serviceInstances")["5c000000-0000-4000-8000-5e0000000001"];
    assert_eq!(instance["serviceVariables"], json!({ "PORT": "1" }));
}

#[test]
fn a_proxy_can_be_made_and_deleted() {
    let input = json!({ "serviceId": POSTGRES_SERVICE, "environmentId": PRODUCTION,
        "applicationPort": 5432 });
    let state = changed("tcpProxyCreate", &json!({ "input": input }));
    let proxies = state.table("tcpProxies");
    let id = proxies.as_object().unwrap().keys().next().unwrap();
    assert!(run(&state, "tcpProxyDelete", &json!({ "id": id })).0);
    assert_eq!(state.table("tcpProxies"), json!({}));
}

#[test]
fn secrets_of_the_seed_are_where_they_should_be() {
    let inventory = State::seeded().inventory();
    for secret in SECRETS {
        assert!(inventory.contains(secret), "{secret}");
    }
}
