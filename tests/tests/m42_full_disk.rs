//! The disk is full. Effects stop; refusals, sign-in, revocation and freeze still work.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use std::process::Command;

use standin_railway::seed;
use tagout_stage::{Agent, Gateway, Heard, Setting};
use tagout_tests::Scene;
use tagout_tests::documents::{variable_upsert, volume_delete};

/// Larger than what the ledger leaves alone, with room for its journals.
const DISK_MIB: u64 = 420;

/// A command on the gateway's disk.
fn on_the_disk(gateway: &Gateway, script: &str) {
    let mut shell: Command = gateway.beside("sh");
    let status = shell
        .args(["-c", script, "sh", &gateway.data().display().to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "{script}");
}

/// Free mebibytes are left alone; nothing but zeros is written.
fn leave_free(gateway: &Gateway, mib: u64) {
    on_the_disk(
        gateway,
        &format!(
            "free=$(df -Pm \"$1\" | awk 'NR==2 {{print $4}}'); dd if=/dev/zero of=\"$1/filler\" bs=1M count=$((free - {mib})) 2>/dev/null"
        ),
    );
}

fn fill(gateway: &Gateway) {
    on_the_disk(
        gateway,
        "dd if=/dev/zero of=\"$1/filler.rest\" bs=4k 2>/dev/null; dd if=/dev/zero of=\"$1/filler.last\" bs=1 2>/dev/null; true",
    );
}

fn write(agent: &Agent, name: &str) -> Heard {
    agent
        .graphql(&variable_upsert(seed::STAGING, name, "x"))
        .unwrap()
}

#[test]
fn m42_a_full_disk_stops_effects_and_nothing_that_stops_them() {
    let setting = Setting {
        disk_mib: Some(DISK_MIB),
        ..Setting::default()
    };
    let mut scene = Scene::open_with(setting).unwrap();
    let grant = ["--effect", "write", "--environment", "staging"];
    let agent = scene.agent(None).unwrap();
    let other = scene.agent(None).unwrap();
    scene.grant(&agent, &grant).unwrap();
    scene.grant(&other, &grant).unwrap();
    assert_eq!(write(&agent, "BEFORE").code(), None);
    let done = scene.railway.mutations();

    // Less is free than the ledger leaves alone.
    leave_free(&scene.gateway, 100);
    let heard = write(&agent, "LOW");
    assert_eq!(heard.kind().as_deref(), Some("UNRECORDED"), "{heard:?}");
    let heard = agent
        .graphql("mutation { apiTokenCreate(input: {name: \"x\"}) }")
        .unwrap();
    assert_eq!(heard.kind().as_deref(), Some("DENIED"), "{heard:?}");

    // Nothing at all is free.
    fill(&scene.gateway);
    let heard = write(&agent, "FULL");
    assert_eq!(heard.kind().as_deref(), Some("UNRECORDED"), "{heard:?}");
    let heard = agent.graphql(&volume_delete()).unwrap();
    let kind = heard.kind().unwrap_or_default();
    assert!(["HELD", "UNRECORDED"].contains(&kind.as_str()), "{heard:?}");
    let heard = agent
        .graphql("mutation { apiTokenCreate(input: {name: \"x\"}) }")
        .unwrap();
    assert_eq!(heard.kind().as_deref(), Some("DENIED"), "{heard:?}");
    scene.person.sign_in().unwrap();
    scene
        .gateway
        .says(&["connection", "revoke", &other.connection])
        .unwrap();
    let heard = write(&other, "REVOKED");
    assert_eq!(heard.status, 401, "{heard:?}");
    scene.gateway.freeze().unwrap();
    let heard = write(&agent, "FROZEN");
    assert_eq!(heard.kind().as_deref(), Some("FROZEN"), "{heard:?}");
    assert_eq!(scene.railway.mutations(), done);

    // Both are still so after a restart, with room again.
    scene.gateway.kill().unwrap();
    on_the_disk(&scene.gateway, "rm \"$1\"/filler*");
    scene.restart_with(&[]).unwrap();
    assert_eq!(write(&other, "REVOKED").status, 401);
    let heard = write(&agent, "FROZEN");
    assert_eq!(heard.kind().as_deref(), Some("FROZEN"), "{heard:?}");
    scene.sound_ledger().unwrap();
    scene.person.sign_in().unwrap();
    let link = scene.gateway.says(&["thaw"]).unwrap();
    scene
        .person
        .accept(link.rsplit('/').next().unwrap())
        .unwrap();
    assert_eq!(write(&agent, "AFTER").code(), None);
    assert_eq!(scene.railway.mutations().len(), done.len() + 1);
}
