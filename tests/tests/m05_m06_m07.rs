//! The grace period, the safety net, and making a key for oneself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use serde_json::json;
use standin_railway::seed;
use tagout_stage::{Agent, Heard, Setting};
use tagout_tests::documents::{volume_delete, volume_delete_of};
use tagout_tests::{NOTHING, Scene, Told, rights};

const EVERYTHING: &[&str] = &[
    "read",
    "write",
    "disrupt",
    "secret_read",
    "emit",
    "privilege",
    "opaque",
    "unknown",
    "unprotect",
    "destroy",
];
const EVERYWHERE: &[&str] = &["development", "staging", "production"];

/// An agent whose rights name everything: what is stopped is stopped by policy.
fn powerful() -> (Scene, Agent) {
    let mut scene = Scene::open().unwrap();
    let agent = scene
        .agent(Some(&rights(EVERYTHING, &["*:*"], EVERYWHERE)))
        .unwrap();
    (scene, agent)
}

fn told<'h>(heard: &'h Heard, code: &'h str, resource: &'h str) -> Told<'h> {
    Told {
        heard,
        code,
        resource,
        environment: "production",
    }
}

fn project(field: &str) -> String {
    format!("mutation {{ {field}(id: \"{}\") }}", seed::PROJECT)
}

#[test]
fn m05_the_grace_period_of_a_project_stays_and_to_take_a_deletion_back_needs_nobody() {
    let (mut scene, agent) = powerful();
    let before = scene.before().unwrap();
    let resource = format!("project:{}", seed::PROJECT);

    let scheduled = agent.graphql(&project("projectScheduleDelete")).unwrap();
    let forced = agent
        .graphql(&project("projectScheduleDeleteForce"))
        .unwrap();
    let deleted = agent.graphql(&project("projectDelete")).unwrap();
    for heard in [&scheduled, &forced, &deleted] {
        assert!(heard.line().contains("two people"), "{heard:?}");
    }
    // One of the two who are needed agrees: nothing happens yet.
    let hold = forced.hold().unwrap();
    scene.person.approve(&hold).unwrap();
    let again = agent
        .graphql(&project("projectScheduleDeleteForce"))
        .unwrap();
    assert_eq!(again.code().as_deref(), Some("HELD"), "{again:?}");
    assert!(
        scene.person.approve(&hold).is_err(),
        "the same person at once is not a second one"
    );
    let all = [
        told(&scheduled, "HELD", &resource),
        told(&forced, "HELD", &resource),
        told(&deleted, "HELD", &resource),
    ];
    scene.evidence(&before, &all, &NOTHING, &[&agent]).unwrap();

    let back = agent
        .graphql(&project("projectScheduleDeleteCancel"))
        .unwrap();
    assert_eq!(back.code(), None, "{back:?}");
    assert_eq!(scene.railway.mutations(), ["projectScheduleDeleteCancel"]);
}

/// How a hold stands, as its agent is told.
fn state(agent: &Agent, hold: &str) -> String {
    let path = format!("/.tagout/holds/{hold}");
    let heard = agent.ask("GET", &path, "backboard.railway.com").unwrap();
    heard.json()["state"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn m05_what_was_approved_waits_three_days_and_can_be_cancelled() {
    let (mut scene, agent) = powerful();
    let before = scene.before().unwrap();
    for (number, volume) in [seed::POSTGRES_VOLUME, seed::BLOG_VOLUME]
        .iter()
        .enumerate()
    {
        let document = volume_delete_of(volume);
        let held = agent.graphql(&document).unwrap();
        let hold = held.hold().unwrap();
        scene.person.approve(&hold).unwrap();
        let scheduled = agent.graphql(&document).unwrap();
        assert_eq!(
            scheduled.code().as_deref(),
            Some("SCHEDULED"),
            "{scheduled:?}"
        );
        assert_eq!(state(&agent, &hold), "scheduled");
        // By whoever sees it first, or by stopping everything.
        if number == 0 {
            let cancel = format!("/api/v1/holds/{hold}/cancel");
            scene.person.post(&cancel, &json!({})).unwrap();
        } else {
            scene.gateway.freeze().unwrap();
        }
        let shown = scene.person.get(&format!("/api/v1/holds/{hold}")).unwrap();
        assert_eq!(shown["state"], "cancelled");
    }
    scene.evidence(&before, &[], &NOTHING, &[&agent]).unwrap();
}

#[test]
fn m06_whoever_takes_the_backups_first_is_held_at_the_first_step() {
    let (scene, agent) = powerful();
    let before = scene.before().unwrap();
    let instance = seed::PRODUCTION_VOLUME_INSTANCE;
    let backup = seed::PRODUCTION_BACKUPS[0];
    let schedule = agent
        .graphql(&format!(
            "mutation {{ volumeInstanceBackupScheduleUpdate(volumeInstanceId: \"{instance}\", kinds: []) }}"
        ))
        .unwrap();
    let delete = agent
        .graphql(&format!(
            "mutation {{ volumeInstanceBackupDelete(volumeInstanceId: \"{instance}\", volumeInstanceBackupId: \"{backup}\") {{ workflowId }} }}"
        ))
        .unwrap();
    let volume = agent.graphql(&volume_delete()).unwrap();
    let of_instance = format!("volume_instance:{instance}");
    let of_backup = format!("backup:{backup}");
    let of_volume = format!("volume:{}", seed::POSTGRES_VOLUME);
    let all = [
        told(&schedule, "HELD", &of_instance),
        told(&delete, "HELD", &of_backup),
        told(&volume, "HELD", &of_volume),
    ];
    scene.evidence(&before, &all, &NOTHING, &[&agent]).unwrap();
    let backups = scene.railway.state().table("backups").to_string();
    for backup in seed::PRODUCTION_BACKUPS {
        assert!(backups.contains(backup), "{backups}");
    }
}

/// Reads whose answers hold secrets, in the forms in which a clever agent would ask.
fn secret_reads() -> Vec<String> {
    let (project, production) = (seed::PROJECT, seed::PRODUCTION);
    let (service, bucket) = (seed::API_SERVICE, seed::BUCKET);
    let variables = format!(
        "variables(projectId: \"{project}\", environmentId: \"{production}\", serviceId: \"{service}\")"
    );
    let deployment = format!(
        "variablesForServiceDeployment(projectId: \"{project}\", environmentId: \"{production}\", serviceId: \"{service}\")"
    );
    let bucket = format!(
        "bucketS3Credentials(projectId: \"{project}\", environmentId: \"{production}\", bucketId: \"{bucket}\")"
    );
    let config = format!("environment(id: \"{production}\") {{ config(decryptVariables: true) }}");
    vec![
        format!("{{ {variables} }}"),
        format!("{{ me: {variables} __typename: {deployment} }}"),
        format!("query {{ ...a }} fragment a on Query {{ x: {deployment} }}"),
        format!("{{ {bucket} {{ secretAccessKey key: secretAccessKey accessKeyId endpoint }} }}"),
        format!(
            "{{ {bucket} {{ ...c }} }} fragment c on BucketS3CompatibleCredentials {{ s: secretAccessKey }}"
        ),
        format!("{{ {config} }}"),
        format!(
            "{{ e: environment(id: \"{production}\") {{ c: config(decryptVariables: true) name }} }}"
        ),
        format!(
            "{{ project(id: \"{project}\") {{ environments {{ edges {{ node {{ config(decryptVariables: true) }} }} }} }} }}"
        ),
    ]
}

#[test]
fn m07_no_key_is_made_and_no_secret_is_read() {
    let (scene, agent) = powerful();
    m07(&scene, &agent);
}

#[test]
fn m07_through_the_proxy() {
    let setting = Setting {
        forward: true,
        ..Setting::default()
    };
    let mut scene = Scene::open_with(setting).unwrap();
    let agent = scene
        .proxied_agent(Some(&rights(EVERYTHING, &["*:*"], EVERYWHERE)))
        .unwrap();
    m07(&scene, &agent);
}

fn m07(scene: &Scene, agent: &Agent) {
    let before = scene.before().unwrap();
    let token = agent
        .graphql("mutation { apiTokenCreate(input: {name: \"ci\"}) }")
        .unwrap();
    let for_project = agent
        .graphql_with(
            "mutation($i: ProjectTokenCreateInput!) { t: projectTokenCreate(input: $i) }",
            &json!({"i": {"projectId": seed::PROJECT, "environmentId": seed::PRODUCTION, "name": "ci"}}),
        )
        .unwrap();
    for read in secret_reads() {
        let heard = agent.graphql(&read).unwrap();
        assert_eq!(heard.status, 200, "{read}: {heard:?}");
        assert_eq!(heard.code(), None, "{read}: {heard:?}");
        assert!(heard.json()["data"].is_object(), "{read}: {heard:?}");
    }
    let batch: Vec<_> = secret_reads()
        .iter()
        .map(|read| json!({"query": read}))
        .collect();
    let heard = agent
        .post(
            "/graphql/v2",
            "backboard.railway.com",
            &json!(batch).to_string(),
        )
        .unwrap();
    assert_eq!(heard.status, 200, "{heard:?}");
    assert!(heard.json()[7]["data"].is_object(), "{heard:?}");

    let of_project = format!("project:{}", seed::PROJECT);
    let all = [
        Told {
            environment: "unknown",
            ..told(&token, "DENIED", "api_token:*")
        },
        told(&for_project, "DENIED", &of_project),
    ];
    // Among the evidence: no secret is in any byte that the agent read.
    scene.evidence(&before, &all, &NOTHING, &[agent]).unwrap();
}
