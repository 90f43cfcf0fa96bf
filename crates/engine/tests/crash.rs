//! The process ends at each named point of an operation's life: nothing happens without a record,
//! nothing twice, and what can't be known is unknown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod world;

use std::path::Path;
use std::process::Command;

use tagout_core::refusal::RefusalKind;
use tagout_core::store::{Authorities as _, Budgets as _, Holds as _};
use tagout_engine::{FaultPoint, Faults};
use world::{Plan, Player, Upstream, World, destroy_in_production, everything, write_in_staging};

const FOLDER: &str = "TAGOUT_TEST_FOLDER";
const POINT: &str = "TAGOUT_TEST_POINT";
const APPROVED: &str = "TAGOUT_TEST_APPROVED";

/// What the child process asks for: a write that needs nobody, or a deletion that was approved.
fn what(approved: bool) -> serde_json::Value {
    if approved {
        destroy_in_production("v1")
    } else {
        write_in_staging("s1")
    }
}

/// The part of the child process; does nothing where it is not one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_ended() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let point = FaultPoint::from_name(&std::env::var(POINT).unwrap()).unwrap();
    let approved = std::env::var(APPROVED).unwrap() == "true";
    let plan = Plan {
        faults: Faults::Abort(point),
        ..Plan::default()
    };
    let clock = world::HandClock::new();
    let calm = World::open(Path::new(&folder), clock, Plan::default());
    let world = calm.await.unwrap();
    let mut ann = world.furnish().await;
    let agent = world.connect(&mut ann, everything()).await;
    if approved {
        let hold = world.held(&agent, &what(approved)).await;
        ann.approve(&world, &hold).await;
    }
    let world = world.restart(plan).await;
    world.ask(&agent, &what(approved)).await;
    // What policy allows is answered before its outcome is durable.
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    panic!("the process was to end at {}", point.name());
}

/// Runs the child in `folder` until it ends at `point`.
fn crash(folder: &Path, point: FaultPoint, approved: bool) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_is_ended", "--nocapture"])
        .env(FOLDER, folder)
        .env(POINT, point.name())
        .env(APPROVED, approved.to_string())
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    use std::os::unix::process::ExitStatusExt as _;
    let said = String::from_utf8_lossy(&child.stderr);
    assert_eq!(child.status.signal(), Some(6), "{}: {said}", point.name());
}

/// After the crash: how often it was sent; what the restart records about it; how its hold stands; and
/// what an identical request is told, if it is not sent.
struct After {
    point: FaultPoint,
    approved: bool,
    sent: usize,
    outcome: Option<&'static str>,
    hold: &'static str,
    again: Option<RefusalKind>,
}

const fn after(
    point: FaultPoint,
    approved: bool,
    sent: usize,
    outcome: Option<&'static str>,
    hold: &'static str,
    again: Option<RefusalKind>,
) -> After {
    After {
        point,
        approved,
        sent,
        outcome,
        hold,
        again,
    }
}

const TABLE: [After; 10] = {
    use FaultPoint as P;
    use RefusalKind as R;
    [
        after(P::Decided, false, 0, None, "", None),
        after(P::Spent, false, 0, None, "", None),
        after(P::Intended, false, 0, Some("unknown"), "", Some(R::Done)),
        after(P::Answered, false, 1, Some("unknown"), "", Some(R::Done)),
        after(P::Settled, false, 1, Some("done"), "", Some(R::Done)),
        after(P::Decided, true, 0, None, "approved", None),
        after(P::Consumed, true, 0, None, "failed", Some(R::Held)),
        after(
            P::Intended,
            true,
            0,
            Some("unknown"),
            "unknown",
            Some(R::Done),
        ),
        after(
            P::Answered,
            true,
            1,
            Some("unknown"),
            "unknown",
            Some(R::Done),
        ),
        after(P::Settled, true, 1, Some("done"), "executed", Some(R::Done)),
    ]
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_point_leaves_nothing_unrecorded_and_nothing_twice() {
    for after in TABLE {
        let home = tempfile::tempdir().unwrap();
        crash(home.path(), after.point, after.approved);
        check(home.path(), &after).await;
    }
}

async fn check(folder: &Path, after: &After) {
    let case = format!("{} approved: {}", after.point.name(), after.approved);
    assert_eq!(Upstream::count_in(folder), after.sent, "{case}");
    let clock = world::HandClock::new();
    // Two starts: settling what is open must not depend on having been settled.
    let first = World::open(folder, clock, Plan::default()).await.unwrap();
    let world = first.restart(Plan::default()).await;
    let intents = world.leaves("intent").len();
    assert_eq!(intents, usize::from(after.outcome.is_some()), "{case}");
    let outcomes = world.leaves("outcome");
    let outcomes: Vec<_> = outcomes
        .iter()
        .map(|leaf| leaf["outcome"]["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, Vec::from_iter(after.outcome), "{case}");
    world.lane.tick().await.unwrap();
    let booked = world.store.booked().await.unwrap();
    let spent: Vec<u64> = booked
        .spent
        .values()
        .flat_map(|spent| spent.0.values().copied())
        .collect();
    assert_eq!(
        spent,
        vec![1; intents],
        "{case}: what may have been sent is spent, once"
    );
    let holds = world.store.list_holds(9).await.unwrap();
    let state = holds.first().map_or("", |hold| hold.state.word());
    assert_eq!(state, after.hold, "{case}");
    ask_again(&world, after, &case).await;
}

async fn ask_again(world: &World, after: &After, case: &str) {
    let mut ann = Player::with_key(1);
    ann.key.sign_count = 1000;
    ann.sign_in(world).await;
    let authority = world.store.authority().await.unwrap();
    let caller = world.caller(&authority.connections[0].id);
    match after.again {
        Some(kind) => {
            let refusal = world.refused(&caller, &what(after.approved)).await;
            assert_eq!(refusal.kind, kind, "{case}: {}", refusal.line);
            assert_eq!(Upstream::count_in(&world.folder), after.sent, "{case}");
        }
        None => {
            world.passes(&caller, &what(after.approved)).await;
            assert_eq!(Upstream::count_in(&world.folder), 1, "{case}");
        }
    }
}
