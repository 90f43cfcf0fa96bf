//! `kill -9` in the middle of writing.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rusqlite::Connection;
use tagout_core::effect::Effect;
use tagout_core::hold::HoldEvent;
use tagout_core::store::{Booked, Budgets as _, Holds as _, Purse};

use crate::SqliteStore;
use crate::conformance::fixtures::{approved, connection_id, destroy, grant_id, hold_id, populate};

/// Tells the re-executed test where to write.
const DATABASE: &str = "TAGOUT_STORE_CRASH_DATABASE";

fn purses() -> [Purse; 2] {
    [
        Purse::Grant(grant_id(0)),
        Purse::Connection(connection_id(0)),
    ]
}

/// Writes until it is killed, and says what was acknowledged.
#[tokio::test]
#[ignore = "writes until it is killed; `what_was_acknowledged_survives_a_kill` runs it"]
async fn write_until_killed() {
    let path = std::env::var_os(DATABASE).expect("a database");
    let store = SqliteStore::open(Path::new(&path)).unwrap();
    populate(&store).await;
    for number in 1_u64.. {
        let more = Booked {
            spent: purses().map(|purse| (purse, destroy(1))).into(),
            below: number,
        };
        store.book(number - 1, more).await.unwrap();
        let hold = approved(&store, number).await;
        let step = store.step(&hold.id, hold.state, HoldEvent::Execute, None);
        step.await.unwrap();
        println!("\nacknowledged {number}");
    }
}

fn start(path: &Path) -> Child {
    let test = "sqlite::tests::crash::write_until_killed";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(DATABASE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the child (SIGKILL) once it has acknowledged so many; gives the last number it said.
fn kill_after(mut child: Child, enough: u64) -> u64 {
    let mut last = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(number) = line.unwrap().strip_prefix("acknowledged ") {
            last = number.parse().unwrap();
        }
        if last == enough {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    last
}

async fn spent(store: &SqliteStore) -> [u64; 2] {
    let booked = store.booked().await.unwrap();
    purses().map(|purse| {
        let spent = booked.spent[&purse].0.get(&Effect::Destroy);
        assert_eq!(spent, Some(&booked.below), "counted once each");
        booked.below
    })
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    for enough in [1, 7, 40] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let last = kill_after(start(&path), enough);
        assert!(last >= enough, "the child said only {last}");

        let store = SqliteStore::open(&path).unwrap();
        let [grant, connection] = spent(&store).await;
        assert_eq!(grant, connection, "booked on both or none");
        assert!(
            (last..=last + 1).contains(&grant),
            "{last} acknowledged, {grant} there"
        );
        for number in 1..=last {
            let state = store.hold(&hold_id(number)).await.unwrap().state;
            assert_eq!(state.word(), "executing", "hold {number}");
        }
        drop(store);
        let database = Connection::open(&path).unwrap();
        let check = database.query_row("PRAGMA integrity_check", [], |row| row.get(0));
        assert_eq!(check, Ok("ok".to_owned()));
        let foreign = database
            .prepare("PRAGMA foreign_key_check")
            .unwrap()
            .exists([]);
        assert_eq!(foreign, Ok(false));
    }
}
