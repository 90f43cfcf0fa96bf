//! `tagout policy`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tagout_core::proposal::Change;
use tagout_policy::{Caps, Cases, PolicySet, Source, check, default_cases, run_cases};

use crate::cli::PolicyCommand;
use crate::commands::{propose, put};
use crate::config::Config;
use crate::exit::Exit;

pub(crate) fn run(path: &Path, command: PolicyCommand) -> anyhow::Result<Exit> {
    match command {
        PolicyCommand::Check { files } => {
            let report = check(&sources(&files)?, Caps::default());
            put(&report.to_string());
            Ok(if report.is_sound() {
                Exit::Ok
            } else {
                Exit::Failure
            })
        }
        PolicyCommand::Test { policies, cases } => test(&policies, &cases),
        PolicyCommand::Propose { files } => {
            let sources = sources(&files)?;
            PolicySet::load(&sources, Caps::default())?;
            let files = sources
                .into_iter()
                .map(|source| (source.name, source.text))
                .collect();
            propose(&Config::read(path)?, Change::Policies { files })
        }
    }
}

fn test(policies: &[PathBuf], cases: &[PathBuf]) -> anyhow::Result<Exit> {
    let set = PolicySet::load(&sources(policies)?, Caps::default())?;
    let files = if cases.is_empty() {
        default_cases().collect()
    } else {
        sources(cases)?
    };
    let files = files
        .into_iter()
        .map(Cases::parse)
        .collect::<Result<Vec<_>, _>>()?;
    let report = run_cases(&set, &files);
    put(&report.to_string());
    Ok(if report.is_success() {
        Exit::Ok
    } else {
        Exit::Failure
    })
}

fn sources(files: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("can't read `{}`", file.display()))?;
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Ok(Source::new(name, text))
    };
    files.iter().map(read).collect()
}
