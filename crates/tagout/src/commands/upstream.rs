//! `tagout upstream`.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use tagout_core::proposal::{Change, Upstream};
use tagout_core::resource::Resource;

use crate::cli::{UpstreamArgs, UpstreamCommand};
use crate::commands::{list, propose, text};
use crate::config::Config;
use crate::control::Ask;
use crate::exit::Exit;

pub(crate) fn run(path: &Path, command: UpstreamCommand) -> anyhow::Result<Exit> {
    match command {
        UpstreamCommand::Add(args) => add(path, args),
        UpstreamCommand::Places { name, json } => {
            let ask = Ask::Places {
                upstream: name.parse()?,
            };
            list(path, &ask, json, |place| {
                format!(
                    "{}  {:<12}  {} / {}",
                    text(place, "/place/id"),
                    place
                        .pointer("/label")
                        .and_then(Value::as_str)
                        .unwrap_or("unlabelled"),
                    text(place, "/place/project"),
                    text(place, "/place/name")
                )
            })
        }
        UpstreamCommand::List { json } => list(path, &Ask::Upstreams, json, |upstream| {
            format!(
                "{}  {}  pack {}  {}",
                text(upstream, "/name"),
                text(upstream, "/url"),
                text(upstream, "/pack"),
                text(upstream, "/mode")
            )
        }),
    }
}

fn add(path: &Path, args: UpstreamArgs) -> anyhow::Result<Exit> {
    let mode = serde_json::from_value(args.mode.clone().into());
    let ourselves = args
        .ourselves
        .into_iter()
        .map(Resource::try_from)
        .collect::<Result<_, _>>()?;
    let upstream = Upstream {
        name: args.name.parse()?,
        url: args.url,
        aliases: args.aliases,
        pack: args.pack,
        credential: args.credential,
        header: args.header,
        ca_file: args.ca_file,
        ourselves,
        mode: mode.with_context(|| {
            format!(
                "`{}` is not a mode; use `observe`, `guard` or `strict`",
                args.mode
            )
        })?,
    };
    crate::config::check_upstream(&upstream).map_err(anyhow::Error::msg)?;
    propose(&Config::read(path)?, Change::Upstream(upstream))
}
