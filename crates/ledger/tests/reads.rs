//! Reads in groups, and what their leaves do and don't give away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

mod fixture;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fixture::{check, options};
use tagout_ledger::{
    BodyHash, ClockMs, ClosedGroup, Ledger, LedgerError, MAX_GROUP_RECORDS, ReadGroup, ReadGrouper,
    ReadQueue, Salt, split_body, verify::Problem,
};

fn salt() -> Result<Salt, Infallible> {
    Ok(Salt::from_bytes([3; 32]))
}

fn add(grouper: &mut ReadGrouper, grant: &str, second: u64, record: &[u8]) -> Option<ClosedGroup> {
    grouper.add(grant, second, record.to_vec(), salt).unwrap()
}

#[test]
fn a_group_closes_when_the_second_changes() {
    let mut grouper = ReadGrouper::default();
    assert_eq!(add(&mut grouper, "g1", 10, b"a"), None);
    assert_eq!(add(&mut grouper, "g1", 10, b"b"), None);
    assert_eq!(add(&mut grouper, "g2", 10, b"c"), None);
    let closed = add(&mut grouper, "g1", 11, b"d").unwrap();
    assert_eq!(
        (
            closed.leaf.grant.as_str(),
            closed.leaf.second,
            closed.leaf.count
        ),
        ("g1", 10, 2)
    );
    assert!(closed.leaf.matches(&closed.body));
    assert_eq!(split_body(&closed.body).unwrap().1, [b"a", b"b"]);
    assert_eq!(ReadGroup::parse(&closed.leaf.to_entry()), Some(closed.leaf));

    assert_eq!(grouper.close_before(10, salt).unwrap(), []);
    let rest = grouper.close_before(12, salt).unwrap();
    let counts: Vec<_> = rest
        .iter()
        .map(|group| (&*group.leaf.grant, group.leaf.count))
        .collect();
    assert_eq!(counts, [("g1", 1), ("g2", 1)]);
    assert!(grouper.is_empty());
}

#[test]
fn a_busy_second_gives_several_groups() {
    let mut grouper = ReadGrouper::default();
    let closed: Vec<_> = (0..=MAX_GROUP_RECORDS)
        .filter_map(|number| add(&mut grouper, "g", 1, &number.to_be_bytes()))
        .collect();
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].leaf.count, MAX_GROUP_RECORDS as u64);
    let mut grouper = ReadGrouper::default();
    assert_eq!(add(&mut grouper, "g", 1, &vec![0; 900_000]), None);
    assert!(add(&mut grouper, "g", 1, &vec![0; 900_000]).is_some());
}

#[test]
fn another_body_does_not_match() {
    let mut grouper = ReadGrouper::default();
    add(&mut grouper, "g", 1, b"a");
    let group = grouper.close_before(2, salt).unwrap().remove(0);
    for at in 0..group.body.len() {
        let mut body = group.body.clone();
        body[at] ^= 1;
        let mut leaf = group.leaf.clone();
        assert!(!leaf.matches(&body));
        leaf.body = BodyHash::of(&body).to_string();
        assert!(
            !leaf.matches(&body),
            "the root binds the records too, byte {at}"
        );
    }
}

#[test]
fn commitments_open_with_their_salt_and_value_only() {
    let (salt, other) = (Salt::random().unwrap(), Salt::random().unwrap());
    let commitment = salt.commit(b"4111 1111 1111 1111");
    assert!(salt.opens(&commitment, b"4111 1111 1111 1111"));
    assert!(!salt.opens(&commitment, b"4111 1111 1111 1112"));
    assert!(!other.opens(&commitment, b"4111 1111 1111 1111"));
    assert!(!format!("{salt:?}").contains(&salt.as_bytes()[0].to_string()));
    // RFC 4231 has no case with a 32-byte key; this one was computed with Python's `hmac`.
    let known = Salt::from_bytes([0x0b; 32]).commit(b"Hi There");
    let text: String = known.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(text, HMAC_OF_HI_THERE);
}

const HMAC_OF_HI_THERE: &str = "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7";

fn clock() -> (Arc<AtomicU64>, ClockMs) {
    let now = Arc::new(AtomicU64::new(5_000));
    let read = Arc::clone(&now);
    (now, Arc::new(move || read.load(Ordering::SeqCst)))
}

/// Waits for a condition that another thread brings about.
fn eventually(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "it never happened");
        std::thread::yield_now();
    }
}

#[test]
fn queued_reads_reach_the_ledger_when_the_second_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(options(directory.path())).unwrap();
    let (now, clock) = clock();
    let reads = ReadQueue::start(ledger.clone(), clock, 1000).unwrap();
    for number in 0..700u32 {
        reads
            .record("grant_1", number.to_be_bytes().to_vec())
            .unwrap();
    }
    assert_eq!(ledger.status().durable_size, 0);
    now.store(6_001, Ordering::SeqCst);
    eventually(|| ledger.status().durable_size > 0);
    reads.record("grant_1", b"last".to_vec()).unwrap();
    drop(reads);
    let mut counts = std::collections::BTreeMap::new();
    for entry in ledger.entries(0..9) {
        let group = ReadGroup::parse(&entry.unwrap().1).unwrap();
        *counts.entry(group.second).or_insert(0) += group.count;
    }
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(5, 700), (6, 1)]);
    drop(ledger);
    assert_eq!(check(directory.path()).problems, []);
}

#[test]
fn reads_are_refused_while_they_cannot_be_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let probe = Arc::clone(&free);
    let mut options = options(directory.path());
    options.disk_reserve_bytes = 1 << 20;
    options.disk_probe = Arc::new(move |_| Ok(probe.load(Ordering::SeqCst)));
    let (ledger, _) = Ledger::open(options).unwrap();
    let (now, clock) = clock();
    let reads = ReadQueue::start(ledger.clone(), clock, 10).unwrap();
    free.store(0, Ordering::SeqCst);
    reads.record("g", b"a".to_vec()).unwrap();
    now.store(7_000, Ordering::SeqCst);
    eventually(|| {
        matches!(
            reads.record("g", b"b".to_vec()),
            Err(LedgerError::ReadsRefused(_))
        )
    });
    free.store(u64::MAX, Ordering::SeqCst);
    eventually(|| reads.record("g", b"c".to_vec()).is_ok());
    assert!(
        ledger.status().durable_size >= 1,
        "the group that waited was recorded first"
    );
}

#[test]
fn an_edited_group_body_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(options(directory.path())).unwrap();
    let mut grouper = ReadGrouper::default();
    add(&mut grouper, "g", 1, b"a");
    let mut group = grouper.close_before(2, salt).unwrap().remove(0);
    group.leaf.count = 2;
    ledger.bodies().put(&group.body).unwrap();
    ledger
        .append_blocking(tagout_ledger::Class::Effect, group.leaf.to_entry())
        .unwrap();
    drop(ledger);
    assert_eq!(check(directory.path()).problems, [Problem::GroupDiffers(0)]);
}
