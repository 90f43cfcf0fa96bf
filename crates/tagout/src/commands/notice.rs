//! `tagout notice`.

use std::path::Path;

use tagout_engine::KeyUse;

use crate::commands::put;
use crate::config::Config;
use crate::exit::Exit;

/// Prints the key of the webhook's signature, hexadecimal.
pub(crate) fn key(path: &Path) -> anyhow::Result<Exit> {
    let config = Config::read(path)?;
    put(&hex::encode(
        crate::key::read(&config.key)?
            .derive(KeyUse::Notices)
            .bytes(),
    ));
    Ok(Exit::Ok)
}
