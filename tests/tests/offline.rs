//! An auditor who trusts nobody: the person's signature and the log, checked with plain Python.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use standin_railway::seed;
use tagout_tests::Scene;

fn script(name: &str) -> String {
    format!("{}/../docs/verify/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn python(name: &str, arguments: &[&Path]) -> Output {
    Command::new("python3")
        .arg(script(name))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn a_signature_is_checked_from_the_export_alone() {
    let mut scene = Scene::open().unwrap();
    let agent = scene.agent(None).unwrap();
    let document = format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::BLOG_VOLUME
    );
    let hold = agent.graphql(&document).unwrap().hold().unwrap();
    scene.person.approve(&hold).unwrap();
    scene.gateway.ledger().unwrap();

    let export = scene.gateway.says(&["ledger", "export"]).unwrap();
    let judged = export.lines().find(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["entry"]["type"] == "judged"
    });
    let judged = judged.unwrap();
    let value: Value = serde_json::from_str(judged).unwrap();
    assert_eq!(value["entry"]["hold"], hold);
    assert!(
        !judged.contains("volumeDelete"),
        "a leaf carries no agent's text: {judged}"
    );

    let entry = scene.gateway.folder().join("entry.json");
    fs::write(&entry, judged).unwrap();
    let name = value["entry"]["body"]
        .as_str()
        .unwrap()
        .strip_prefix("sha256:")
        .unwrap();
    let (first, rest) = name.split_at(2);
    let body = scene
        .gateway
        .data()
        .join("ledger")
        .join("bodies")
        .join(first)
        .join(rest);
    let checked = python("verify_approval.py", &[&entry, &body]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.status.success(),
        "{said} {}",
        String::from_utf8_lossy(&checked.stderr)
    );
    assert!(said.contains(seed::BLOG_VOLUME), "{said}");

    // Any other text under the same signature is refused.
    let altered = scene.gateway.folder().join("altered.json");
    let text = fs::read_to_string(&body)
        .unwrap()
        .replace(seed::BLOG_VOLUME, seed::POSTGRES_VOLUME);
    fs::write(&altered, text).unwrap();
    assert!(
        !python("verify_approval.py", &[&entry, &altered])
            .status
            .success()
    );

    // With the text beside the log, for whoever reads it.
    let whole = scene
        .gateway
        .says(&["ledger", "export", "--bodies"])
        .unwrap();
    assert!(whole.contains(seed::BLOG_VOLUME));
}
