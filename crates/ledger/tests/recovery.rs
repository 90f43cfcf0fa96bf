//! Opening: what is there is kept, what was not acknowledged is cut, what contradicts is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

mod fixture;

use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use fixture::{append, check, copy, entry, make_log, open, options, verifier, wait};
use tagout_ledger::{
    Appended, Class, FaultPoint, Ledger, LedgerError, StoredLog, check_proof, export,
    proofs::verify_consistency,
};

const LIMIT: Duration = Duration::from_secs(20);

fn all_entries(ledger: &Ledger) -> Vec<Vec<u8>> {
    ledger
        .entries(0..u64::MAX)
        .map(|entry| entry.unwrap().1)
        .collect()
}

#[test]
fn entries_survive_reopening_across_segments() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..6 {
        let ledger = open(directory.path()).unwrap();
        assert_eq!(ledger.status().durable_size, round * 900);
        append(&ledger, round * 900..(round + 1) * 900);
        let expected: Vec<_> = (0..(round + 1) * 900).map(entry).collect();
        assert_eq!(all_entries(&ledger), expected);
    }
    let segments = fs::read_dir(directory.path().join("journal"))
        .unwrap()
        .count();
    assert!(segments <= 4, "{segments} segments were kept");
    assert_eq!(check(directory.path()).problems, []);
}

#[test]
fn the_index_is_the_place_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    for number in 0..5 {
        let appended = ledger
            .append_blocking(Class::Refusal, entry(number))
            .unwrap();
        assert_eq!(
            appended,
            Appended {
                index: number,
                tree_size: number + 1
            }
        );
    }
    let (proof, checkpoint) = {
        ledger.wait_published(5, LIMIT).unwrap();
        ledger.prove_inclusion(3).unwrap()
    };
    let file = tagout_ledger::write_proof(3, &proof, &checkpoint);
    assert_eq!(check_proof(&file, &entry(3), &verifier()).unwrap().0, 3);
}

#[test]
fn later_checkpoints_are_consistent_with_earlier_ones() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    let mut earlier = vec![ledger.checkpoint()];
    for number in 0..40 {
        append(&ledger, number * 13..(number + 1) * 13);
        earlier.push(ledger.wait_published((number + 1) * 13, LIMIT).unwrap());
    }
    for old in &earlier {
        let (proof, new) = ledger.prove_consistency(old.size()).unwrap();
        verify_consistency(old.size(), old.root(), new.size(), new.root(), &proof).unwrap();
    }
}

#[test]
fn a_second_opener_is_turned_away() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).unwrap();
    let second = open(directory.path()).unwrap_err();
    assert!(matches!(second, LedgerError::Locked(_)), "{second}");
    drop(first);
    assert!(open(directory.path()).is_ok());
}

#[test]
fn a_journal_cut_at_any_length_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 5);
    let path = directory.path().join("journal/0000000000.seg");
    let whole = fs::read(&path).unwrap();
    let lengths = (0..1500).chain((1500..whole.len()).step_by(4099));
    for length in lengths {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(open(directory.path()).is_err(), "opens with {length} bytes");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(open(directory.path()).unwrap().status().durable_size, 5);
}

/// A log of which only the first `published` entries have a checkpoint, as after a crash.
fn unpublished_tail(directory: &Path, published: u64, total: u64) {
    make_log(directory, published);
    let kept = tempfile::tempdir().unwrap();
    copy(directory, kept.path());
    let ledger = open(directory).unwrap();
    for number in published..total {
        ledger
            .append_blocking(Class::Effect, entry(number))
            .unwrap();
    }
    drop(ledger);
    fs::remove_dir_all(directory.join("tile")).unwrap();
    copy(&kept.path().join("tile"), &directory.join("tile"));
    fs::copy(kept.path().join("checkpoint"), directory.join("checkpoint")).unwrap();
}

#[test]
fn a_tail_zeroed_at_any_place_recovers_whole_groups_or_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    unpublished_tail(directory.path(), 1, 4);
    let path = directory.path().join("journal/0000000000.seg");
    let whole = fs::read(&path).unwrap();
    let end = whole.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let (mut refused, mut sizes) = (0, std::collections::BTreeSet::new());
    let fresh = || {
        let copied = tempfile::tempdir().unwrap();
        copy(directory.path(), copied.path());
        copied
    };
    let mut copied = fresh();
    for cut in 32..=end {
        let checkpoint = fs::read(directory.path().join("checkpoint")).unwrap();
        fs::write(copied.path().join("checkpoint"), checkpoint).unwrap();
        let mut torn = whole.clone();
        torn[cut..].fill(0);
        fs::write(copied.path().join("journal/0000000000.seg"), torn).unwrap();
        match open(copied.path()) {
            Err(LedgerError::Truncated { promised: 1, .. }) => refused += 1,
            Err(error) => panic!("{cut}: {error}"),
            Ok(ledger) => {
                let entries = all_entries(&ledger);
                let expected: Vec<_> = (0..entries.len() as u64).map(entry).collect();
                assert_eq!(entries, expected, "{cut}");
                // Going on takes time, so it is tried once for each size and then now and again.
                if sizes.insert(entries.len()) || cut % 16 == 0 {
                    append(&ledger, 100..101);
                    drop(ledger);
                    assert_eq!(check(copied.path()).problems, [], "{cut}");
                    copied = fresh();
                }
            }
        }
    }
    assert!(refused > 100);
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn damage_in_the_middle_of_the_unpublished_tail_is_no_tear() {
    let directory = tempfile::tempdir().unwrap();
    unpublished_tail(directory.path(), 3, 6);
    let path = directory.path().join("journal/0000000000.seg");
    let mut journal = fs::read(&path).unwrap();
    let needle = br#""number":4"#;
    let at = journal
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap();
    journal[at] ^= 1;
    fs::write(&path, &journal).unwrap();
    let error = open(directory.path()).unwrap_err();
    assert!(
        matches!(error, LedgerError::JournalDamaged { segment: 0, .. }),
        "{error}"
    );
    assert_eq!(
        fs::read(&path).unwrap(),
        journal,
        "a refused journal is left as it was"
    );
}

#[test]
fn lost_tiles_are_made_again_from_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 700);
    fs::remove_dir_all(directory.path().join("tile")).unwrap();
    fs::create_dir_all(directory.path().join("tile/0")).unwrap();
    fs::write(directory.path().join("tile/0/000"), b"half a til").unwrap();
    drop(open(directory.path()).unwrap());
    assert_eq!(check(directory.path()).problems, []);
}

#[test]
fn a_checkpoint_that_is_gone_or_of_another_log_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 5);
    let path = directory.path().join("checkpoint");
    let checkpoint = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(
        open(directory.path()).unwrap_err(),
        LedgerError::CheckpointMissing { size: 5 }
    );

    let other = tempfile::tempdir().unwrap();
    append(&open(other.path()).unwrap(), 1..6);
    fs::copy(other.path().join("checkpoint"), &path).unwrap();
    assert_eq!(
        open(directory.path()).unwrap_err(),
        LedgerError::Contradiction { size: 5 }
    );

    fs::write(&path, checkpoint).unwrap();
    fs::remove_dir_all(directory.path().join("journal")).unwrap();
    let truncated = LedgerError::Truncated {
        promised: 5,
        held: 0,
    };
    assert_eq!(open(directory.path()).unwrap_err(), truncated);
}

#[test]
fn an_old_copy_of_the_directory_is_refused_by_a_checkpoint_kept_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 5);
    let old = tempfile::tempdir().unwrap();
    copy(directory.path(), old.path());
    append(&open(directory.path()).unwrap(), 5..9);
    let newest = StoredLog::open(directory.path(), &verifier())
        .unwrap()
        .checkpoint()
        .clone();
    for (directory, expected) in [
        (directory.path(), None),
        (
            old.path(),
            Some(LedgerError::Truncated {
                promised: 9,
                held: 5,
            }),
        ),
    ] {
        let mut options = options(directory);
        options.must_extend = Some(newest.clone());
        assert_eq!(Ledger::open(options).err(), expected);
    }
}

#[test]
fn must_extend_reaches_back_beyond_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 300);
    let early = StoredLog::open(directory.path(), &verifier())
        .unwrap()
        .checkpoint()
        .clone();
    for round in 0..4 {
        append(
            &open(directory.path()).unwrap(),
            300 + round * 2000..300 + (round + 1) * 2000,
        );
    }
    assert!(!directory.path().join("journal/0000000000.seg").exists());
    let mut options = options(directory.path());
    options.must_extend = Some(early);
    assert_eq!(Ledger::open(options).unwrap().0.status().durable_size, 8300);
}

#[test]
fn a_failed_sync_ends_the_writer_for_good() {
    for (point, kept) in [
        (FaultPoint::BeforeJournalWrite, 1),
        (FaultPoint::AfterJournalWriteBeforeSync, 2),
        (FaultPoint::AfterSyncBeforeAck, 2),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let failing = Arc::new(AtomicBool::new(false));
        let armed = Arc::clone(&failing);
        let mut options = options(directory.path());
        options.fault_hook = Some(Arc::new(move |at| {
            let fail = at == point && armed.swap(false, Ordering::SeqCst);
            if fail {
                Err(io::Error::other("input/output error"))
            } else {
                Ok(())
            }
        }));
        let (ledger, _) = Ledger::open(options).unwrap();
        ledger.append_blocking(Class::Effect, entry(0)).unwrap();
        failing.store(true, Ordering::SeqCst);
        for number in [1, 2, 3] {
            let refused = ledger
                .append_blocking(Class::Refusal, entry(number))
                .unwrap_err();
            assert!(matches!(refused, LedgerError::WriterDead(_)), "{refused}");
        }
        drop(ledger);
        let ledger = open(directory.path()).unwrap();
        assert_eq!(ledger.status().durable_size, kept, "{point:?}");
        ledger.append_blocking(Class::Effect, entry(9)).unwrap();
        drop(ledger);
        assert_eq!(check(directory.path()).problems, []);
    }
}

#[test]
fn a_publication_that_fails_is_made_up_for() {
    for point in [FaultPoint::BeforeCheckpoint, FaultPoint::AfterCheckpoint] {
        let directory = tempfile::tempdir().unwrap();
        let failures = Arc::new(AtomicU64::new(u64::MAX));
        let left = Arc::clone(&failures);
        let mut options = options(directory.path());
        options.fault_hook = Some(Arc::new(move |at| {
            let mut fail = false;
            if at == point {
                fail = left.load(Ordering::SeqCst) < 3;
                left.fetch_add(u64::from(fail), Ordering::SeqCst);
            }
            if fail {
                Err(io::Error::other("no space left"))
            } else {
                Ok(())
            }
        }));
        let (ledger, _) = Ledger::open(options).unwrap();
        failures.store(1, Ordering::SeqCst);
        append(&ledger, 0..10);
        assert_eq!(
            all_entries(&ledger).len(),
            10,
            "unpublished entries come from the journal"
        );
        ledger.wait_published(10, LIMIT).unwrap();
        drop(ledger);
        assert_eq!(check(directory.path()).problems, []);
    }
}

#[test]
fn on_a_full_disk_effects_stop_and_refusals_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let probe = Arc::clone(&free);
    let mut options = options(directory.path());
    options.disk_reserve_bytes = 1 << 20;
    options.disk_probe = Arc::new(move |_| Ok(probe.load(Ordering::SeqCst)));
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    append(&ledger, 0..3);

    free.store((1 << 20) - 1, Ordering::SeqCst);
    let refused = ledger.append_blocking(Class::Effect, entry(3)).unwrap_err();
    assert!(matches!(refused, LedgerError::LedgerFull(_)), "{refused}");
    assert!(ledger.status().disk_is_low);
    for number in 0..50 {
        ledger
            .append_blocking(Class::Refusal, entry(number))
            .unwrap();
    }
    drop(ledger);
    let (ledger, _) = Ledger::open(options).unwrap();
    ledger.append_blocking(Class::Refusal, entry(50)).unwrap();
    assert!(ledger.append_blocking(Class::Effect, entry(3)).is_err());

    free.store(u64::MAX, Ordering::SeqCst);
    ledger.append_blocking(Class::Effect, entry(3)).unwrap();
}

#[test]
fn the_reserve_is_for_refusals_alone_until_it_is_used_up() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(directory.path());
    // Enough for the reserve, never enough for another segment.
    options.disk_probe = Arc::new(|_| Ok(1000));
    options.disk_reserve_bytes = 1000;
    let (ledger, _) = Ledger::open(options).unwrap();
    let large = || vec![b'x'; 8 * 1024];
    let fill = |class| {
        let mut count = 0;
        loop {
            match ledger.append_blocking(class, large()) {
                Ok(_) => count += 1,
                Err(error) => break (count, error),
            }
        }
    };
    let (effects, error) = fill(Class::Effect);
    assert!(matches!(error, LedgerError::LedgerFull(_)), "{error}");
    assert!(
        (12..=13).contains(&effects),
        "{effects} effects in 128 KiB less 16 KiB"
    );
    let (refusals, error) = fill(Class::Refusal);
    assert!(matches!(error, LedgerError::LedgerFull(_)), "{error}");
    assert!(
        (1..=2).contains(&refusals),
        "{refusals} refusals in the reserve"
    );
    ledger
        .append_blocking(Class::Refusal, b"freeze".to_vec())
        .unwrap();
    drop(ledger);
    assert_eq!(check(directory.path()).problems, []);
}

#[test]
fn a_full_queue_refuses_at_once_and_keeps_places_for_refusals() {
    let directory = tempfile::tempdir().unwrap();
    let gate = Arc::new((std::sync::Mutex::new(false), std::sync::Condvar::new()));
    let hook = Arc::clone(&gate);
    let mut options = options(directory.path());
    options.queue_entries = 8;
    options.fault_hook = Some(Arc::new(move |at| {
        if at == FaultPoint::BeforeJournalWrite {
            let open = hook.0.lock().unwrap();
            drop(hook.1.wait_while(open, |open| !*open).unwrap());
        }
        Ok(())
    }));
    let (ledger, _) = Ledger::open(options).unwrap();
    let mut waiting = Vec::new();
    let refused = loop {
        let mut append = ledger.append(Class::Effect, entry(0));
        match futures_now(&mut append) {
            Some(answer) => break answer.unwrap_err(),
            None => waiting.push(append),
        }
        assert!(waiting.len() <= 100, "the queue has no end");
    };
    assert_eq!(refused, LedgerError::QueueFull);
    let mut refusal = ledger.append(Class::Refusal, entry(1));
    assert!(
        futures_now(&mut refusal).is_none(),
        "a refusal finds a place"
    );
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    wait(refusal).unwrap();
    assert!(waiting.into_iter().all(|append| wait(append).is_ok()));
}

/// What a future answers at once, if it does.
fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn an_entry_has_at_most_65535_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    for (bytes, fits) in [(0, true), (1, true), (65_535, true), (65_536, false)] {
        let result = ledger.append_blocking(Class::Effect, vec![b'y'; bytes]);
        assert_eq!(result.is_ok(), fits, "{bytes}");
    }
    drop(ledger);
    assert_eq!(check(directory.path()).problems, []);
}

#[test]
fn sixty_four_producers_get_places_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    let mut indices: Vec<u64> = std::thread::scope(|scope| {
        let produce = |producer: u64| {
            let ledger = &ledger;
            scope.spawn(move || -> Vec<u64> {
                let number = |turn| producer * 1000 + turn;
                let append = |turn| ledger.append_blocking(Class::Effect, entry(number(turn)));
                (0..50).map(|turn| append(turn).unwrap().index).collect()
            })
        };
        let producers: Vec<_> = (0..64).map(produce).collect();
        producers
            .into_iter()
            .flat_map(|producer| producer.join().unwrap())
            .collect()
    });
    indices.sort_unstable();
    assert_eq!(indices, (0..3200).collect::<Vec<_>>());
    drop(ledger);
    let report = check(directory.path());
    assert_eq!((report.problems, report.entries), (vec![], 3200));
}

#[test]
fn an_export_is_one_json_object_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    ledger.append_blocking(Class::Effect, entry(0)).unwrap();
    ledger
        .append_blocking(Class::Effect, vec![0xff, 0])
        .unwrap();
    let mut output = Vec::new();
    assert_eq!(export(ledger.entries(0..9), &mut output).unwrap(), 2);
    let lines: Vec<serde_json::Value> = String::from_utf8(output)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["entry"]["number"], 0);
    assert_eq!(
        (&lines[1]["index"], &lines[1]["entry_base64"]),
        (&1.into(), &"/wA=".into())
    );
}

#[test]
fn a_log_that_grows_can_be_verified_and_read_all_the_while() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    let growing = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..60 {
                append(&ledger, round * 100..(round + 1) * 100);
            }
            growing.store(false, Ordering::SeqCst);
        });
        while growing.load(Ordering::SeqCst) {
            assert_eq!(check(directory.path()).problems, []);
            let log = StoredLog::open(directory.path(), &verifier()).unwrap();
            let size = log.checkpoint().size();
            assert_eq!(
                log.entries(0..u64::MAX).filter(Result::is_ok).count() as u64,
                size
            );
            if size > 0 {
                let (entry, proof) = log.prove(size - 1).unwrap();
                check_proof(&proof, &entry, &verifier()).unwrap();
            }
            let start = ledger.status().durable_size.saturating_sub(50);
            assert!(ledger.entries(start..u64::MAX).all(|entry| entry.is_ok()));
        }
    });
}
