//! A batch with one wrong id in it, and a loop that does not stop.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use std::collections::BTreeSet;

use standin_railway::seed;
use tagout_stage::{Agent, App, Heard};
use tagout_tests::{NOTHING, Scene, Told, rights};

fn delete(agent: &Agent, app: &App, row: &str) -> Heard {
    agent
        .ask("DELETE", &format!("/api/{row}"), &app.host())
        .unwrap()
}

/// What the application was asked to change, by its path.
fn asked(app: &App) -> Vec<String> {
    app.changes().into_iter().map(|each| each.path).collect()
}

#[test]
fn m30_six_deletions_on_one_card_five_approved_and_the_live_site_stands() {
    let mut scene = Scene::open().unwrap();
    let before = scene.before().unwrap();
    let sites = ["old-1", "old-2", "live", "old-3", "old-4", "old-5"];
    let rows = sites.map(|site| format!("sites/{site}"));
    let app = scene.app(rows.clone(), "guard", "production").unwrap();
    let agent = scene
        .agent(Some(&rights(&["destroy"], &["*:*"], &["production"])))
        .unwrap();

    let heard = rows.clone().map(|row| delete(&agent, &app, &row));
    let holds = heard.each_ref().map(|heard| {
        assert_eq!(heard.status, 423, "{heard:?}");
        heard.hold().unwrap()
    });
    let of: Vec<_> = sites.iter().map(|site| format!("sites:{site}")).collect();
    let told: Vec<_> = heard
        .iter()
        .zip(&of)
        .map(|(heard, resource)| Told {
            heard,
            code: "HELD",
            resource,
            environment: "production",
        })
        .collect();
    scene.evidence(&before, &told, &NOTHING, &[&agent]).unwrap();
    assert_eq!(asked(&app), Vec::<String>::new());

    // One card, one signature for the five; another for the no.
    let five: Vec<_> = holds
        .iter()
        .enumerate()
        .filter(|(nth, _)| *nth != 2)
        .map(|(_, hold)| (hold.as_str(), 0))
        .collect();
    scene.person.judge(&five, "approve").unwrap();
    scene.person.judge(&[(&holds[2], 0)], "deny").unwrap();

    for row in &rows {
        let heard = delete(&agent, &app, row);
        let expected = if row == "sites/live" { 403 } else { 200 };
        assert_eq!(heard.status, expected, "{row}: {heard:?}");
    }
    let live = agent.ask("GET", "/api/sites/live", &app.host()).unwrap();
    assert_eq!(live.status, 200, "{live:?}");
    let left = BTreeSet::from(["sites/live".to_owned()]);
    assert_eq!(app.rows(), left);
    assert_eq!(asked(&app).len(), 5);
    let judged = scene
        .sound_ledger()
        .unwrap()
        .into_iter()
        .filter(|leaf| leaf["type"] == "judged")
        .count();
    assert_eq!(judged, 6);
    scene.credentials_are_nowhere(&[&agent]).unwrap();
}

/// Lets agents be deleted in staging without asking anybody. A person has to accept it.
const CLEAN_UP: &str = r#"
@id("team.agents_in_staging")
@reason("agents in staging are made by the hundred")
permit (principal, action == Action::"destroy", resource in Kind::"agents")
when { resource.environment == "staging" };
"#;

#[test]
fn m35_a_loop_that_may_delete_is_tripped_by_its_budget() {
    let mut scene = Scene::open().unwrap();
    let before = scene.before().unwrap();
    let rows = (0..200).map(|number| format!("agents/{number}"));
    let app = scene.app(rows, "guard", "staging").unwrap();
    let agent = scene.agent(None).unwrap();
    let file = scene.gateway.folder().join("clean-up.cedar");
    std::fs::write(&file, CLEAN_UP).unwrap();
    scene
        .accepted(&["policy", "propose", &file.display().to_string()])
        .unwrap();
    let open = [
        "--effect",
        "destroy",
        "--environment",
        "staging",
        "--budget",
        "destroy=20",
    ];
    scene.grant(&agent, &open).unwrap();

    let heard: Vec<_> = (0..200)
        .map(|number| delete(&agent, &app, &format!("agents/{number}")))
        .collect();
    let passed = heard.iter().filter(|heard| heard.status == 200).count();
    assert_eq!(passed, 20);
    for (number, heard) in heard.iter().enumerate() {
        let expected = if number < 20 { 200 } else { 403 };
        assert_eq!(heard.status, expected, "{number}: {heard:?}");
    }
    assert_eq!(
        heard[20].kind().as_deref(),
        Some("BUDGET"),
        "{:?}",
        heard[20]
    );
    assert_eq!(app.rows().len(), 180);
    assert_eq!(asked(&app).len(), 20);

    let ledger = scene.sound_ledger().unwrap();
    let tripped: Vec<_> = ledger
        .iter()
        .filter(|leaf| leaf["type"] == "tripped")
        .collect();
    assert_eq!(tripped.len(), 1, "{tripped:?}");
    assert_eq!(tripped[0]["effect"], "destroy");
    let intents = ledger
        .iter()
        .filter(|leaf| leaf["type"] == "intent")
        .count();
    assert_eq!(intents, 20);
    scene.evidence(&before, &[], &NOTHING, &[&agent]).unwrap();

    // The other upstream's grantless work goes on: the task is stopped, not the agent.
    let read = format!("{{ project(id: \"{}\") {{ name }} }}", seed::PROJECT);
    assert_eq!(agent.graphql(&read).unwrap().code(), None);
}
