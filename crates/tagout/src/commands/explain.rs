//! `tagout explain`: offline, sends nothing.

use std::io::{BufRead as _, Read as _};

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tagout_http::understand::Packs;
use tagout_http::understand::explain::Explainer;
use tagout_postgres::understand::explain::Explainer as SqlExplainer;

use crate::cli::ExplainCommand;
use crate::commands::put;
use crate::exit::Exit;

pub(crate) fn run(command: &ExplainCommand) -> anyhow::Result<Exit> {
    match command {
        ExplainCommand::Http { batch } => {
            let packs =
                Packs::built_in().map_err(|error| anyhow!("the packs don't load: {error}"))?;
            let explainer = Explainer::new(packs).map_err(|error| anyhow!("{error}"))?;
            answer(*batch, |line| explainer.batch_line(line))
        }
        ExplainCommand::Sql { batch } => {
            let explainer = SqlExplainer::start()?;
            answer(*batch, |line| explainer.batch_line(line))
        }
    }
}

/// Answers each line of standard input, or all of it as one input. No line ends the batch.
fn answer(batch: bool, explain: impl Fn(&str) -> String) -> anyhow::Result<Exit> {
    if batch {
        for line in std::io::stdin().lock().split(b'\n') {
            put(&explain(&String::from_utf8_lossy(&line?)));
        }
        return Ok(Exit::Ok);
    }
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input)?;
    let encoded = STANDARD.encode(&input);
    put(&explain(
        &json!({"id": 1, "input_base64": encoded}).to_string(),
    ));
    Ok(Exit::Ok)
}
