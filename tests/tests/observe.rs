//! Where a person has chosen only to watch, the incident happens: so this also shows that the evidence
//! that the other tests look at would tell.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use standin_railway::seed;
use tagout_tests::documents::volume_delete;
use tagout_tests::{NOTHING, Scene, Told};

#[test]
fn in_observe_mode_it_happens_and_the_evidence_says_so() {
    let mut scene = Scene::open().unwrap();
    scene.watch_only().unwrap();
    let agent = scene.agent(None).unwrap();
    let before = scene.before().unwrap();
    let heard = agent.graphql(&volume_delete()).unwrap();
    assert_eq!(heard.json()["data"]["volumeDelete"], true, "{heard:?}");

    let error = scene.evidence(&before, &[], &NOTHING, &[&agent]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("volumeDelete"), "{error}");
    let told = Told {
        heard: &heard,
        code: "HELD",
        resource: &format!("volume:{}", seed::POSTGRES_VOLUME),
        environment: "production",
    };
    let now = scene.before().unwrap();
    assert!(scene.evidence(&now, &[told], &NOTHING, &[&agent]).is_err());

    // It is recorded with what would have been said of it.
    let ledger = scene.sound_ledger().unwrap();
    let intent = ledger.iter().find(|leaf| leaf["type"] == "intent").unwrap();
    assert_eq!(intent["what"]["verdict"], "hold", "{intent}");
    assert!(intent["basis"].to_string().contains("hold"), "{intent}");

    // What passes in no mode: another credential, and secrets.
    let stray = agent.with_token(seed::ACCOUNT_TOKEN);
    let refused = stray.graphql("{ me { id } }").unwrap();
    assert_eq!(refused.code().as_deref(), Some("DENIED"), "{refused:?}");
    let variables = format!(
        "{{ variables(projectId: \"{}\", environmentId: \"{}\", serviceId: \"{}\") }}",
        seed::PROJECT,
        seed::PRODUCTION,
        seed::API_SERVICE
    );
    let redacted = agent.graphql(&variables).unwrap();
    assert!(
        redacted.json()["data"]["variables"].is_object(),
        "{redacted:?}"
    );
    scene.credentials_are_nowhere(&[&agent]).unwrap();
    scene.gateway.freeze().unwrap();
    let frozen = agent.graphql("{ me { id } }").unwrap();
    assert_eq!(frozen.kind().as_deref(), Some("FROZEN"), "{frozen:?}");

    // The search for secrets would tell as well.
    agent.run("printf", &["%s", seed::SECRETS[0]], b"").unwrap();
    assert!(scene.credentials_are_nowhere(&[&agent]).is_err());
    let leak = scene.gateway.data().join("leak");
    std::fs::write(&leak, seed::ACCOUNT_TOKEN).unwrap();
    assert!(scene.credentials_are_nowhere(&[]).is_err());
}
