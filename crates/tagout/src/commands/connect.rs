//! `tagout connect`: what goes into an agent's configuration.

use std::path::Path;

use crate::cli::ConnectArgs;
use crate::commands::{put, say};
use crate::config::Config;
use crate::control::{Ask, ask};
use crate::exit::Exit;

pub(crate) fn run(path: &Path, args: &ConnectArgs) -> anyhow::Result<Exit> {
    let config = Config::read(path)?;
    let token = ask(
        &config.data,
        &Ask::Token {
            id: args.connection.parse()?,
        },
    )?;
    let token = token.as_str().unwrap_or_default();
    let upstreams = ask(&config.data, &Ask::Upstreams)?;
    say("give the agent these, and take every other credential out of its reach:");
    put(&format!("export TAGOUT_TOKEN={token}"));
    let scheme = if config.agents.tls.is_some() {
        "https"
    } else {
        "http"
    };
    for upstream in upstreams.as_array().into_iter().flatten() {
        let name = crate::commands::text(upstream, "/name");
        put(&format!(
            "# {name}: {scheme}://{}/{name}/",
            config.agents.reverse
        ));
    }
    Ok(Exit::Ok)
}
