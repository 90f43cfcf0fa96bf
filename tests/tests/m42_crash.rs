//! The gateway dies at every named point of an operation's life, and in the middle of one. No effect is
//! without a record, none happens twice, and what cannot be known is called unknown.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use std::time::{Duration, Instant};

use serde_json::Value;
use standin_railway::seed;
use tagout_stage::{Agent, App};
use tagout_tests::documents::variable_upsert;
use tagout_tests::{Scene, rights};

const ABORT: &str = "TAGOUT_TEST_ABORT_AT";

/// A point, how often the upstream has seen the operation when the gateway dies there, and what the
/// record says of it after the next start.
struct Point {
    name: &'static str,
    arrived: usize,
    outcome: Option<&'static str>,
}

const fn point(name: &'static str, arrived: usize, outcome: Option<&'static str>) -> Point {
    Point {
        name,
        arrived,
        outcome,
    }
}

/// Of what policy allows.
const ALLOWED: [Point; 5] = [
    point("decided", 0, None),
    point("spent", 0, None),
    point("intended", 0, Some("unknown")),
    point("answered", 1, Some("unknown")),
    point("settled", 1, Some("done")),
];

/// Of what a person approved.
const APPROVED: [Point; 5] = [
    point("decided", 0, None),
    point("consumed", 0, None),
    point("intended", 0, Some("unknown")),
    point("answered", 1, Some("unknown")),
    point("settled", 1, Some("done")),
];

fn arrived(scene: &Scene, name: &str) -> usize {
    let requests = scene.railway.state().requests();
    let ours = requests
        .iter()
        .filter(|record| record.field == "variableUpsert" && record.args["input"]["name"] == name);
    ours.count()
}

/// What the record says of the intents on this variable: for each its outcome.
fn outcomes(ledger: &[Value], name: &str) -> Vec<String> {
    let resource = format!("variable:{name}");
    let lands = |leaf: &&Value| {
        let effects = leaf["what"]["effects"].as_array();
        effects.is_some_and(|effects| effects.iter().any(|effect| effect["resource"] == resource))
    };
    let intents = ledger
        .iter()
        .filter(|leaf| leaf["type"] == "intent")
        .filter(lands);
    let ends = |intent: &Value| {
        let end = ledger
            .iter()
            .find(|leaf| leaf["type"] == "outcome" && leaf["op"] == intent["op"]);
        end.map_or_else(|| "none".to_owned(), |end| word_of(&end["outcome"]))
    };
    intents.map(ends).collect()
}

/// `done`, `unknown` …, however the outcome is written.
fn word_of(outcome: &Value) -> String {
    let text = outcome.to_string().to_lowercase();
    let words = ["unknown", "done", "failed", "not_sent", "notsent"];
    let found = words.iter().find(|word| text.contains(*word));
    found.map_or(text.clone(), |word| (*word).to_owned())
}

/// Dies at the point, starts again, and looks.
fn dies_at(scene: &mut Scene, agent: &Agent, at: &Point, name: &str) {
    let document = variable_upsert(seed::STAGING, name, "x");
    let cut_off = agent.graphql(&document);
    // What policy allows is answered before its outcome is durable.
    let heard = at.name == "settled" && cut_off.is_ok();
    assert!(heard || cut_off.is_err(), "{}: {cut_off:?}", at.name);
    scene.gateway.wait_until_dead().unwrap();
    assert_eq!(arrived(scene, name), at.arrived, "{}", at.name);

    scene.restart_with(&[]).unwrap();
    let expected: Vec<String> = at.outcome.iter().map(ToString::to_string).collect();
    let ledger = scene.sound_ledger().unwrap();
    assert_eq!(outcomes(&ledger, name), expected, "{}", at.name);
}

#[test]
fn m42_what_policy_allows_is_never_done_twice_or_without_a_record() {
    let mut scene = Scene::open().unwrap();
    let agent = scene
        .agent(Some(&rights(&["write"], &["*:*"], &["staging"])))
        .unwrap();
    for at in &ALLOWED {
        let name = format!("AT_{}", at.name.to_uppercase());
        scene.restart_with(&[(ABORT, at.name)]).unwrap();
        dies_at(&mut scene, &agent, at, &name);

        // The agent tries again, as agents do.
        let again = agent
            .graphql(&variable_upsert(seed::STAGING, &name, "x"))
            .unwrap();
        match at.outcome {
            None => {
                assert_eq!(again.code(), None, "{}: {again:?}", at.name);
                assert_eq!(arrived(&scene, &name), 1, "{}", at.name);
            }
            Some("unknown") => {
                assert_eq!(
                    again.code().as_deref(),
                    Some("DONE"),
                    "{}: {again:?}",
                    at.name
                );
                assert!(again.line().contains("nobody can know"), "{again:?}");
                assert_eq!(arrived(&scene, &name), at.arrived, "{}", at.name);
            }
            // What is known to be done may be asked for again: nothing was lost.
            Some(_) => {}
        }
    }
    scene.credentials_are_nowhere(&[&agent]).unwrap();
}

#[test]
fn m42_what_a_person_approved_is_never_done_twice_or_without_a_record() {
    let mut scene = Scene::open().unwrap();
    // Without rights in staging the person is asked each time.
    let agent = scene.agent(None).unwrap();
    for at in &APPROVED {
        let name = format!("AT_{}", at.name.to_uppercase());
        let document = variable_upsert(seed::STAGING, &name, "x");
        let held = agent.graphql(&document).unwrap();
        let hold = held.hold().unwrap_or_else(|| panic!("{held:?}"));
        scene.person.sign_in().unwrap();
        scene.person.approve(&hold).unwrap();
        scene.restart_with(&[(ABORT, at.name)]).unwrap();
        dies_at(&mut scene, &agent, at, &name);

        scene.person.sign_in().unwrap();
        let state = scene.person.get(&format!("/api/v1/holds/{hold}")).unwrap()["state"].clone();
        let again = agent.graphql(&document).unwrap();
        match at.name {
            // The approval is not spent yet: it passes once.
            "decided" => {
                assert_eq!(state, "approved");
                assert_eq!(again.code(), None, "{again:?}");
            }
            // The approval is spent and nothing was sent: it has to be asked for anew.
            "consumed" => {
                assert_eq!(state, "failed");
                assert_eq!(again.code().as_deref(), Some("HELD"), "{again:?}");
                assert_ne!(again.hold().as_deref(), Some(hold.as_str()));
            }
            "intended" | "answered" => assert_eq!(state, "unknown"),
            _ => assert_eq!(state, "executed"),
        }
        if at.outcome.is_some() {
            assert_eq!(
                again.code().as_deref(),
                Some("DONE"),
                "{}: {again:?}",
                at.name
            );
        }
        let most = if at.name == "decided" { 1 } else { at.arrived };
        assert_eq!(arrived(&scene, &name), most, "{}", at.name);
    }
    scene.credentials_are_nowhere(&[&agent]).unwrap();
}

/// Waits until the application got so many changes.
fn until_arrived(app: &App, count: usize) {
    let until = Instant::now() + Duration::from_secs(60);
    while app.changes().len() < count {
        assert!(Instant::now() < until, "it did not arrive");
        std::thread::yield_now();
    }
}

#[test]
fn m42_killed_while_the_upstream_thinks_about_it() {
    let mut scene = Scene::open().unwrap();
    let rows = ["agents/1".to_owned(), "agents/2".to_owned()];
    let app = scene.app(rows, "guard", "development").unwrap();
    let agent = scene.agent(None).unwrap();
    let host = app.host();
    let delete = || agent.ask("DELETE", "/api/agents/1", &host);
    let change = || agent.ask("PUT", "/api/agents/2", &host);

    let held = delete().unwrap();
    let hold = held.hold().unwrap_or_else(|| panic!("{held:?}"));
    scene.person.approve(&hold).unwrap();
    app.delay(Duration::from_millis(700));
    std::thread::scope(|scope| {
        let both = [scope.spawn(delete), scope.spawn(change)];
        until_arrived(&app, 2);
        scene.gateway.kill().unwrap();
        for cut_off in both {
            assert!(cut_off.join().unwrap().is_err());
        }
    });
    app.delay(Duration::ZERO);
    scene.restart_with(&[]).unwrap();
    scene.person.sign_in().unwrap();
    let shown = scene.person.get(&format!("/api/v1/holds/{hold}")).unwrap();
    assert_eq!(shown["state"], "unknown");
    let ledger = scene.sound_ledger().unwrap();
    let unknown = ledger
        .iter()
        .filter(|leaf| leaf["type"] == "outcome" && word_of(&leaf["outcome"]) == "unknown");
    assert_eq!(unknown.count(), 2);
    for again in [delete().unwrap(), change().unwrap()] {
        assert_eq!(again.kind().as_deref(), Some("DONE"), "{again:?}");
        assert!(
            again.line().contains("nobody can know") || again.body.contains("unknown"),
            "{again:?}"
        );
    }
    assert_eq!(app.changes().len(), 2);
}
