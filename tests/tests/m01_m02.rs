//! The founding incident, and the same with rights that reach further than they should.

use serde_json::Value;
use standin_railway::seed;
use tagout_tests::Scene;

const DOMAINS_ONLY: &str = r#"[{"upstreams": "all", "effects": ["read", "write", "destroy"],
    "resources": ["domain:*"], "environments": ["development", "staging", "production", "unknown"]}]"#;

const VOLUMES_IN_STAGING: &str = r#"[{"upstreams": "all", "effects": ["read", "write", "destroy"],
    "resources": ["volume:*"], "environments": ["staging"]}]"#;

fn volume_delete() -> String {
    format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::POSTGRES_VOLUME
    )
}

#[test]
fn m01_a_token_for_domains_deletes_no_volume_and_a_stray_token_goes_nowhere() {
    let mut scene = Scene::open().unwrap();
    let before = scene.railway.state().digest();
    let agent = scene.agent(Some(DOMAINS_ONLY)).unwrap();

    let heard = agent.graphql(&volume_delete()).unwrap();
    assert_eq!(heard.code().as_deref(), Some("DENIED"), "{heard:?}");

    let mut stray = agent.clone();
    stray.token = seed::ACCOUNT_TOKEN.to_owned();
    let heard = stray.graphql(&volume_delete()).unwrap();
    assert_eq!(heard.code().as_deref(), Some("DENIED"), "{heard:?}");
    assert!(heard.line().contains("credential"), "{heard:?}");

    assert_eq!(scene.railway.state().digest(), before);
    assert_eq!(scene.railway.mutations(), Vec::<String>::new());
    let ledger = scene.gateway.ledger().unwrap();
    assert!(
        ledger.iter().any(|leaf| leaf["type"] == "stray"),
        "{ledger:?}"
    );
    let refused = |leaf: &&Value| leaf["type"] == "refused" && leaf["kind"] == "DENIED";
    assert!(ledger.iter().any(|leaf| refused(&leaf)), "{ledger:?}");
    assert!(
        scene
            .gateway
            .says(&["ledger", "verify"])
            .unwrap()
            .contains("sound")
    );
}

#[test]
fn m02_a_volume_in_two_environments_is_held_and_the_card_names_production() {
    let mut scene = Scene::open().unwrap();
    let before = scene.railway.state().digest();
    let agent = scene.agent(Some(VOLUMES_IN_STAGING)).unwrap();

    let heard = agent.graphql(&volume_delete()).unwrap();
    assert_eq!(heard.code().as_deref(), Some("HELD"), "{heard:?}");
    let hold = heard.hold().unwrap();
    assert_eq!(scene.railway.state().digest(), before);

    let shown = scene.person.get(&format!("/api/v1/holds/{hold}")).unwrap();
    let card = &shown["card"]; println!("{}", serde_json::to_string_pretty(card).unwrap());
    let headline = card["headline"].as_str().unwrap();
    assert!(
        headline.contains("PRODUCTION") && headline.contains("staging"),
        "{headline}"
    );
    assert!(headline.contains("postgres-data"), "{headline}");
    let facts = card["targets"][0]["facts"].as_array().unwrap();
    let backups = facts
        .iter()
        .find(|fact| fact["label"] == "backups")
        .unwrap();
    assert_eq!(backups["value"], "5");

    // The person chooses the safer way: only in staging.
    let choices = card["choices"].as_array().unwrap();
    let staging = choices.iter().position(|choice| {
        choice["title"]
            .as_str()
            .is_some_and(|title| title.contains("staging") && title.contains("only"))
    });
    scene
        .person
        .judge(&[(&hold, staging.unwrap())], "approve")
        .unwrap();
    let heard = agent.graphql(&volume_delete()).unwrap();
    assert_eq!(heard.code().as_deref(), Some("DONE"), "{heard:?}");

    let instances = scene.railway.state().table("volumeInstances").to_string();
    assert!(
        instances.contains(seed::PRODUCTION_VOLUME_INSTANCE),
        "{instances}"
    );
    assert_eq!(scene.railway.mutations(), ["environmentPatchCommit"]);

    // Once only.
    let heard = agent.graphql(&volume_delete()).unwrap();
    assert_eq!(heard.code().as_deref(), Some("DONE"), "{heard:?}");
    assert_eq!(scene.railway.mutations(), ["environmentPatchCommit"]);
}
