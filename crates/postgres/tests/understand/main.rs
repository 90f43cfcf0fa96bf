//! What SQL means by its own words.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

mod explain;
mod hostile;
mod ordinary;
mod rewrites;
mod statements;
mod table;

use std::sync::OnceLock;

use tagout_postgres::understand::explain::Explainer;
use tagout_postgres::understand::{Limits, Reader};

fn reader() -> &'static Reader {
    static READER: OnceLock<Reader> = OnceLock::new();
    READER.get_or_init(|| Reader::start(Limits::default()).unwrap())
}

fn explainer() -> &'static Explainer {
    static EXPLAINER: OnceLock<Explainer> = OnceLock::new();
    EXPLAINER.get_or_init(|| Explainer::start().unwrap())
}

/// The effects of a text in one line: `destroy table:users; read table:orders`.
fn summary(sql: &str) -> String {
    let explained = explainer().explain(sql.as_bytes());
    let effects = explained
        .effects
        .iter()
        .map(|act| format!("{} {}", act.effect.word(), act.object.resource()));
    effects.collect::<Vec<_>>().join("; ")
}
