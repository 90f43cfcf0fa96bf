//! `tagout freeze` and `tagout thaw`.

use std::path::Path;

use crate::commands::{put, say};
use crate::config::Config;
use crate::control::{Ask, ask};
use crate::exit::Exit;

pub(crate) fn freeze(path: &Path, reason: String) -> anyhow::Result<Exit> {
    let id = ask(&Config::read(path)?.data, &Ask::Freeze { reason })?;
    say("frozen: nothing is forwarded any more. `tagout thaw` proposes the end of it.");
    put(id.as_str().unwrap_or_default());
    Ok(Exit::Ok)
}

pub(crate) fn thaw(path: &Path) -> anyhow::Result<Exit> {
    let config = Config::read(path)?;
    let id = ask(&config.data, &Ask::Thaw)?;
    say("still frozen: a person ends it in the console, with a passkey:");
    put(&format!(
        "{}/proposals/{}",
        config.console.url,
        id.as_str().unwrap_or_default()
    ));
    Ok(Exit::Ok)
}
