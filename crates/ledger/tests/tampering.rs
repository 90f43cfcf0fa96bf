//! Whatever is changed on the disk, the verifier says so, and says where.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

mod fixture;

use std::{fs, path::Path};

use fixture::{append, check, copy, files, make_log, open, signer, verifier};
use tagout_ledger::{
    BodyHash, Class, SignedCheckpoint, StoredLog, check_proof,
    verify::{Problem, VerifyRequest, Warning, verify},
};

#[test]
fn an_untouched_log_is_sound() {
    for entries in [0, 1, 2, 255, 256, 257, 700] {
        let directory = tempfile::tempdir().unwrap();
        make_log(directory.path(), entries);
        let report = check(directory.path());
        assert_eq!(report.problems, [], "{entries}");
        assert_eq!(report.entries, entries);
        assert_eq!(report.checkpoint.unwrap().size(), entries);
    }
}

#[test]
fn every_flipped_byte_of_checkpoint_tiles_and_entries_is_found() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 9);
    // Without the journal, which would give away each change of an entry a second time.
    fs::remove_dir_all(directory.path().join("journal")).unwrap();
    let mut flips = 0;
    for file in files(directory.path()) {
        if file == Path::new("lock") {
            continue;
        }
        let path = directory.path().join(&file);
        let original = fs::read(&path).unwrap();
        let in_text = file == Path::new("checkpoint");
        let flips_tried: &[u8] = if in_text {
            &[0x01, 0x04, 0x20, 0x80]
        } else {
            &[0x01]
        };
        for at in 0..original.len() {
            for flip in flips_tried {
                let mut changed = original.clone();
                changed[at] ^= flip;
                fs::write(&path, &changed).unwrap();
                assert!(
                    !check(directory.path()).is_sound(),
                    "{} byte {at}",
                    file.display()
                );
                flips += 1;
            }
        }
        fs::write(&path, &original).unwrap();
    }
    assert!(flips > 1000, "only {flips} flips");
    assert!(check(directory.path()).is_sound());
}

#[test]
fn every_flipped_byte_of_the_written_journal_is_found() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 6);
    let path = directory.path().join("journal/0000000000.seg");
    let original = fs::read(&path).unwrap();
    let written = original.iter().rposition(|&byte| byte != 0).unwrap();
    for at in 0..=written {
        let mut changed = original.clone();
        changed[at] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        assert!(!check(directory.path()).is_sound(), "byte {at}");
        assert!(open(directory.path()).is_err(), "byte {at} opens");
    }
}

/// Changes the first bundle and gives the problems without those of the journal.
fn problems_after(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<Problem> {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 300);
    fs::remove_dir_all(directory.path().join("journal")).unwrap();
    let path = directory.path().join("tile/entries/000");
    let bundle = fs::read(&path).unwrap();
    let mut entries = tagout_ledger::tiles::split_bundle(&bundle).unwrap();
    change(&mut entries);
    let encode = |entry: &Vec<u8>| {
        let length = u16::try_from(entry.len()).unwrap().to_be_bytes();
        [length.as_slice(), entry].concat()
    };
    fs::write(&path, entries.iter().flat_map(encode).collect::<Vec<u8>>()).unwrap();
    check(directory.path()).problems
}

#[test]
fn an_edited_entry_is_named() {
    let problems = problems_after(|entries| entries[17] = b"{\"kind\":\"forged\"}".to_vec());
    assert_eq!(problems, [Problem::EntryEdited(17)]);
}

#[test]
fn reordered_entries_are_named() {
    let problems = problems_after(|entries| entries.swap(3, 200));
    let moved = |recorded, lies_at| Problem::EntryMoved { recorded, lies_at };
    assert_eq!(problems, [moved(200, 3), moved(3, 200)]);
}

#[test]
fn a_removed_entry_is_a_truncation() {
    let problems = problems_after(|entries| drop(entries.remove(5)));
    assert!(
        matches!(
            problems[..],
            [Problem::Truncated {
                promised: 300,
                held: 0,
                ..
            }]
        ),
        "{problems:?}"
    );
}

#[test]
fn an_edited_tile_is_named_and_the_entries_are_not_blamed() {
    for (tile, position) in [
        ("tile/0/000", 31),
        ("tile/0/001.p/44", 2),
        ("tile/1/000.p/1", 0),
    ] {
        let directory = tempfile::tempdir().unwrap();
        make_log(directory.path(), 300);
        let path = directory.path().join(tile);
        let mut content = fs::read(&path).unwrap();
        content[position * 32] ^= 1;
        fs::write(&path, content).unwrap();
        let edited = Problem::TileEdited {
            path: tile.into(),
            position: position as u64,
        };
        assert_eq!(check(directory.path()).problems, [edited]);
    }
}

#[test]
fn a_missing_tile_is_named() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 300);
    fs::remove_file(directory.path().join("tile/1/000.p/1")).unwrap();
    let missing = Problem::TileMissing("tile/1/000.p/1".into());
    assert_eq!(check(directory.path()).problems, [missing]);
}

#[test]
fn a_log_that_is_rewritten_with_its_own_key_betrays_itself_to_an_older_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 10);
    let verifier = verifier();
    let older = StoredLog::open(directory.path(), &verifier)
        .unwrap()
        .checkpoint()
        .clone();
    append(&open(directory.path()).unwrap(), 10..30);
    let against = |directory: &Path, older: &SignedCheckpoint| {
        let older = std::slice::from_ref(older);
        verify(&VerifyRequest {
            directory,
            verifier: &verifier,
            older,
        })
        .problems
    };
    assert_eq!(against(directory.path(), &older), []);

    let forged = tempfile::tempdir().unwrap();
    append(&open(forged.path()).unwrap(), 1..31);
    assert_eq!(check(forged.path()).problems, []);
    assert_eq!(
        against(forged.path(), &older),
        [Problem::Replaced { older: 10 }]
    );

    let short = tempfile::tempdir().unwrap();
    make_log(short.path(), 4);
    assert_eq!(
        against(short.path(), &older),
        [Problem::RolledBack { older: 10, size: 4 }]
    );
}

#[test]
fn a_checkpoint_by_another_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 3);
    let other = tagout_ledger::NoteSigner::from_seed(fixture::ORIGIN, &[8; 32]).unwrap();
    let request = VerifyRequest {
        directory: directory.path(),
        verifier: other.verifier(),
        older: &[],
    };
    assert!(matches!(
        verify(&request).problems[..],
        [Problem::Checkpoint(_)]
    ));
}

#[test]
fn a_deleted_body_is_a_warning_and_an_edited_one_a_problem() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path()).unwrap();
    let body = ledger.bodies().put(b"mutation { volumeDelete }").unwrap();
    let leaf = format!(r#"{{"request":{{"body":"{body}"}}}}"#);
    ledger
        .append_blocking(Class::Effect, leaf.into_bytes())
        .unwrap();
    assert_eq!(
        ledger.bodies().get(&body).unwrap().unwrap(),
        b"mutation { volumeDelete }"
    );
    drop(ledger);
    assert_eq!(check(directory.path()).warnings, []);

    fs::write(directory.path().join(body.path()), b"query { me }").unwrap();
    assert_eq!(
        check(directory.path()).problems,
        [Problem::BodyEdited { index: 0, body }]
    );

    let ledger = open(directory.path()).unwrap();
    ledger.bodies().delete(&body).unwrap();
    ledger.bodies().delete(&body).unwrap();
    assert_eq!(ledger.bodies().get(&body).unwrap(), None);
    drop(ledger);
    let report = check(directory.path());
    assert_eq!(
        (report.problems, report.warnings.as_slice()),
        (vec![], [Warning::BodyMissing { index: 0, body }].as_slice())
    );
    assert_eq!(BodyHash::parse(&body.to_string()), Some(body));
}

#[test]
fn proof_files_hold_for_their_entry_only() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 300);
    let log = StoredLog::open(directory.path(), &verifier()).unwrap();
    for index in [0, 1, 255, 256, 299] {
        let (entry, proof) = log.prove(index).unwrap();
        assert_eq!(entry, fixture::entry(index));
        assert_eq!(check_proof(&proof, &entry, &verifier()).unwrap().0, index);
        assert!(check_proof(&proof, b"another", &verifier()).is_err());
        let elsewhere = proof.replace(&format!("index {index}\n"), "index 7\n");
        assert!(check_proof(&elsewhere, &entry, &verifier()).is_err());
        let with_extra = proof.replacen("index", "extra AAAA\nindex", 1);
        assert!(check_proof(&with_extra, &entry, &verifier()).is_ok());
    }
    assert!(log.prove(300).is_err());
}

#[test]
fn a_copy_without_journal_verifies_with_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 20);
    let copied = tempfile::tempdir().unwrap();
    copy(directory.path(), copied.path());
    fs::remove_dir_all(copied.path().join("journal")).unwrap();
    let report = check(copied.path());
    assert_eq!(
        (report.problems.len(), report.warnings),
        (0, vec![Warning::NoJournal])
    );
}

#[test]
fn a_journal_that_says_something_else_is_found_even_with_a_valid_checksum() {
    let (mine, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make_log(mine.path(), 5);
    append(&open(theirs.path()).unwrap(), 1..6);
    let segment = "journal/0000000000.seg";
    fs::copy(theirs.path().join(segment), mine.path().join(segment)).unwrap();
    assert!(
        check(mine.path())
            .problems
            .contains(&Problem::JournalDisagrees(0))
    );
    assert!(open(mine.path()).is_err());
}

#[test]
fn a_checkpoint_survives_being_read_back() {
    let root = tagout_ledger::merkle::empty_root();
    let signed = SignedCheckpoint::sign(&signer(), 0, root);
    assert_eq!(
        SignedCheckpoint::open(signed.note(), &verifier()).unwrap(),
        signed
    );
}
