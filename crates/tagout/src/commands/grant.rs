//! `tagout grant`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::anyhow;
use tagout_core::effect::Effect;
use tagout_core::environment::Environment;
use tagout_core::grant::Budget;
use tagout_core::ids::GrantId;
use tagout_core::proposal::Change;
use tagout_core::resource::Resource;
use tagout_core::rights::{Among, Clause, Rights};

use crate::cli::GrantCommand;
use crate::commands::{bits, list, propose, say, text};
use crate::config::Config;
use crate::control::{Ask, ask};
use crate::exit::Exit;

pub(crate) fn run(path: &Path, command: GrantCommand) -> anyhow::Result<Exit> {
    match command {
        GrantCommand::List { json } => list(path, &Ask::Grants, json, |grant| {
            format!(
                "{}  {}  {}  {}",
                text(grant, "/id"),
                text(grant, "/connection"),
                text(grant, "/state"),
                text(grant, "/task")
            )
        }),
        GrantCommand::Revoke { id } => {
            ask(
                &Config::read(path)?.data,
                &Ask::RevokeGrant { id: id.parse()? },
            )?;
            say("revoked, with everything narrowed from it");
            Ok(Exit::Ok)
        }
        open @ GrantCommand::Open { .. } => {
            let change = opening(open)?;
            propose(&Config::read(path)?, change)
        }
    }
}

fn opening(command: GrantCommand) -> anyhow::Result<Change> {
    let GrantCommand::Open {
        connection,
        parent,
        task,
        upstreams,
        effects,
        resources,
        environments,
        budgets,
        hours,
    } = command
    else {
        return Err(anyhow!("not an opening"));
    };
    let id = GrantId::from_bits(bits()?);
    say(&format!("{id}"));
    let names: BTreeSet<_> = upstreams
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, _>>()?;
    let resources = resources
        .into_iter()
        .map(Resource::try_from)
        .collect::<Result<_, _>>()?;
    let clause = Clause {
        upstreams: if names.is_empty() {
            Among::All
        } else {
            Among::Only(names)
        },
        effects: effects
            .iter()
            .map(|word| effect(word))
            .collect::<Result<_, _>>()?,
        resources,
        environments: environments
            .iter()
            .map(|word| environment(word))
            .collect::<Result<_, _>>()?,
    };
    Ok(Change::OpenGrant {
        id,
        connection: connection.parse()?,
        parent: parent.as_deref().map(str::parse).transpose()?,
        task: task.into(),
        rights: Rights(vec![clause]),
        budget: budget_of(&budgets)?,
        life_ms: hours.saturating_mul(3_600_000),
    })
}

fn effect(word: &str) -> anyhow::Result<Effect> {
    let known = || Effect::ALL.map(Effect::word).join(", ");
    Effect::from_word(word)
        .ok_or_else(|| anyhow!("`{word}` is not an effect; there are {}", known()))
}

pub(crate) fn environment(word: &str) -> anyhow::Result<Environment> {
    let known = || Environment::ALL.map(Environment::word).join(", ");
    Environment::from_word(word)
        .ok_or_else(|| anyhow!("`{word}` is not an environment; there are {}", known()))
}

pub(crate) fn budget_of(texts: &[String]) -> anyhow::Result<Budget> {
    Ok(Budget(
        texts
            .iter()
            .map(|text| budget(text))
            .collect::<Result<BTreeMap<_, _>, _>>()?,
    ))
}

fn budget(text: &str) -> anyhow::Result<(Effect, u64)> {
    let wrong = || anyhow!("`{text}` is not a budget; write `destroy=20`");
    let (word, count) = text.split_once('=').ok_or_else(wrong)?;
    Ok((effect(word)?, count.parse().map_err(|_| wrong())?))
}
