//! `tagout explain`: offline, sends nothing.

use std::io::{BufRead as _, Read as _};

use anyhow::anyhow;
use serde_json::json;
use tagout_http::understand::Packs;
use tagout_http::understand::explain::Explainer;

use crate::cli::ExplainCommand;
use crate::commands::put;
use crate::exit::Exit;

pub(crate) fn run(command: &ExplainCommand) -> anyhow::Result<Exit> {
    let ExplainCommand::Http { batch } = command;
    let packs = Packs::built_in().map_err(|error| anyhow!("the packs don't load: {error}"))?;
    let explainer = Explainer::new(packs).map_err(|error| anyhow!("{error}"))?;
    if *batch {
        for line in std::io::stdin().lock().lines() {
            put(&explainer.batch_line(&line?));
        }
        return Ok(Exit::Ok);
    }
    let mut request = String::new();
    std::io::stdin().lock().read_to_string(&mut request)?;
    put(&explainer.batch_line(&json!({"id": 1, "input": request}).to_string()));
    Ok(Exit::Ok)
}
