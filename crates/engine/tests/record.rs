//! When the record can't be written, or is not what it was.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod world;

use std::sync::atomic::Ordering;

use tagout_core::desk::DeskError;
use tagout_core::pipeline::Answer;
use tagout_core::refusal::RefusalKind;
use tagout_engine::{EngineError, FaultPoint, Faults};
use tagout_ledger::LedgerError;
use world::{Fault, Plan, World, act, destroy_in_production, everything, write_in_staging};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_effects_and_nothing_that_makes_things_safer() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let hold = world.held(&agent, &destroy_in_production("v1")).await;
    let approved = world.held(&agent, &destroy_in_production("v2")).await;
    let to_deny = world.held(&agent, &destroy_in_production("v3")).await;
    ann.approve(&world, &approved).await;
    world.disk_is_full.store(true, Ordering::SeqCst);
    // What is pre-written may still be used up.
    let mut number = 0;
    let refusal = loop {
        number += 1;
        match world
            .ask(&agent, &write_in_staging(&format!("s{number}")))
            .await
        {
            Answer::Reply(_) => assert!(number < 5000, "it never became full"),
            Answer::Refused(refusal) => break refusal,
        }
        world.clock.pass_ms(10);
    };
    assert_eq!(refusal.kind, RefusalKind::Unrecorded, "{}", refusal.line);
    let sent = world.upstream.count();
    world.refused(&agent, &destroy_in_production("v2")).await;
    assert_eq!(world.upstream.count(), sent);
    let widening = ann.try_approve(&world, &hold, 0).await;
    assert!(
        matches!(widening, Err(DeskError::Unrecorded(_))),
        "{widening:?}"
    );
    assert_eq!(world.state(&hold).await, "pending");
    ann.sign_in(&world).await;
    ann.deny(&world, &to_deny).await.unwrap();
    world
        .engine
        .revoke_connection(&agent.connection)
        .await
        .unwrap();
    world
        .engine
        .freeze("Ann".into(), "full".into())
        .await
        .unwrap();
    for kind in ["signed_in", "judged", "revoked", "frozen"] {
        assert!(!world.leaves(kind).is_empty(), "{kind}");
    }
    assert_eq!(world.state(&hold).await, "withdrawn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_fails_sends_nothing_or_stays_open() {
    for (point, sent, hold) in [
        (FaultPoint::Decided, 0, "approved"),
        (FaultPoint::Consumed, 0, "failed"),
        (FaultPoint::Intended, 0, "failed"),
        (FaultPoint::Answered, 1, "executed"),
        (FaultPoint::Settled, 1, "executing"),
    ] {
        let (world, mut ann) = World::furnished().await;
        let agent = world.connect(&mut ann, everything()).await;
        let what = destroy_in_production("v1");
        let id = world.held(&agent, &what).await;
        ann.approve(&world, &id).await;
        let plan = Plan {
            faults: Faults::Fail(point),
            ..Plan::default()
        };
        let world = world.restart(plan).await;
        world.ask(&agent, &what).await;
        assert_eq!(world.upstream.count(), sent, "{}", point.name());
        assert_eq!(world.state(&id).await, hold, "{}", point.name());
        let world = world.restart(Plan::default()).await;
        let settled = if hold == "executing" {
            "executed"
        } else {
            hold
        };
        assert_eq!(world.state(&id).await, settled, "{}", point.name());
        let (intents, outcomes) = (world.leaves("intent"), world.leaves("outcome"));
        assert_eq!(intents.len(), outcomes.len(), "{}", point.name());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orphaned_intent_is_settled_also_far_behind_the_mark() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let plan = Plan {
        faults: Faults::Fail(FaultPoint::Answered),
        ..Plan::default()
    };
    let world = world.restart(plan).await;
    world.passes(&agent, &write_in_staging("lost")).await;
    for _ in 0..30 {
        world.clock.pass_ms(60_000);
        world.lane.tick().await.unwrap();
        let read = act("read", "s:s", &["env-dev"]);
        world.passes(&agent, &read).await;
    }
    assert!(world.leaves("outcome").is_empty());
    let world = world.restart(Plan::default()).await;
    assert_eq!(world.leaves("outcome")[0]["outcome"]["outcome"], "unknown");
    let again = world.refused(&agent, &write_in_staging("lost")).await;
    assert_eq!(again.kind, RefusalKind::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_folder_that_was_set_back_is_noticed() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let (folder, clock, home) = world.close();
    let copy = folder.join("copy");
    copy_folder(&folder.join("ledger"), &copy);
    let world = World::open(&folder, clock, Plan::default()).await.unwrap();
    for number in 0..5 {
        world
            .passes(&agent, &write_in_staging(&format!("s{number}")))
            .await;
    }
    let world = world.restart(Plan::default()).await;
    let (folder, clock, _) = world.close();
    std::fs::remove_dir_all(folder.join("ledger")).unwrap();
    std::fs::rename(&copy, folder.join("ledger")).unwrap();
    let opened = World::open(&folder, clock, Plan::default()).await;
    let Err(EngineError::Ledger(LedgerError::Truncated { promised, held })) = opened.map(|_| ())
    else {
        panic!("an older ledger was taken for the whole")
    };
    assert!(held < promised);
    drop(home);
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_unknown_told_and_not_sent_again() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    world.upstream.fail(Fault::LostAnswer);
    let refusal = world.refused(&agent, &write_in_staging("s1")).await;
    assert_eq!(refusal.kind, RefusalKind::Upstream);
    world.upstream.fail(Fault::None);
    let again = world.refused(&agent, &write_in_staging("s1")).await;
    assert_eq!(again.kind, RefusalKind::Done, "{}", again.line);
    let world = world.restart(Plan::default()).await;
    let again = world.refused(&agent, &write_in_staging("s1")).await;
    assert_eq!(again.kind, RefusalKind::Done, "also after a restart");
    assert_eq!(world::Upstream::count_in(&world.folder), 1);
    world.clock.pass_ms(10 * 60_000);
    world.passes(&agent, &write_in_staging("s1")).await;
}
