//! Budgets across crashes: what was spent is never forgotten, and never counted twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod world;

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tagout_core::effect::Effect;
use tagout_core::grant::Budget;
use tagout_core::pipeline::{Answer, Caller};
use tagout_core::refusal::RefusalKind;
use tagout_core::rights::Rights;
use tagout_core::store::{Authorities as _, Budgets as _, Purse};
use world::{Fault, Plan, Upstream, World, everything, write_in_staging};

const FOLDER: &str = "TAGOUT_TEST_FOLDER";
const ROUND: &str = "TAGOUT_TEST_ROUND";

/// Writes that the grant carries.
const BUDGET: u64 = 400;

fn budget() -> Budget {
    Budget([(Effect::Write, BUDGET)].into())
}

/// The part of the child process: writes from four sides until it is killed or the budget is used up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_until_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let round = std::env::var(ROUND).unwrap();
    let clock = world::HandClock::new();
    let world = World::open(Path::new(&folder), clock, Plan::default());
    let world = world.await.unwrap();
    let agent = caller(&world).await;
    let side = async |side: u8| {
        for number in 0_u64.. {
            let what = write_in_staging(&format!("s-{round}-{side}-{number}"));
            if let Answer::Refused(refusal) = world.ask(&agent, &what).await {
                assert_eq!(refusal.kind, RefusalKind::Budget, "{}", refusal.line);
                return;
            }
            if number % 5 == 0 {
                world.lane.tick().await.unwrap();
            }
        }
    };
    tokio::join!(side(0), side(1), side(2), side(3));
}

async fn caller(world: &World) -> Caller {
    let authority = world.store.authority().await.unwrap();
    world.caller(&authority.connections[0].id)
}

/// Runs the child for a while, then kills it (SIGKILL). Whether it had ended by itself.
fn run_for(folder: &Path, round: u64, limit: Duration) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_until_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(limit);
    let ended = child.try_wait().unwrap().is_some();
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

/// What is booked for the grant, once nothing is on its way.
async fn booked(world: &World) -> u64 {
    world.leaves("outcome");
    world.lane.tick().await.unwrap();
    let booked = world.store.booked().await.unwrap();
    let grants = booked.spent.into_iter();
    let mut grants = grants.filter(|(purse, _)| matches!(purse, Purse::Grant(_)));
    let spent = grants.next().unwrap_or((grant(), Default::default())).1;
    spent.0.get(&Effect::Write).copied().unwrap_or_default()
}

fn grant() -> Purse {
    Purse::Grant(tagout_core::ids::GrantId::from_bits([0; 16]))
}

/// How many intents may have been sent.
fn may_have_been_sent(world: &World) -> u64 {
    let unsent = world.leaves("outcome").into_iter();
    let unsent = unsent.filter(|leaf| leaf["outcome"]["outcome"] == "not_sent");
    let unsent: HashSet<String> = unsent.map(|leaf| leaf["op"].to_string()).collect();
    let intents = world.leaves("intent").into_iter();
    let sent = intents.filter(|leaf| !unsent.contains(&leaf["op"].to_string()));
    sent.count() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_spent_survives_every_crash_and_is_counted_once() {
    let home = tempfile::tempdir().unwrap();
    let clock = world::HandClock::new();
    let world = World::open(home.path(), clock, Plan::default())
        .await
        .unwrap();
    let mut ann = world.furnish().await;
    // By itself the connection may not write there, so that nothing goes on past the grant's budget.
    let agent = world.connect(&mut ann, Rights::standing()).await;
    world.grant(&mut ann, &agent, everything(), budget()).await;
    world.close();
    let mut before = 0;
    let mut crashed_while_writing = 0;
    for round in 0..12 {
        let ended = run_for(
            home.path(),
            round,
            Duration::from_millis(180 + round * 23 % 110),
        );
        let clock = world::HandClock::new();
        let world = World::open(home.path(), clock, Plan::default())
            .await
            .unwrap();
        let booked = booked(&world).await;
        assert_eq!(booked, may_have_been_sent(&world), "round {round}");
        assert!(Upstream::count_in(home.path()) as u64 <= booked);
        assert!(booked <= BUDGET, "round {round}: {booked}");
        crashed_while_writing += usize::from(!ended && booked > before);
        before = booked;
        world.close();
    }
    assert!(crashed_while_writing > 1, "nothing was interrupted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_is_not_counted_after_a_restart() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    world.grant(&mut ann, &agent, everything(), budget()).await;
    world.passes(&agent, &write_in_staging("s1")).await;
    world.upstream.fail(Fault::NoConnection);
    world.refused(&agent, &write_in_staging("s2")).await;
    world.upstream.fail(Fault::LostAnswer);
    world.refused(&agent, &write_in_staging("s3")).await;
    // Without a tick the store has heard of none of them.
    let mut world = world;
    for _ in 0..3 {
        world = world.restart(Plan::default()).await;
        assert_eq!(booked(&world).await, 2, "the first and the lost one");
    }
}
