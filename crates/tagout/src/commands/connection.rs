//! `tagout connection`.

use std::path::Path;

use anyhow::Context as _;
use tagout_core::grant::Budget;
use tagout_core::ids::ConnectionId;
use tagout_core::proposal::Change;
use tagout_core::rights::Rights;

use crate::cli::ConnectionCommand;
use crate::commands::{bits, list, propose, put, say, text};
use crate::config::Config;
use crate::control::{Ask, ask};
use crate::exit::Exit;

pub(crate) fn run(path: &Path, command: ConnectionCommand) -> anyhow::Result<Exit> {
    match command {
        ConnectionCommand::Add {
            agent,
            workspace,
            rights,
        } => add(path, agent, workspace, rights.as_deref()),
        ConnectionCommand::List { json } => list(path, &Ask::Connections, json, |connection| {
            format!(
                "{}  {}  {}",
                text(connection, "/id"),
                text(connection, "/agent"),
                text(connection, "/workspace")
            )
        }),
        ConnectionCommand::Narrow {
            parent,
            agent,
            rights,
            budgets,
        } => {
            let ask_for = Ask::NarrowConnection {
                parent: parent.parse()?,
                agent: agent.into(),
                rights: read_rights(&rights)?,
                budget: crate::commands::grant::budget_of(&budgets)?,
            };
            let id = ask(&Config::read(path)?.data, &ask_for)?;
            put(id.as_str().unwrap_or_default());
            Ok(Exit::Ok)
        }
        ConnectionCommand::Token { id } => token(path, &id),
        ConnectionCommand::Revoke { id } => {
            ask(
                &Config::read(path)?.data,
                &Ask::RevokeConnection { id: id.parse()? },
            )?;
            say("revoked, with everything narrowed from it");
            Ok(Exit::Ok)
        }
    }
}

fn add(
    path: &Path,
    agent: String,
    workspace: String,
    rights: Option<&Path>,
) -> anyhow::Result<Exit> {
    let rights = rights.map_or_else(|| Ok(Rights::standing()), read_rights)?;
    let id = ConnectionId::from_bits(bits()?);
    say(&format!("{id}"));
    let change = Change::Connect {
        id,
        agent: agent.into(),
        workspace: workspace.into(),
        rights,
        budget: Budget::default(),
    };
    propose(&Config::read(path)?, change)
}

fn read_rights(file: &Path) -> anyhow::Result<Rights> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("can't read `{}`", file.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("`{}` is not a list of clauses", file.display()))
}

fn token(path: &Path, id: &str) -> anyhow::Result<Exit> {
    let token = ask(&Config::read(path)?.data, &Ask::Token { id: id.parse()? })?;
    put(token.as_str().unwrap_or_default());
    Ok(Exit::Ok)
}
