//! The founding incident, and the same with rights that reach further than they should.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use standin_railway::seed;
use tagout_stage::{Agent, Setting};
use tagout_tests::documents::volume_delete;
use tagout_tests::{Approved, NOTHING, Scene, Told, rights};

const EVERYWHERE: &[&str] = &["development", "staging", "production", "unknown"];

/// How the agent comes to the gateway.
#[derive(Clone, Copy)]
enum Way {
    /// By another address.
    Reverse,
    /// As a proxy that intercepts TLS.
    Forward,
}

fn scene(way: Way, rights: &str) -> (Scene, Agent) {
    let setting = Setting {
        forward: matches!(way, Way::Forward),
        ..Setting::default()
    };
    let mut scene = Scene::open_with(setting).unwrap();
    let agent = match way {
        Way::Reverse => scene.agent(Some(rights)),
        Way::Forward => scene.proxied_agent(Some(rights)),
    };
    (scene, agent.unwrap())
}

#[test]
fn m01_a_token_for_domains_deletes_no_volume_and_a_stray_token_goes_nowhere() {
    m01(Way::Reverse);
}

#[test]
fn m01_through_the_proxy() {
    m01(Way::Forward);
}

fn m01(way: Way) {
    let domains = rights(&["write", "destroy"], &["domain:*"], EVERYWHERE);
    let (scene, agent) = scene(way, &domains);
    let before = scene.before().unwrap();

    let denied = agent.graphql(&volume_delete()).unwrap();
    let told = Told {
        heard: &denied,
        code: "DENIED",
        resource: &format!("volume:{}", seed::POSTGRES_VOLUME),
        environment: "production",
    };
    scene
        .evidence(&before, &[told], &NOTHING, &[&agent])
        .unwrap();

    let stray = agent.with_token(seed::ACCOUNT_TOKEN);
    let heard = stray.graphql(&volume_delete()).unwrap();
    assert_eq!(heard.code().as_deref(), Some("DENIED"), "{heard:?}");
    assert!(heard.line().contains("credential"), "{heard:?}");
    let ledger = scene.gateway.ledger().unwrap();
    let reported = ledger
        .iter()
        .any(|leaf| leaf["type"] == "stray" && leaf["place"] == "header authorization");
    assert!(reported, "{ledger:?}");
    assert_eq!(scene.railway.mutations(), Vec::<String>::new());
}

#[test]
fn m02_a_volume_in_two_environments_is_held_and_the_card_names_production() {
    m02(Way::Reverse);
}

#[test]
fn m02_through_the_proxy() {
    m02(Way::Forward);
}

fn m02(way: Way) {
    let volumes = rights(&["write", "destroy"], &["volume:*"], &["staging"]);
    let (mut scene, agent) = scene(way, &volumes);
    let before = scene.before().unwrap();

    let held = agent.graphql(&volume_delete()).unwrap();
    let told = Told {
        heard: &held,
        code: "HELD",
        resource: &format!("volume:{}", seed::POSTGRES_VOLUME),
        environment: "production",
    };
    scene
        .evidence(&before, &[told], &NOTHING, &[&agent])
        .unwrap();
    let hold = held.hold().unwrap();

    let shown = scene.person.get(&format!("/api/v1/holds/{hold}")).unwrap();
    let card = &shown["card"];
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

    // Once only: the second time there is a receipt.
    for _ in 0..2 {
        let heard = agent.graphql(&volume_delete()).unwrap();
        assert_eq!(heard.code().as_deref(), Some("DONE"), "{heard:?}");
    }
    let approved = Approved {
        mutations: &["environmentPatchCommit"],
        changed: &[
            format!("volumeInstances/{}", seed::STAGING_VOLUME_INSTANCE),
            format!("backups/{}", seed::STAGING_BACKUP),
            // Its schedule of backups, which goes with it.
            "backupSchedules/5d000000-0000-4000-8000-5e0000000003".to_owned(),
        ],
    };
    scene
        .evidence(&before, &[told], &approved, &[&agent])
        .unwrap();
}
