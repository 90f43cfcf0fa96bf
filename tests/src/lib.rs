//! Setting the stage for black-box tests: which program, which upstream, which rights; and the evidence
//! that every test looks at in the end.

pub mod database;
pub mod documents;
mod evidence;
mod scene;
mod secrets;
pub mod spoken;

use std::path::PathBuf;

use anyhow::{Context as _, bail};

pub use crate::{
    database::{APP_PASSWORD, APP_ROLE, ClientSaid, DatabaseAgent, DatabaseScene, said},
    evidence::{Approved, Before, NOTHING, Told, changed_rows},
    scene::{APP_KEY_VARIABLE, Scene, rights},
    secrets::{holds_any, in_files},
};

/// The program under test, built beside the tests.
///
/// # Errors
/// When it is not there.
pub fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own
        .parent()
        .and_then(|deps| deps.parent())
        .context("no build folder")?;
    let program = profile.join("tagout");
    if !program.exists() {
        bail!(
            "`{}` is not there; run `cargo build -p tagout` first (`./dev test` does)",
            program.display()
        );
    }
    Ok(program)
}
