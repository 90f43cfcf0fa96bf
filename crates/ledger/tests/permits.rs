//! A permit is recorded only when its intent is durable.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

mod fixture;

use std::sync::Arc;

use fixture::{entry, open, options, wait};
use tagout_core::{
    digest::{BytesDigest, OperationDigest, PolicyDigest},
    ids::{OperationId, UpstreamName},
    permit::{Basis, Permit},
};
use tagout_ledger::{Ledger, LedgerError, ReadQueue};
use tagout_seal::EngineSeal;

fn permit() -> Permit {
    let upstream = UpstreamName::try_from("railway".to_owned()).unwrap();
    let operation = OperationDigest::of(b"an operation");
    let basis = Basis::Policy(PolicyDigest::of(b"a policy"));
    let id = OperationId::from_bits([1; 16]);
    Permit::mint(
        EngineSeal::new(),
        id,
        upstream,
        operation,
        BytesDigest::of(b"bytes"),
        basis,
    )
}

#[test]
fn a_recorded_permit_names_its_durable_leaf() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    wait(ledger.record_intent(permit(), entry(0), None)).unwrap();
    let recorded = wait(ledger.record_intent(permit(), entry(1), None)).unwrap();
    assert_eq!(recorded.leaf(), 1);
    assert_eq!(recorded.permit().operation_id(), permit().operation_id());
    assert_eq!(ledger.entries(1..2).next(), Some(Ok((1, entry(1)))));
}

#[test]
fn a_full_ledger_records_no_permit() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(directory.path());
    options.disk_reserve_bytes = 1;
    options.disk_probe = Arc::new(|_| Ok(0));
    let (ledger, _) = Ledger::open(options).unwrap();
    let refused = wait(ledger.record_intent(permit(), entry(0), None)).unwrap_err();
    assert!(matches!(refused, LedgerError::LedgerFull(_)), "{refused}");
}

#[test]
fn a_read_is_cleared_when_its_record_is_queued() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    let reads = ReadQueue::start(ledger.clone(), Arc::new(|| 5_000), 10).unwrap();
    assert!(reads.admit(permit(), "grant_1", entry(0)).is_ok());
    drop(reads);
    assert_eq!(ledger.status().durable_size, 1);
}
