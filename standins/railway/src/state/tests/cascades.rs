//! What each destroying mutation takes along, and what it leaves.

use serde_json::{Value, json};

use super::{has, run};
use crate::seed::*;
use crate::state::State;

/// A table and an id in it.
type Place = (&'static str, &'static str);
/// Mutation, arguments, what is gone afterwards, what is still there.
type Case = (&'static str, Value, Vec<Place>, Vec<Place>);

const VOLUME: Place = ("volumes", POSTGRES_VOLUME);
const PRODUCTION_DATA: Place = ("volumeInstances", PRODUCTION_VOLUME_INSTANCE);
const STAGING_DATA: Place = ("volumeInstances", STAGING_VOLUME_INSTANCE);
const NEWEST_BACKUP: Place = ("backups", PRODUCTION_BACKUPS[3]);
const STAGING_COPY: Place = ("backups", STAGING_BACKUP);
const PRODUCTION_API: Place = ("serviceInstances", "5c000000-0000-4000-8000-5e0000000001");
const STAGING_API: Place = ("serviceInstances", "5c000000-0000-4000-8000-5e0000000003");
const PR_API: Place = ("serviceInstances", "5c000000-0000-4000-8000-5e0000000005");
const DAILY: Place = ("backupSchedules", "5d000000-0000-4000-8000-5e0000000001");
const WEEKLY: Place = ("backupSchedules", "5d000000-0000-4000-8000-5e0000000002");

fn check(cases: Vec<Case>) {
    for (name, args, gone, kept) in cases {
        let state = State::seeded();
        for (table, id) in gone.iter().chain(&kept) {
            assert!(has(&state, table, id), "seed lacks {table} {id}");
        }
        let (_, answer) = run(&state, name, &args);
        assert!(answer.is_ok(), "{name} {args}: {answer:?}");
        gone.iter()
            .for_each(|(t, id)| assert!(!has(&state, t, id), "{name} {args} kept {t} {id}"));
        kept.iter()
            .for_each(|(t, id)| assert!(has(&state, t, id), "{name} {args} took {t} {id}"));
    }
}

fn staging_patch(section: &str, id: &str) -> Value {
    json!({ "environmentId": STAGING, "patch": { section: { id: { "isDeleted": true } } } })
}

#[test]
fn of_volumes() {
    let everything = vec![
        VOLUME,
        PRODUCTION_DATA,
        STAGING_DATA,
        NEWEST_BACKUP,
        STAGING_COPY,
    ];
    let blog = vec![
        ("volumes", BLOG_VOLUME),
        ("volumeInstances", BLOG_VOLUME_INSTANCE),
    ];
    let only_staging = vec![STAGING_DATA, STAGING_COPY];
    let production = vec![VOLUME, PRODUCTION_DATA, NEWEST_BACKUP, DAILY];
    let everywhere = json!({ "volumeId": POSTGRES_VOLUME, "input": { "state": "DELETING" } });
    let in_staging = json!({
        "volumeId": POSTGRES_VOLUME, "environmentId": STAGING, "input": { "state": "DELETED" },
    });
    let volume = json!({ "volumeId": POSTGRES_VOLUME });
    let patch = staging_patch("volumes", POSTGRES_VOLUME);
    check(vec![
        ("volumeDelete", volume, everything.clone(), blog.clone()),
        ("volumeInstanceUpdate", everywhere, everything, blog),
        (
            "volumeInstanceUpdate",
            in_staging,
            only_staging.clone(),
            production.clone(),
        ),
        ("environmentPatchCommit", patch, only_staging, production),
    ]);
}

#[test]
fn of_backups() {
    let restore = json!({
        "volumeInstanceId": PRODUCTION_VOLUME_INSTANCE,
        "volumeInstanceBackupId": PRODUCTION_BACKUPS[1],
    });
    let newer = vec![NEWEST_BACKUP, ("backups", PRODUCTION_BACKUPS[2])];
    let older = vec![
        ("backups", PRODUCTION_BACKUPS[0]),
        ("backups", PRODUCTION_BACKUPS[1]),
    ];
    let wipe = json!({
        "volumeInstanceId": STAGING_VOLUME_INSTANCE, "volumeInstanceBackupId": STAGING_BACKUP,
        "wipeServiceIds": [POSTGRES_SERVICE],
    });
    let weekly = json!({ "volumeInstanceId": PRODUCTION_VOLUME_INSTANCE, "kinds": ["WEEKLY"] });
    check(vec![
        ("volumeInstanceBackupRestore", restore, newer, older),
        (
            "volumeInstanceBackupRestore",
            wipe,
            vec![STAGING_COPY],
            vec![STAGING_DATA, DAILY],
        ),
        (
            "volumeInstanceBackupScheduleUpdate",
            weekly,
            vec![DAILY],
            vec![WEEKLY, NEWEST_BACKUP],
        ),
    ]);
}

#[test]
fn of_services() {
    let api = ("services", API_SERVICE);
    let everywhere = json!({ "id": API_SERVICE });
    let in_staging = json!({ "id": API_SERVICE, "environmentId": STAGING });
    let unforked = vec![
        PRODUCTION_API,
        STAGING_API,
        ("customDomains", CUSTOM_DOMAIN),
    ];
    let staging = vec![STAGING_API, ("serviceDomains", STAGING_SERVICE_DOMAIN)];
    let postgres = json!({ "id": POSTGRES_SERVICE });
    let patch = staging_patch("services", API_SERVICE);
    check(vec![
        (
            "serviceDelete",
            everywhere,
            unforked,
            vec![PR_API, api, PRODUCTION_DATA],
        ),
        (
            "serviceDelete",
            in_staging,
            staging.clone(),
            vec![PRODUCTION_API, PR_API, api],
        ),
        (
            "environmentPatchCommit",
            patch,
            staging,
            vec![PRODUCTION_API, PR_API, api],
        ),
        (
            "serviceDelete",
            postgres,
            vec![("services", POSTGRES_SERVICE)],
            vec![PRODUCTION_DATA, NEWEST_BACKUP],
        ),
    ]);
}

#[test]
fn of_environments_and_projects() {
    let production = vec![
        ("environments", PRODUCTION),
        PRODUCTION_DATA,
        NEWEST_BACKUP,
        ("buckets", BUCKET),
        ("deployments", PRODUCTION_DEPLOYMENT),
    ];
    let project = vec![
        ("projects", PROJECT),
        VOLUME,
        STAGING_DATA,
        ("environments", PR_ENVIRONMENT),
    ];
    let blog = vec![("projects", BLOG_PROJECT), ("volumes", BLOG_VOLUME)];
    let rest = vec![STAGING_DATA, ("projects", PROJECT), VOLUME, STAGING_API];
    check(vec![
        (
            "environmentDelete",
            json!({ "id": PRODUCTION }),
            production,
            rest,
        ),
        ("projectDelete", json!({ "id": PROJECT }), project, blog),
    ]);
}
