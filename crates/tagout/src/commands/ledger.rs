//! `tagout ledger`: reads the files only, so that it works whether or not a gateway runs.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use tagout_core::time::UnixMs;
use tagout_engine::Settings;
use tagout_ledger::verify::{VerifyRequest, verify};
use tagout_ledger::{BodyHash, BodyStore, NoteVerifier, SignedCheckpoint, StoredLog, exported};

use crate::cli::LedgerCommand;
use crate::commands::{put, say, text};
use crate::config::Config;
use crate::exit::Exit;
use crate::{gateway, key};

pub(crate) fn run(path: &Path, command: LedgerCommand) -> anyhow::Result<Exit> {
    let config = Config::read(path)?;
    match command {
        LedgerCommand::Tail { count, json } => tail(&config, count, json),
        LedgerCommand::Verify { key, extends, json } => {
            check(&config, key.as_deref(), extends.as_deref(), json)
        }
        LedgerCommand::Prove { index } => {
            let (_, proof) = open(&config)?.prove(index)?;
            put(proof.trim_end());
            Ok(Exit::Ok)
        }
        LedgerCommand::Export { bodies } => export(&config, bodies),
        LedgerCommand::Key => {
            put(&own_key(&config)?.to_string());
            Ok(Exit::Ok)
        }
    }
}

/// Every entry; with the text beside the log where that is wanted and has not expired.
fn export(config: &Config, with_bodies: bool) -> anyhow::Result<Exit> {
    let bodies = BodyStore::new(&config.data.join("ledger"));
    for entry in open(config)?.entries(0..u64::MAX) {
        let (index, bytes) = entry?;
        let mut shown = exported(index, &bytes);
        let name = shown
            .pointer("/entry/body")
            .and_then(Value::as_str)
            .and_then(BodyHash::parse);
        if let (true, Some(name), Some(members)) = (with_bodies, name, shown.as_object_mut()) {
            let body = bodies.get(&name)?;
            let body = body.and_then(|body| serde_json::from_slice(&body).ok());
            members.insert("body".to_owned(), body.unwrap_or_default());
        }
        put(&shown.to_string());
    }
    Ok(Exit::Ok)
}

fn own_key(config: &Config) -> anyhow::Result<NoteVerifier> {
    let settings = Settings::new(config.rp_id(), &config.console.url);
    let signer = gateway::signer(&key::read(&config.key)?, &settings)?;
    Ok(signer.verifier().clone())
}

fn open(config: &Config) -> anyhow::Result<StoredLog> {
    Ok(StoredLog::open(
        &config.data.join("ledger"),
        &own_key(config)?,
    )?)
}

fn tail(config: &Config, count: u64, json: bool) -> anyhow::Result<Exit> {
    let log = open(config)?;
    let size = log.checkpoint().size();
    for entry in log.entries(size.saturating_sub(count)..size) {
        let (index, bytes) = entry?;
        let shown = exported(index, &bytes);
        put(&if json {
            shown.to_string()
        } else {
            line(index, &shown)
        });
    }
    Ok(Exit::Ok)
}

/// One entry for people: when, what sort, and what it is about.
fn line(index: u64, shown: &Value) -> String {
    let at = shown
        .pointer("/entry/at")
        .and_then(Value::as_u64)
        .map(UnixMs);
    let at = at.map_or_else(|| "-".repeat(20), |at| at.to_string());
    let kind = ["/entry/type", "/entry/kind"]
        .iter()
        .find(|at| shown.pointer(at).is_some());
    let kind = kind.map_or_else(String::new, |at| text(shown, at));
    let about = ABOUT
        .iter()
        .filter(|at| shown.pointer(at).is_some_and(|value| !value.is_null()));
    let about: Vec<_> = about.map(|at| text(shown, at)).collect();
    format!("{index:>7}  {at}  {kind:<10}  {}", about.join("  "))
}

/// What a line says of an entry, where the entry has it.
const ABOUT: [&str; 12] = [
    "/entry/what/verdict",
    "/entry/what/effects/0/effect",
    "/entry/what/effects/0/resource",
    "/entry/what/effects/0/environment",
    "/entry/kind",
    "/entry/hold",
    "/entry/state",
    "/entry/outcome/outcome",
    "/entry/proposal",
    "/entry/person",
    "/entry/place",
    "/entry/reason",
];

fn check(
    config: &Config,
    key: Option<&str>,
    extends: Option<&Path>,
    json: bool,
) -> anyhow::Result<Exit> {
    let verifier = match key {
        Some(text) => NoteVerifier::parse(text)?,
        None => own_key(config)?,
    };
    let older = extends
        .map(|path| read_checkpoint(path, &verifier))
        .transpose()?;
    let directory = config.data.join("ledger");
    let older = older.as_slice();
    let report = verify(&VerifyRequest {
        directory: &directory,
        verifier: &verifier,
        older,
    });
    for warning in &report.warnings {
        say(&format!("warning: {warning}"));
    }
    for problem in &report.problems {
        say(&format!("problem: {problem}"));
    }
    let sound = report.problems.is_empty();
    put(&if json {
        serde_json::json!({"sound": sound, "entries": report.entries, "unpublished": report.unpublished,
            "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>()}).to_string()
    } else if sound {
        format!(
            "the ledger is sound: {} entries, {} not yet in a checkpoint",
            report.entries, report.unpublished
        )
    } else {
        format!(
            "the ledger is NOT sound: {} problems",
            report.problems.len()
        )
    });
    Ok(if sound { Exit::Ok } else { Exit::Failure })
}

fn read_checkpoint(path: &Path, verifier: &NoteVerifier) -> anyhow::Result<SignedCheckpoint> {
    let note = std::fs::read_to_string(path)
        .with_context(|| format!("can't read `{}`", path.display()))?;
    Ok(SignedCheckpoint::open(&note, verifier)?)
}
