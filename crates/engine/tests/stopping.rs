//! Freeze, thaw, revocation, and what is scheduled.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tagout_core::approval::Decision;
use tagout_core::desk::{Desk as _, DeskError};
use tagout_core::effect::Effect;
use tagout_core::environment::Environment;
use tagout_core::grant::Budget;
use tagout_core::ids::{FreezeId, HoldId};
use tagout_core::pipeline::{Answer, Caller, Pipeline as _};
use tagout_core::proposal::Change;
use tagout_core::refusal::RefusalKind;
use tagout_engine::Notice;
use world::{
    Fault, HOUR_MS, Plan, Player, World, act, destroy_in_production, everything, write_in_staging,
};

/// A volume as a whole: it runs three days after the approval.
fn whole(id: &str) -> serde_json::Value {
    let mut what = destroy_in_production(id);
    what["marks"] = json!(["whole"]);
    what
}

async fn scheduled(world: &World, ann: &mut Player, agent: &Caller, id: &str) -> HoldId {
    let hold = world.held(agent, &whole(id)).await;
    assert_eq!(ann.approve(world, &hold).await, "scheduled");
    hold
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_scheduled_runs_at_its_time_and_not_before() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let hold = scheduled(&world, &mut ann, &agent, "v1").await;
    let refusal = world.refused(&agent, &whole("v1")).await;
    assert_eq!(refusal.kind, RefusalKind::Scheduled);
    world.clock.pass_ms(72 * HOUR_MS - 1);
    world.lane.tick().await.unwrap();
    assert_eq!(world.state(&hold).await, "scheduled");
    world.clock.set_forward_ms(24 * HOUR_MS);
    world.lane.tick().await.unwrap();
    assert_eq!(world.state(&hold).await, "scheduled", "a clock set forward");
    assert_eq!(world.upstream.count(), 0);
    world.clock.pass_ms(1);
    world.tick_until(&hold, "executed").await;
    assert_eq!(world.upstream.count(), 1);
    let again = world.refused(&agent, &whole("v1")).await;
    assert_eq!(again.kind, RefusalKind::Done, "{}", again.line);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_upstream_runs_a_scheduled_hold_once_over_many_ticks() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let hold = scheduled(&world, &mut ann, &agent, "v1").await;
    world.clock.pass_ms(72 * HOUR_MS);
    world.upstream.fail(Fault::Slow(Duration::from_millis(50)));
    world.tick_until(&hold, "executed").await;
    assert_eq!(world.upstream.count(), 1);
    assert_eq!(world.leaves("intent").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_scheduled_is_measured_again() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let hold = scheduled(&world, &mut ann, &agent, "v1").await;
    let elsewhere = vec!["env-prod".to_owned(), "env-staging".to_owned()];
    world
        .upstream
        .moved
        .lock()
        .unwrap()
        .insert("volume:v1".to_owned(), elsewhere);
    world.clock.pass_ms(72 * HOUR_MS);
    world.tick_until(&hold, "void").await;
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_scheduled_can_be_cancelled() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let hold = scheduled(&world, &mut ann, &agent, "v1").await;
    world.engine.cancel(ann.me(), &hold).await.unwrap();
    assert!(world.engine.cancel(ann.me(), &hold).await.is_err());
    world.clock.pass_ms(73 * HOUR_MS);
    world.lane.tick().await.unwrap();
    assert_eq!(world.state(&hold).await, "cancelled");
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_grant_cancels_only_if_somebody_ended_it() {
    for (revoke, expected) in [(false, "executed"), (true, "cancelled")] {
        let (world, mut ann) = World::furnished().await;
        let read = world::rights(&[Effect::Read], &["*:*"], &Environment::ALL);
        let agent = world.connect(&mut ann, read).await;
        let grant = world
            .grant(&mut ann, &agent, everything(), Budget::default())
            .await;
        let hold = scheduled(&world, &mut ann, &agent, "v1").await;
        if revoke {
            world.engine.revoke_grant(&grant).await.unwrap();
            assert_eq!(world.state(&hold).await, "cancelled");
        }
        // The grant's eight hours are long over by then.
        world.clock.pass_ms(72 * HOUR_MS);
        if revoke {
            world.lane.tick().await.unwrap();
        }
        world.tick_until(&hold, expected).await;
        assert_eq!(world.upstream.count(), usize::from(!revoke));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_grant_does_not_take_over_what_was_scheduled_without_it() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let hold = scheduled(&world, &mut ann, &agent, "v1").await;
    world.clock.pass_ms(71 * HOUR_MS);
    ann.sign_in(&world).await;
    world
        .grant(&mut ann, &agent, everything(), Budget::default())
        .await;
    world.clock.pass_ms(HOUR_MS);
    world.tick_until(&hold, "executed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoking_a_parent_ends_the_whole_subtree() {
    let (world, mut ann) = World::furnished().await;
    let parent = world.connect(&mut ann, everything()).await;
    let child = world
        .engine
        .narrow_connection(
            &parent.connection,
            "sub-agent".into(),
            everything(),
            Budget::default(),
        )
        .await
        .unwrap();
    let child = world.caller(&child);
    let token = world.engine.token(&child.connection).unwrap();
    let hold = world.held(&child, &destroy_in_production("v1")).await;
    world
        .engine
        .revoke_connection(&parent.connection)
        .await
        .unwrap();
    assert_eq!(world.state(&hold).await, "withdrawn");
    assert!(world.lane.admit(&token, &world::peer(None)).is_err());
    let refusal = world.refused(&child, &write_in_staging("s")).await;
    assert_eq!(refusal.kind, RefusalKind::Token);
    assert_eq!(world.leaves("revoked").len(), 1);
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_after_a_freeze_has_returned() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    world.upstream.fail(Fault::Slow(Duration::from_millis(2)));
    let stop_asking = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asking: Vec<_> = (0..100)
        .map(|number| {
            let (lane, agent) = (Arc::clone(&world.lane), agent.clone());
            let stop = Arc::clone(&stop_asking);
            tokio::spawn(async move {
                for round in 0.. {
                    if stop.load(std::sync::atomic::Ordering::SeqCst) {
                        return;
                    }
                    let id = format!("s{number}-{round}");
                    let what = match number % 2 {
                        0 => write_in_staging(&id),
                        _ => act("read", &format!("service:{id}"), &["env-prod"]),
                    };
                    lane.submit(&agent, world::attempt(&what)).await;
                    // A refusal waits for nothing, and would never let others run.
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    while world.upstream.count() < 200 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let began = Instant::now();
    world
        .engine
        .freeze("Ann".into(), "a test".into())
        .await
        .unwrap();
    let returned = Instant::now();
    assert!(returned.duration_since(began) < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop_asking.store(true, std::sync::atomic::Ordering::SeqCst);
    for each in asking {
        each.await.unwrap();
    }
    let sent = world.upstream.sent.lock().unwrap().clone();
    let late = sent.iter().filter(|sent| sent.at > returned).count();
    assert_eq!(late, 0, "of {}", sent.len());
    let intents = world.leaves("intent").len();
    assert_eq!(
        intents,
        world.leaves("outcome").len(),
        "each intent has its end"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_is_cut_off_by_a_freeze_and_unknown() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    world.upstream.fail(Fault::Slow(Duration::from_secs(60)));
    let (lane, agent_of) = (Arc::clone(&world.lane), agent.clone());
    let what = write_in_staging("s1");
    let attempt = world::attempt(&what);
    let hanging = tokio::spawn(async move { lane.submit(&agent_of, attempt).await });
    while world.leaves("intent").is_empty() {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    world
        .engine
        .freeze("Ann".into(), "a test".into())
        .await
        .unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    let Answer::Refused(refusal) = hanging.await.unwrap() else {
        panic!("answered")
    };
    assert!(refusal.line.contains("nobody can know"), "{}", refusal.line);
    let told = world.told.0.lock().unwrap();
    assert!(
        told.iter()
            .any(|notice| matches!(notice, Notice::Unknown { .. }))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_survives_and_only_a_person_thaws_it() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let hold = scheduled(&world, &mut ann, &agent, "v1").await;
    let pending = world.held(&agent, &destroy_in_production("v2")).await;
    ann.approve(&world, &pending).await;
    world
        .engine
        .freeze("Ann".into(), "a test".into())
        .await
        .unwrap();
    assert_eq!(world.state(&hold).await, "cancelled");
    // Neither reading again nor a restart lifts it.
    world.engine.reload().await.unwrap();
    let world = world.restart(Plan::default()).await;
    for what in [
        destroy_in_production("v2"),
        write_in_staging("s"),
        act("read", "service:s", &["env-prod"]),
    ] {
        let refusal = world.refused(&agent, &what).await;
        assert_eq!(refusal.kind, RefusalKind::Frozen);
    }
    world.clock.pass_ms(80 * HOUR_MS);
    world.lane.tick().await.unwrap();
    assert_eq!(world.upstream.count(), 0);

    ann.sign_in(&world).await;
    let (freeze, ..) = world.engine.standing().await.frozen.unwrap();
    let other = FreezeId::from_bits([9; 16]);
    let wrong = world.engine.propose_thaw(ann.me(), &other).await.unwrap();
    let refused = ann.settle(&world, wrong, Decision::Approve).await;
    assert_eq!(refused, Err(DeskError::NotFound("freeze")));
    let thaw = world.engine.propose_thaw(ann.me(), &freeze).await.unwrap();
    let refusal = world.refused(&agent, &write_in_staging("s")).await;
    assert_eq!(refusal.kind, RefusalKind::Frozen, "proposed is not thawed");
    ann.settle(&world, thaw.clone(), Decision::Deny)
        .await
        .unwrap();
    let again = Change::Thaw { freeze };
    ann.accept(&world, again).await;
    world.passes(&agent, &write_in_staging("s")).await;
    assert_eq!(
        world.state(&hold).await,
        "cancelled",
        "a thaw sets nothing off"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_of_a_revocation_is_finished_at_the_start() {
    use tagout_core::store::Authorities as _;
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let waiting = world.held(&agent, &destroy_in_production("v1")).await;
    let hold = scheduled(&world, &mut ann, &agent, "v2").await;
    // The store has it, and the engine never came to the holds.
    world
        .store
        .revoke_connection(&agent.connection)
        .await
        .unwrap();
    let world = world.restart(Plan::default()).await;
    assert_eq!(world.state(&waiting).await, "withdrawn");
    assert_eq!(world.state(&hold).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_before_a_revocation_is_not_sent_after_it() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let asked: Vec<_> = (0..50)
        .map(|number| {
            let (lane, agent) = (Arc::clone(&world.lane), agent.clone());
            let attempt = world::attempt(&write_in_staging(&format!("s{number}")));
            tokio::spawn(async move { lane.submit(&agent, attempt).await })
        })
        .collect();
    world
        .engine
        .revoke_connection(&agent.connection)
        .await
        .unwrap();
    let revoked = Instant::now();
    for each in asked {
        each.await.unwrap();
    }
    let sent = world.upstream.sent.lock().unwrap().clone();
    let grace = Duration::from_millis(50);
    assert!(sent.iter().all(|sent| sent.at <= revoked + grace));
}
