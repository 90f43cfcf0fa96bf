//! Deletion by patch, in one call and in two. What is committed is what was shown, whatever is staged
//! by then.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use serde_json::{Value, json};
use standin_railway::seed;
use tagout_stage::{Agent, Heard};
use tagout_tests::{Approved, NOTHING, Scene, Told, rights};

const COMMIT: &str = "mutation($e: String!, $p: EnvironmentConfig) { environmentPatchCommit(environmentId: $e, patch: $p) }";
const STAGE: &str = "mutation($e: String!, $p: EnvironmentConfig!) { environmentStageChanges(environmentId: $e, input: $p, merge: false) { id } }";
const COMMIT_STAGED: &str =
    "mutation($e: String!) { environmentPatchCommitStaged(environmentId: $e) }";

fn deletion_of(volume: &str) -> Value {
    json!({"volumes": {volume: {"isDeleted": true}}})
}

fn stage(agent: &Agent, patch: &Value) -> Heard {
    let heard = agent
        .graphql_with(STAGE, &json!({"e": seed::STAGING, "p": patch}))
        .unwrap();
    assert!(
        heard.code().is_none(),
        "staging is ordinary work: {heard:?}"
    );
    heard
}

fn commit_staged(agent: &Agent) -> Heard {
    agent
        .graphql_with(COMMIT_STAGED, &json!({"e": seed::STAGING}))
        .unwrap()
}

fn scene() -> (Scene, Agent) {
    let mut scene = Scene::open().unwrap();
    let effects = ["read", "write", "disrupt", "unknown", "destroy"];
    let agent = scene
        .agent(Some(&rights(&effects, &["*:*"], &["staging"])))
        .unwrap();
    (scene, agent)
}

fn held<'h>(heard: &'h Heard, resource: &'h str, environment: &'h str) -> Told<'h> {
    Told {
        heard,
        code: "HELD",
        resource,
        environment,
    }
}

#[test]
fn m04_a_patch_that_deletes_is_held_in_production_and_in_staging() {
    let (scene, agent) = scene();
    let before = scene.before().unwrap();
    let volume = format!("volume:{}", seed::POSTGRES_VOLUME);
    let patch = deletion_of(seed::POSTGRES_VOLUME);
    let production = agent
        .graphql_with(COMMIT, &json!({"e": seed::PRODUCTION, "p": patch}))
        .unwrap();
    let staging = agent
        .graphql_with(COMMIT, &json!({"e": seed::STAGING, "p": patch}))
        .unwrap();
    let told = [
        held(&production, &volume, "production"),
        held(&staging, &volume, "staging"),
    ];
    scene.evidence(&before, &told, &NOTHING, &[&agent]).unwrap();
}

#[test]
fn m04_a_staged_deletion_is_held_at_the_commit_and_the_shown_patch_is_sent() {
    let (mut scene, agent) = scene();
    let before = scene.before().unwrap();
    stage(&agent, &deletion_of(seed::POSTGRES_VOLUME));
    let held_at_commit = commit_staged(&agent);
    let hold = held_at_commit.hold().unwrap();
    let shown = scene.person.get(&format!("/api/v1/holds/{hold}")).unwrap();
    let operation = shown["card"]["operation"].to_string();
    assert!(
        operation.contains(seed::POSTGRES_VOLUME) && operation.contains("isDeleted"),
        "the card shows what was staged: {operation}"
    );
    scene.person.approve(&hold).unwrap();

    // After the approval, and before the retry, something else is staged.
    stage(&agent, &deletion_of(seed::BLOG_VOLUME));
    let other = commit_staged(&agent);
    assert_ne!(
        other.code().as_deref(),
        None,
        "what was not shown is not sent: {other:?}"
    );
    assert_ne!(other.hold().as_deref(), Some(hold.as_str()), "{other:?}");

    // What was shown is staged again, and passes once, said explicitly.
    stage(&agent, &deletion_of(seed::POSTGRES_VOLUME));
    let done = commit_staged(&agent);
    assert_eq!(done.code(), None, "{done:?}");
    let sent = scene
        .railway
        .state()
        .requests()
        .into_iter()
        .find(|record| record.field == "environmentPatchCommit")
        .unwrap();
    assert!(
        sent.args.to_string().contains(seed::POSTGRES_VOLUME),
        "{sent:?}"
    );

    let volume = format!("volume:{}", seed::POSTGRES_VOLUME);
    let stage = "environmentStageChanges";
    let approved = Approved {
        mutations: &[stage, stage, stage, "environmentPatchCommit"],
        changed: &[
            format!("volumeInstances/{}", seed::STAGING_VOLUME_INSTANCE),
            format!("backups/{}", seed::STAGING_BACKUP),
            "backupSchedules/5d000000-0000-4000-8000-5e0000000003".to_owned(),
            format!("stagedPatches/{}", seed::STAGING),
        ],
    };
    let told = [held(&held_at_commit, &volume, "staging")];
    scene
        .evidence(&before, &told, &approved, &[&agent])
        .unwrap();
}
