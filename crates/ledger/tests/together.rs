//! What becomes durable together: an intent with its body, and what nobody waits for with the next entry.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail that way, in its helping functions too"
)]

mod fixture;

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fixture::{check, entry, open, options, wait};
use tagout_core::{
    digest::{BytesDigest, OperationDigest, PolicyDigest},
    ids::OperationId,
    permit::{Basis, Permit},
};
use tagout_ledger::{BodyHash, Class, FaultPoint, Ledger, MAX_JOURNAL_BODY_BYTES};
use tagout_seal::EngineSeal;

fn permit() -> Permit {
    Permit::mint(
        EngineSeal::new(),
        OperationId::from_bits([1; 16]),
        "railway".parse().unwrap(),
        OperationDigest::of(b"an operation"),
        BytesDigest::of(b"bytes"),
        Basis::Policy(PolicyDigest::of(b"a policy")),
    )
}

fn body(number: usize, bytes: usize) -> Vec<u8> {
    format!("{number}{}", "x".repeat(bytes)).into_bytes()
}

fn intent(body: &[u8]) -> Vec<u8> {
    format!(r#"{{"body":"{}","type":"intent"}}"#, BodyHash::of(body)).into_bytes()
}

/// A ledger that counts its syncs for appends.
fn counting(directory: &Path, linger: Duration) -> (Ledger, Arc<AtomicUsize>) {
    let syncs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&syncs);
    let mut options = options(directory);
    options.linger = linger;
    options.fault_hook = Some(Arc::new(move |point| {
        let synced = point == FaultPoint::AfterSyncBeforeAck;
        counted.fetch_add(usize::from(synced), Ordering::SeqCst);
        Ok(())
    }));
    (Ledger::open(options).unwrap().0, syncs)
}

#[test]
fn an_intent_and_its_body_take_one_sync() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, syncs) = counting(directory.path(), Duration::from_secs(60));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let bytes = [0, 1000, MAX_JOURNAL_BODY_BYTES - 1, MAX_JOURNAL_BODY_BYTES];
    runtime.unwrap().block_on(async {
        for (number, bytes) in bytes.into_iter().enumerate() {
            let body = body(number, bytes);
            let recorded = ledger.record_intent(permit(), intent(&body), Some(body));
            assert_eq!(recorded.await.unwrap().leaf(), number as u64);
            assert_eq!(syncs.load(Ordering::SeqCst), number + 1);
        }
    });
    drop(ledger);
    for (number, bytes) in bytes.into_iter().enumerate() {
        let body = body(number, bytes);
        let ledger = open(directory.path()).unwrap();
        let stored = ledger.bodies().get(&BodyHash::of(&body)).unwrap();
        assert_eq!(stored, Some(body), "{bytes}");
    }
    let report = check(directory.path());
    assert_eq!((report.problems, report.warnings), (vec![], vec![]));
}

/// As after a power failure that took every file but the journal's.
#[test]
fn bodies_come_back_from_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    let bodies: Vec<_> = (0..20).map(|number| body(number, 700)).collect();
    for body in &bodies {
        wait(ledger.record_intent(permit(), intent(body), Some(body.clone()))).unwrap();
    }
    drop(ledger);
    fs::remove_dir_all(directory.path().join("bodies")).unwrap();
    let ledger = open(directory.path()).unwrap();
    for body in bodies {
        let stored = ledger.bodies().get(&BodyHash::of(&body)).unwrap();
        assert_eq!(stored, Some(body));
    }
}

/// Segments go only when their bodies are durable, and what is read is the same across segments.
#[test]
fn bodies_outlive_their_segments() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    let bodies: Vec<_> = (0..60).map(|number| body(number, 9_000)).collect();
    for body in &bodies {
        wait(ledger.record_intent(permit(), intent(body), Some(body.clone()))).unwrap();
    }
    let size = bodies.len() as u64;
    ledger
        .wait_published(size, Duration::from_secs(20))
        .unwrap();
    let indices: Vec<_> = ledger
        .entries(0..size)
        .map(|entry| entry.unwrap().0)
        .collect();
    assert_eq!(indices, Vec::from_iter(0..size));
    drop(ledger);
    let segments = fs::read_dir(directory.path().join("journal"))
        .unwrap()
        .count();
    assert!(
        segments < 5,
        "{segments} segments of 128 KiB are still there"
    );
    let report = check(directory.path());
    assert_eq!((report.problems, report.warnings), (vec![], vec![]));
}

#[test]
fn what_nobody_waits_for_goes_with_the_next_entry() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, syncs) = counting(directory.path(), Duration::from_secs(60));
    for number in 0..10 {
        let soon = ledger.append_soon(Class::Refusal, entry(2 * number));
        let now = ledger.append(Class::Effect, entry(2 * number + 1));
        assert_eq!(wait(now).unwrap().index, 2 * number + 1);
        assert_eq!(wait(soon).unwrap().index, 2 * number);
    }
    assert_eq!(syncs.load(Ordering::SeqCst), 10);
    let last = ledger.append_soon(Class::Refusal, entry(20));
    drop(ledger);
    assert_eq!(wait(last).unwrap().index, 20, "closing waits for it");
    assert_eq!(check(directory.path()).problems, []);
}

#[test]
fn what_nobody_waits_for_lingers_only_so_long() {
    let directory = tempfile::tempdir().unwrap();
    let linger = Duration::from_millis(30);
    let (ledger, syncs) = counting(directory.path(), linger);
    let began = Instant::now();
    let both: Vec<_> = (0..2)
        .map(|number| ledger.append_soon(Class::Refusal, entry(number)))
        .collect();
    for (number, append) in (0..).zip(both) {
        assert_eq!(wait(append).unwrap().index, number);
    }
    assert!(began.elapsed() >= linger);
    assert_eq!(syncs.load(Ordering::SeqCst), 1);
}

#[test]
fn a_body_that_was_edited_in_the_journal_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    let body = body(0, 500);
    wait(ledger.record_intent(permit(), intent(&body), Some(body.clone()))).unwrap();
    drop(ledger);
    let segment = directory.path().join("journal/0000000000.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(9).position(|window| window == b"xxxxxxxxx");
    bytes[at.unwrap()] = b'y';
    fs::write(&segment, bytes).unwrap();
    assert!(open(directory.path()).is_err());
}
