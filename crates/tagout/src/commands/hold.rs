//! `tagout hold`: looking only. Deciding takes a passkey, in the console.

use std::path::Path;

use tagout_core::card::Hold;
use tagout_core::hold::HoldState;

use crate::cli::HoldCommand;
use crate::commands::{list, put, text};
use crate::config::Config;
use crate::control::{Ask, ask};
use crate::exit::Exit;

pub(crate) fn run(path: &Path, command: HoldCommand) -> anyhow::Result<Exit> {
    match command {
        HoldCommand::List { json } => list(path, &Ask::Holds, json, |hold| {
            format!(
                "{}  {:<9}  {}",
                text(hold, "/id"),
                text(hold, "/state"),
                text(hold, "/card/headline")
            )
        }),
        HoldCommand::Show { id, json } => show(path, &id, json),
    }
}

fn show(path: &Path, id: &str, json: bool) -> anyhow::Result<Exit> {
    let config = Config::read(path)?;
    let value = ask(&config.data, &Ask::Hold { id: id.parse()? })?;
    let hold: Hold = serde_json::from_value(value.clone())?;
    if json {
        put(&value.to_string());
    } else {
        describe(&hold, &config.console.url);
    }
    Ok(exit_for(hold.state))
}

fn describe(hold: &Hold, console: &str) {
    let card = &hold.card;
    put(&format!("{}  {}", hold.id, hold.state.word()));
    put(&format!("{}", card.headline));
    for target in &card.targets {
        put(&format!(
            "  {} {} ({})",
            target.effect, target.resource, target.why
        ));
        for place in &target.places {
            put(&format!(
                "    in {} = {}",
                place.place.name,
                place.environment.word()
            ));
        }
        for fact in &target.facts {
            put(&format!(
                "    {}: {} ({:?})",
                fact.label, fact.value, fact.provenance
            ));
        }
    }
    put(&format!("{}: {}", card.reversibility.word(), card.reason));
    put(&format!("{}", card.operation));
    if let Some(outcome) = &hold.outcome {
        put(outcome);
    }
    if hold.state == HoldState::Pending {
        put(&format!("decide: {console}/holds/{}", hold.id));
    }
}

const fn exit_for(state: HoldState) -> Exit {
    match state {
        HoldState::Pending => Exit::Held,
        HoldState::Denied => Exit::Denied,
        HoldState::Expired | HoldState::Lapsed => Exit::Expired,
        _ => Exit::Ok,
    }
}
