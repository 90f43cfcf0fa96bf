//! `tagout label`.

use std::path::Path;

use tagout_core::proposal::Change;

use crate::cli::LabelArgs;
use crate::commands::grant::environment;
use crate::commands::propose;
use crate::config::Config;
use crate::exit::Exit;

pub(crate) fn run(path: &Path, args: LabelArgs) -> anyhow::Result<Exit> {
    let change = Change::Label {
        upstream: args.upstream.parse()?,
        place: args.place,
        name: args.name.into(),
        environment: environment(&args.environment)?,
    };
    propose(&Config::read(path)?, change)
}
