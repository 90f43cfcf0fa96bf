//! What the types make impossible. Each case in `tests/compile-fail` is compiled as a protocol crate
//! would be, with `tagout-core` and nothing else of ours, and must fail for the reason in its first
//! line: `//~ E0599: no method named ...`. A case whose first line is `//~ compiles` must compile, so
//! that the others don't fail for a reason of their own.
//!
//! Compared are the error's code and a part of its message, not the compiler's whole output, which
//! changes from version to version.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A diagnostic: the error's code and its message.
type Fault = (String, String);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every case's name and text.
fn cases() -> BTreeMap<String, String> {
    let folder = root().join("tests/compile-fail");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let cases = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    cases
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// Writes a package with every case as a program of its own. It locks what the workspace locks.
fn write_package(folder: &Path, cases: &BTreeMap<String, String>) {
    let core = root().join("crates/core");
    let manifest = format!(
        "[package]\nname = \"protocol\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [workspace]\n[dependencies]\ntagout-core = {{ path = {core:?} }}\n"
    );
    let programs = folder.join("src/bin");
    if programs.exists() {
        fs::remove_dir_all(&programs).unwrap();
    }
    fs::create_dir_all(&programs).unwrap();
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    for (name, text) in cases {
        fs::write(programs.join(format!("{name}.rs")), text).unwrap();
    }
}

/// Compiles the package; gives the errors by program.
fn compile(folder: &Path) -> BTreeMap<String, BTreeSet<Fault>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "check",
            "--offline",
            "--quiet",
            "--keep-going",
            "--bins",
            "--message-format=json",
        ])
        .arg("--target-dir")
        .arg(folder.join("target"))
        .current_dir(folder)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("\"compiler-artifact\""),
        "nothing was compiled: {said}"
    );
    let mut faults: BTreeMap<String, BTreeSet<Fault>> = BTreeMap::new();
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        if let Some(fault) = fault_of(&message["message"]) {
            let program = message["target"]["name"].as_str().unwrap().to_owned();
            faults.entry(program).or_default().insert(fault);
        }
    }
    faults
}

fn fault_of(message: &Value) -> Option<Fault> {
    if message["level"] != "error" {
        return None;
    }
    let code = message["code"]["code"].as_str()?;
    Some((code.to_owned(), message["message"].as_str()?.to_owned()))
}

/// The expectations in the head of a case: each a code and a part of the message.
fn expected(text: &str) -> BTreeSet<Fault> {
    let heads = text.lines().filter_map(|line| line.strip_prefix("//~ "));
    let faults = heads.filter(|head| *head != "compiles");
    faults
        .map(|head| {
            let (code, message) = head.split_once(": ").unwrap();
            (code.to_owned(), message.to_owned())
        })
        .collect()
}

/// Each expectation is met, and nothing else is wrong.
fn agrees(expected: &BTreeSet<Fault>, found: &BTreeSet<Fault>) -> bool {
    let fits = |wanted: &Fault, fault: &Fault| wanted.0 == fault.0 && fault.1.contains(&wanted.1);
    expected
        .iter()
        .all(|wanted| found.iter().any(|fault| fits(wanted, fault)))
        && found
            .iter()
            .all(|fault| expected.iter().any(|wanted| fits(wanted, fault)))
}

#[test]
fn a_protocol_crate_cannot_do_what_only_the_engine_and_the_ledger_may() {
    let cases = cases();
    assert!(cases.values().any(|text| text.starts_with("//~ compiles")));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile-fail");
    write_package(&folder, &cases);
    let faults = compile(&folder);
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|(name, text)| judge(name, text, &faults))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a case, if anything is.
fn judge(name: &str, text: &str, faults: &BTreeMap<String, BTreeSet<Fault>>) -> Option<String> {
    assert!(
        text.starts_with("//~ "),
        "{name} does not say what it expects"
    );
    let found = faults.get(name).cloned().unwrap_or_default();
    let expected = expected(text);
    (!agrees(&expected, &found))
        .then(|| format!("{name}: expected {expected:#?}, found {found:#?}"))
}
