//! The stop button, pressed while deletions are on their way.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tagout_stage::{Agent, App, Heard};
use tagout_tests::{NOTHING, Scene, Told};

fn delete(agent: &Agent, app: &App, number: usize) -> Heard {
    let path = format!("/api/agents/{number}");
    agent.ask("DELETE", &path, &app.host()).unwrap()
}

/// Deletes one thing after the other until told to stop; gives what it heard last.
fn deletes(agent: &Agent, app: &App, from: usize, stop: &AtomicBool) -> Option<Heard> {
    let mut last = None;
    for number in from..from + 1000 {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        last = Some(delete(agent, app, number));
    }
    last
}

/// Waits until so many deletions have arrived.
fn until_arrived(app: &App, count: usize) {
    let until = Instant::now() + Duration::from_secs(60);
    while app.changes().len() < count {
        assert!(Instant::now() < until, "the deletions do not flow");
        std::thread::yield_now();
    }
}

/// Presses the button while `workers` delete; gives what each heard last.
fn freeze_in_flight(scene: &Scene, agent: &Agent, app: &App, press: impl Fn(&Scene)) -> Vec<Heard> {
    let stop = AtomicBool::new(false);
    let already = app.changes().len();
    std::thread::scope(|scope| {
        let stop = &stop;
        let workers: Vec<_> = [0, 1000, 2000, 3000]
            .map(|from| scope.spawn(move || deletes(agent, app, already * 10_000 + from, stop)))
            .into_iter()
            .collect();
        until_arrived(app, already + 8);
        let pressed = Instant::now();
        press(scene);
        let (took, frozen_at) = (pressed.elapsed(), SystemTime::now());
        assert!(took < Duration::from_secs(1), "freezing took {took:?}");
        // They go on trying for a while; a request more from each is told so.
        for worker in 0..4 {
            let heard = delete(agent, app, 900_000 + worker);
            assert_eq!(
                (heard.status, heard.kind().as_deref()),
                (503, Some("FROZEN"))
            );
        }
        stop.store(true, Ordering::SeqCst);
        let last = workers
            .into_iter()
            .filter_map(|worker| worker.join().unwrap());
        let last = last.collect();
        let late: Vec<_> = app
            .changes()
            .into_iter()
            .filter(|received| received.at > frozen_at)
            .collect();
        assert!(late.is_empty(), "arrived after the freeze: {late:?}");
        last
    })
}

#[test]
fn m40_nothing_arrives_after_the_freeze_and_only_a_person_ends_it() {
    let mut scene = Scene::open().unwrap();
    let before = scene.before().unwrap();
    // In observe mode everything passes; freeze stays on.
    let app = scene.app([], "observe", "production").unwrap();
    let agent = scene.agent(None).unwrap();
    app.delay(Duration::from_millis(200));

    freeze_in_flight(&scene, &agent, &app, |scene| {
        scene.gateway.freeze().unwrap();
    });
    let frozen = app.changes().len();
    assert!(frozen >= 8, "deletions were in flight");
    let ledger = scene.sound_ledger().unwrap();
    assert!(ledger.iter().any(|leaf| leaf["type"] == "frozen"));
    let ends = ledger.iter().filter(|leaf| leaf["type"] == "outcome");
    let begun = ledger.iter().filter(|leaf| leaf["type"] == "intent");
    assert_eq!(ends.count(), begun.count(), "each intent has an outcome");

    // Reads stop as well, and so does everything after a restart.
    let read = agent.graphql("{ me { id } }").unwrap();
    assert_eq!(read.kind().as_deref(), Some("FROZEN"), "{read:?}");
    scene.restart_with(&[]).unwrap();
    let heard = delete(&agent, &app, 900_010);
    assert_eq!(heard.kind().as_deref(), Some("FROZEN"), "{heard:?}");

    // To ask for the end of it is not the end of it.
    let link = scene.gateway.says(&["thaw"]).unwrap();
    let heard = delete(&agent, &app, 900_011);
    assert_eq!(heard.kind().as_deref(), Some("FROZEN"), "{heard:?}");
    assert_eq!(app.changes().len(), frozen);
    scene.person.sign_in().unwrap();
    let proposal = link.rsplit('/').next().unwrap();
    scene.person.accept(proposal).unwrap();
    let heard = delete(&agent, &app, 900_012);
    assert_eq!(heard.status, 404, "the upstream answers again: {heard:?}");

    // The same from the console, which is another device.
    freeze_in_flight(&scene, &agent, &app, |scene| {
        let reason = serde_json::json!({"reason": "stop"});
        scene.person.post("/api/v1/freeze", &reason).unwrap();
    });
    let none: [Told<'_>; 0] = [];
    scene.evidence(&before, &none, &NOTHING, &[&agent]).unwrap();
}
