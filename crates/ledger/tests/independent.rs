//! The script in `docs/verify` shares no code with us and comes to the same result.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

mod fixture;

use std::{fs, path::Path, process::Command};

use fixture::{make_log, verifier};
use tagout_ledger::StoredLog;

/// Runs the script; gives whether it found the log sound, and what it said.
fn run(directory: &Path, key: &str, arguments: &[&str]) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify/verify_ledger.py");
    let mut command = Command::new("python3");
    let output = command
        .arg(script)
        .arg(directory)
        .arg(key)
        .args(arguments)
        .output();
    let output = output.expect("python3 is installed");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn the_script_accepts_what_we_write() {
    for entries in [0, 1, 256, 700] {
        let directory = tempfile::tempdir().unwrap();
        make_log(directory.path(), entries);
        let (sound, said) = run(directory.path(), &verifier().to_string(), &[]);
        assert!(sound, "{entries}: {said}");
        assert!(
            said.contains(&format!("signature good, {entries} entries")),
            "{said}"
        );
    }
}

#[test]
fn the_script_checks_proof_files() {
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 300);
    let key = verifier().to_string();
    let (_, proof) = StoredLog::open(directory.path(), &verifier())
        .unwrap()
        .prove(257)
        .unwrap();
    let file = directory.path().join("257.tlog-proof");
    let path = file.to_str().unwrap().to_owned();
    fs::write(&file, &proof).unwrap();
    let (sound, said) = run(directory.path(), &key, &["--index", "7", "--proof", &path]);
    assert!(sound && said.contains("good for entry 257"), "{said}");
    fs::write(&file, proof.replace("index 257", "index 256")).unwrap();
    assert!(!run(directory.path(), &key, &["--proof", &path]).0);
}

#[test]
fn the_script_refuses_what_was_tampered_with() {
    let cases: [(&str, usize, &str); 4] = [
        ("tile/entries/000", 10, "entry 0 does not match"),
        ("tile/0/000", 32 * 9, "entry 9 does not match"),
        ("checkpoint", 21, "signature"),
        ("tile/1/000.p/1", 0, "inclusion"),
    ];
    let directory = tempfile::tempdir().unwrap();
    make_log(directory.path(), 300);
    for (file, at, expected) in cases {
        let path = directory.path().join(file);
        let original = fs::read(&path).unwrap();
        let mut changed = original.clone();
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        let (sound, said) = run(directory.path(), &verifier().to_string(), &[]);
        assert!(!sound && said.contains(expected), "{file}: {said}");
        fs::write(&path, original).unwrap();
    }
    let other = tagout_ledger::NoteSigner::from_seed(fixture::ORIGIN, &[8; 32]).unwrap();
    assert!(!run(directory.path(), &other.verifier().to_string(), &[]).0);
    fs::remove_file(directory.path().join("tile/entries/001.p/44")).unwrap();
    assert!(!run(directory.path(), &verifier().to_string(), &[]).0);
}
