//! Every way that a hold's life can take, through the engine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod world;

use tagout_core::approval::Decision;
use tagout_core::desk::{Desk as _, Settled, Wish};
use tagout_core::pipeline::{Answer, Pipeline as _};
use tagout_core::refusal::RefusalKind;
use tagout_core::store::Holds as _;
use world::{Fault, HOUR_MS, Plan, Player, World, act, destroy_in_production, everything};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approved_it_runs_once_and_then_answers_with_its_receipt() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let what = destroy_in_production("v1");
    let hold = world.held(&agent, &what).await;
    assert_eq!(world.held(&agent, &what).await, hold, "found again");
    assert_eq!(world.upstream.count(), 0);
    assert_eq!(ann.approve(&world, &hold).await, "approved");
    world.passes(&agent, &what).await;
    assert_eq!(world.state(&hold).await, "executed");
    let refusal = world.refused(&agent, &what).await;
    assert_eq!(refusal.kind, RefusalKind::Done);
    assert_eq!(world.upstream.count(), 1);
    let status = world.lane.status(&agent, &hold).await.unwrap();
    assert_eq!(status.state, "executed");
    let other = world.connect(&mut ann, everything()).await;
    assert!(
        world.lane.status(&other, &hold).await.is_err(),
        "not theirs"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_of_the_upstream_end_a_hold() {
    for (fault, state, kind) in [
        (Fault::Refuses, "failed", RefusalKind::Done),
        (Fault::LostAnswer, "unknown", RefusalKind::Done),
        (Fault::NoConnection, "failed", RefusalKind::Held),
    ] {
        let (world, mut ann) = World::furnished().await;
        let agent = world.connect(&mut ann, everything()).await;
        let what = destroy_in_production("v1");
        let hold = world.held(&agent, &what).await;
        ann.approve(&world, &hold).await;
        world.upstream.fail(fault);
        world.ask(&agent, &what).await;
        assert_eq!(world.state(&hold).await, state, "{fault:?}");
        world.upstream.fail(Fault::None);
        let sent = world.upstream.count();
        let again = world.refused(&agent, &what).await;
        assert_eq!(again.kind, kind, "{fault:?}: {}", again.line);
        assert_ne!(again.hold == Some(hold), kind == RefusalKind::Held);
        assert_eq!(
            world.upstream.count(),
            sent,
            "single use, whatever became of it"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_means_no_for_a_while_and_then_asks_again() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let what = destroy_in_production("v1");
    let hold = world.held(&agent, &what).await;
    ann.deny(&world, &hold).await.unwrap();
    for minutes in [0, 59, 10] {
        world.clock.pass_ms(minutes * 60_000);
        let refusal = world.refused(&agent, &what).await;
        assert_eq!(refusal.kind, RefusalKind::Denied);
        assert_eq!(refusal.hold.as_ref(), Some(&hold));
    }
    world.clock.pass_ms(60_000);
    assert_ne!(world.held(&agent, &what).await, hold);
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_answers_and_nobody_uses() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let expiring = world.held(&agent, &destroy_in_production("v1")).await;
    world.clock.pass_ms(HOUR_MS);
    let wish = Player::judgement(&expiring, 0, Decision::Approve);
    assert!(
        ann.wish(&world, wish).await.is_err(),
        "expired, even before the tick"
    );
    world.lane.tick().await.unwrap();
    assert_eq!(world.state(&expiring).await, "expired");

    for ticks in [true, false] {
        let what = destroy_in_production("v2");
        let hold = world.held(&agent, &what).await;
        ann.approve(&world, &hold).await;
        world.clock.pass_ms(15 * 60_000);
        if ticks {
            world.lane.tick().await.unwrap();
        } else {
            world.refused(&agent, &what).await;
        }
        assert_eq!(world.state(&hold).await, "lapsed");
        assert_eq!(world.upstream.count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_request_is_answered_as_soon_as_somebody_decides() {
    let plan = Plan {
        wait_on_wire_ms: 20_000,
        ..Plan::default()
    };
    let (world, mut ann) = World::furnished_with(plan).await;
    let agent = world.connect(&mut ann, everything()).await;
    for (decision, sent) in [(Decision::Deny, 0), (Decision::Approve, 1)] {
        let what = destroy_in_production(&format!("v{sent}"));
        let (answer, ()) = tokio::join!(world.ask(&agent, &what), async {
            let hold = waiting(&world).await;
            let wish = Player::judgement(&hold, 0, decision);
            ann.wish(&world, wish).await.unwrap();
        });
        assert_eq!(
            matches!(answer, Answer::Reply(_)),
            decision == Decision::Approve
        );
        assert_eq!(world.upstream.count(), sent);
    }
}

/// The hold that waits, as soon as there is one.
async fn waiting(world: &World) -> tagout_core::ids::HoldId {
    loop {
        let holds = world.store.list_holds(0).await.unwrap();
        if let Some(hold) = holds.first() {
            return hold.id.clone();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocation_withdraws_and_reaches_whoever_waits_within_50_ms() {
    let plan = Plan {
        wait_on_wire_ms: 20_000,
        ..Plan::default()
    };
    let (world, mut ann) = World::furnished_with(plan).await;
    let agent = world.connect(&mut ann, everything()).await;
    let what = destroy_in_production("v1");
    let (answer, revoked_at) = tokio::join!(
        async { (world.ask(&agent, &what).await, std::time::Instant::now()) },
        async {
            waiting(&world).await;
            let at = std::time::Instant::now();
            world
                .engine
                .revoke_connection(&agent.connection)
                .await
                .unwrap();
            at
        }
    );
    assert!(matches!(answer.0, Answer::Refused(refusal) if refusal.kind == RefusalKind::Token));
    let took = answer.1.duration_since(revoked_at);
    assert!(took.as_millis() < 50, "{took:?}");
    let holds = world.store.list_holds(9).await.unwrap();
    assert_eq!(holds[0].state.word(), "withdrawn");
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_used_once_by_fifty_concurrent_retries() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let what = destroy_in_production("v1");
    let holds = asked_at_once(&world, &agent, &what, 20).await;
    let open = world.store.list_holds(9).await.unwrap();
    assert_eq!(open.len(), 1, "one hold for all of them");
    assert_eq!(holds.len(), 20);
    ann.approve(&world, &open[0].id).await;
    let answers = asked_at_once(&world, &agent, &what, 50).await;
    let passed = answers
        .iter()
        .filter(|answer| matches!(answer, Answer::Reply(_)))
        .count();
    assert_eq!((passed, world.upstream.count()), (1, 1));
    assert_eq!(world.leaves("intent").len(), 1);
    for answer in answers {
        if let Answer::Refused(refusal) = answer {
            assert_eq!(refusal.kind, RefusalKind::Done, "{}", refusal.line);
        }
    }
}

async fn asked_at_once(
    world: &World,
    agent: &tagout_core::pipeline::Caller,
    what: &serde_json::Value,
    times: usize,
) -> Vec<Answer<String>> {
    let ask = || {
        let (lane, agent, attempt) = (
            std::sync::Arc::clone(&world.lane),
            agent.clone(),
            world::attempt(what),
        );
        tokio::spawn(async move { lane.submit(&agent, attempt).await })
    };
    let asked: Vec<_> = (0..times).map(|_| ask()).collect();
    let mut answers = Vec::new();
    for each in asked {
        answers.push(each.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_read_runs_once_it_is_approved() {
    let (world, mut ann) = World::furnished().await;
    let rights = world::rights(
        &tagout_core::effect::Effect::ALL,
        &["*:*"],
        &[tagout_core::environment::Environment::Development],
    );
    let agent = world.connect(&mut ann, rights).await;
    let what = act("read", "table:t", &["env-prod"]);
    let hold = world.held(&agent, &what).await;
    ann.approve(&world, &hold).await;
    world.passes(&agent, &what).await;
    assert_eq!(world.state(&hold).await, "executed");
    let denied = act("read", "table:u", &["env-prod"]);
    let hold = world.held(&agent, &denied).await;
    ann.deny(&world, &hold).await.unwrap();
    let again = world.refused(&agent, &denied).await;
    assert_eq!(again.kind, RefusalKind::Denied, "a no is not asked again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_safer_way_runs_instead_and_is_judged_again() {
    let what = act("destroy", "volume:v1", &["env-staging", "env-prod"]);
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let hold = world.held(&agent, &what).await;
    ann.try_approve(&world, &hold, 0).await.unwrap();
    let refusal = world.refused(&agent, &what).await;
    assert_eq!(refusal.kind, RefusalKind::Done, "{}", refusal.line);
    let sent = world.upstream.sent.lock().unwrap()[0].what.clone();
    assert!(sent.contains("only"), "{sent}");

    // What was staging when it was signed is production when it runs.
    let what = act("destroy", "volume:v2", &["env-staging", "env-prod"]);
    let marked = {
        let mut marked = what.clone();
        marked["marks"] = serde_json::json!(["whole"]);
        marked
    };
    let hold = world.held(&agent, &marked).await;
    ann.try_approve(&world, &hold, 0).await.unwrap();
    let relabel = world::label(
        "env-staging",
        tagout_core::environment::Environment::Production,
    );
    ann.accept(&world, relabel).await;
    world.refused(&agent, &marked).await;
    assert_eq!(world.state(&hold).await, "void");
    assert_eq!(world.upstream.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_holds_are_judged_with_one_touch_or_not_at_all() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let mut holds = Vec::new();
    for number in 0..6 {
        let what = destroy_in_production(&format!("v{number}"));
        holds.push((world.held(&agent, &what).await, 0));
    }
    let judge = |holds: &[(tagout_core::ids::HoldId, usize)]| Wish::Judge {
        holds: holds.to_vec(),
        decision: Decision::Approve,
        reason: None,
    };
    // One of them is answered by somebody else between the card and the touch.
    let ceremony = ann.begin(&world, judge(&holds)).await.unwrap();
    let mut other = Player::with_key(1);
    other.signed_in.clone_from(&ann.signed_in);
    other.key.sign_count = ann.key.sign_count;
    other.deny(&world, &holds[5].0).await.unwrap();
    ann.key.sign_count = other.key.sign_count;
    let answer = ann.answer(&ceremony);
    assert!(world.engine.finish(&ceremony.id, answer).await.is_err());
    for (hold, _) in &holds[..5] {
        assert_eq!(world.state(hold).await, "pending", "none was signed");
    }
    let Settled::Judged(stands) = ann.wish(&world, judge(&holds[..5])).await.unwrap() else {
        panic!("not judged")
    };
    assert!(stands.iter().all(|(_, state)| state == "approved"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_hangs_up_does_not_stop_what_has_begun() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let what = world::write_in_staging("s1");
    world
        .upstream
        .fail(Fault::Slow(std::time::Duration::from_millis(60)));
    let hung_up = tokio::time::timeout(
        std::time::Duration::from_millis(20),
        world.ask(&agent, &what),
    );
    assert!(hung_up.await.is_err());
    world.upstream.fail(Fault::None);
    let again = world.refused(&agent, &what).await;
    assert_eq!(again.kind, RefusalKind::Done, "on its way: {}", again.line);
    while world.leaves("outcome").is_empty() {
        tokio::task::yield_now().await;
    }
    let again = world.refused(&agent, &what).await;
    assert!(again.line.contains("executed already"), "{}", again.line);
    assert_eq!(world.upstream.count(), 1);
    world.clock.pass_ms(10 * 60_000);
    world.passes(&agent, &what).await;
    world.passes(&agent, &what).await;
    assert_eq!(
        world.upstream.count(),
        3,
        "whoever heard the end may ask again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_on_the_way_is_unknown_and_not_sent_again() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let what = world::write_in_staging("s1");
    world.upstream.fail(Fault::Panics);
    let refusal = world.refused(&agent, &what).await;
    assert!(refusal.line.contains("nobody can know"), "{}", refusal.line);
    world.upstream.fail(Fault::None);
    world.refused(&agent, &what).await;
    assert_eq!(world.upstream.count(), 0);
}
