//! A process that appends is killed, again and again: whatever it was told is durable is there.
//!
//! The process is this test binary once more, running the test `appends_until_killed`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail that way, in its helping functions too"
)]

mod fixture;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fixture::{check, open, options};
use tagout_ledger::{Class, FaultPoint, Ledger};

const DIRECTORY: &str = "LEDGER_TEST_DIRECTORY";
const ROUND: &str = "LEDGER_TEST_ROUND";
const FAULT: &str = "LEDGER_TEST_FAULT";
const PRODUCERS: u64 = 4;

const POINTS: [FaultPoint; 5] = [
    FaultPoint::BeforeJournalWrite,
    FaultPoint::AfterJournalWriteBeforeSync,
    FaultPoint::AfterSyncBeforeAck,
    FaultPoint::BeforeCheckpoint,
    FaultPoint::AfterCheckpoint,
];

/// Not a test by itself: the process that gets killed. It prints each acknowledged entry.
#[test]
fn appends_until_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let mut options = options(Path::new(&directory));
    let armed = Arc::new(AtomicU64::new(0));
    if let Ok(point) = std::env::var(FAULT) {
        let (point, armed) = (POINTS[point.parse::<usize>().unwrap()], Arc::clone(&armed));
        options.fault_hook = Some(Arc::new(move |at| {
            // The tenth time after opening: in the midst of the work.
            let counts = at == point && armed.load(Ordering::SeqCst) > 0;
            if counts && armed.fetch_add(1, Ordering::SeqCst) == 10 {
                std::process::abort();
            }
            Ok(())
        }));
    }
    let (ledger, _) = Ledger::open(options).unwrap();
    armed.store(1, Ordering::SeqCst);
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let ledger = &ledger;
            scope.spawn(move || append_for_ever(ledger, round, producer));
        }
    });
}

fn append_for_ever(ledger: &Ledger, round: u64, producer: u64) {
    for number in 0u64.. {
        let name = format!("round-{round}-{producer}-{number}");
        let entry = format!(r#"{{"name":"{name}","filler":"{}"}}"#, "x".repeat(300));
        let Ok(appended) = ledger.append_blocking(Class::Effect, entry.into_bytes()) else {
            return;
        };
        println!("acknowledged {} {name}", appended.index);
    }
}

fn start(directory: &Path, round: u64, fault: Option<usize>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "appends_until_killed",
        "--exact",
        "--nocapture",
        "--test-threads=1",
    ]);
    command
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string());
    if let Some(fault) = fault {
        command.env(FAULT, fault.to_string());
    }
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads acknowledgements, kills the process after `limit` of them, and reads what it still said.
fn collect(mut child: Child, limit: usize, acknowledged: &mut BTreeMap<u64, String>) {
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut seen = 0;
    for line in output.lines() {
        let line = line.unwrap();
        // The harness prints the name of the test without a newline in front of the first line.
        let Some((_, said)) = line.split_once("acknowledged ") else {
            continue;
        };
        let Some((index, name)) = said.split_once(' ') else {
            continue;
        };
        let earlier = acknowledged.insert(index.parse().unwrap(), name.to_owned());
        assert_eq!(earlier, None, "index {index} was given twice");
        seen += 1;
        if seen == limit {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen > 0, "it never got to work");
}

fn assert_kept(directory: &Path, acknowledged: &BTreeMap<u64, String>) {
    let ledger = open(directory).expect("it opens after a crash");
    let mut missing = acknowledged.clone();
    for entry in ledger.entries(0..u64::MAX) {
        let (index, entry) = entry.unwrap();
        if let Some(name) = missing.remove(&index) {
            let entry = String::from_utf8(entry).unwrap();
            assert!(
                entry.starts_with(&format!(r#"{{"name":"{name}","#)),
                "{index} is {entry}"
            );
        }
    }
    assert_eq!(missing, BTreeMap::new(), "acknowledged entries were lost");
    drop(ledger);
    assert_eq!(check(directory).problems, []);
}

#[test]
fn no_acknowledged_entry_is_lost_when_the_process_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 0..32 {
        let limit = usize::try_from(1 + round * 37 % 150).unwrap();
        collect(
            start(directory.path(), round, None),
            limit,
            &mut acknowledged,
        );
        assert_kept(directory.path(), &acknowledged);
    }
    assert!(acknowledged.len() > 1000);
}

#[test]
fn no_acknowledged_entry_is_lost_when_it_dies_at_a_named_point() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for (round, fault) in (0..).zip((0..POINTS.len()).chain(0..POINTS.len())) {
        collect(
            start(directory.path(), round, Some(fault)),
            usize::MAX,
            &mut acknowledged,
        );
        assert_kept(directory.path(), &acknowledged);
    }
}
