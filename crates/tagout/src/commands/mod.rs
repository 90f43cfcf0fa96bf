//! What the command line does. Data goes to standard output, talk to standard error.

pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod freeze;
pub(crate) mod grant;
pub(crate) mod hold;
pub(crate) mod init;
pub(crate) mod label;
pub(crate) mod ledger;
pub(crate) mod notice;
pub(crate) mod policy;
pub(crate) mod upstream;

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;
use tagout_core::proposal::Change;

use crate::config::Config;
use crate::control::{Ask, ask};
use crate::exit::Exit;

/// Talk, for people. A closed standard error is nobody's failure.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Data, a line at a time. Whoever stops reading has seen enough.
pub(crate) fn put(line: &str) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Proposes a change to the running gateway and says where a person accepts it.
pub(crate) fn propose(config: &Config, change: Change) -> anyhow::Result<Exit> {
    let id = ask(
        &config.data,
        &Ask::Propose {
            change: Box::new(change),
        },
    )?;
    let id = id.as_str().unwrap_or_default();
    say("nothing is in force yet: a person accepts it in the console, with a passkey:");
    put(&format!("{}/proposals/{id}", config.console.url));
    Ok(Exit::Ok)
}

/// Asks for a list and prints it: whole as JSON, or a line each.
pub(crate) fn list(
    path: &Path,
    what: &Ask,
    json: bool,
    line: impl Fn(&Value) -> String,
) -> anyhow::Result<Exit> {
    let config = Config::read(path)?;
    let items = ask(&config.data, what)?;
    for item in items.as_array().into_iter().flatten() {
        put(&if json { item.to_string() } else { line(item) });
    }
    Ok(Exit::Ok)
}

/// A member's text, escaped for a terminal.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).cloned().unwrap_or_default();
    let raw = found
        .as_str()
        .map_or_else(|| found.to_string(), str::to_owned);
    tagout_core::untrusted::Untrusted::new(raw).to_string()
}

/// Random bits for a new id.
pub(crate) fn bits() -> anyhow::Result<[u8; 16]> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bits)
}
