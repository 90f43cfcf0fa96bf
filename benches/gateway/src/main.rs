//! What the gateway costs: the same request sent straight to an origin, through nginx, through
//! mitmdump, and through the gateway in four steps that each add one part of an operation's life.
//!
//! `tagout-bench measure` does it all in one run; `serve` is the gateway as a process of its own, so
//! that its memory can be looked at; `load` aims at one step only, for a profiler. This crate mints
//! clearances to leave steps out, which is why it must never be part of anything that is shipped.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

mod authority;
mod bars;
mod certificates;
mod children;
mod clock;
mod decision;
mod gateway;
mod load;
mod machine;
mod measure;
mod origin;
mod report;
mod request;
mod steps;
mod targets;
mod wrk;

use std::path::PathBuf;

use clap::Parser;
use mimalloc::MiMalloc;

use crate::measure::Plan;

/// Measures what the gateway costs.
#[derive(Parser)]
enum Command {
    /// Everything, in one run, in about seven minutes.
    Measure {
        /// Where results and scratch files go.
        folder: PathBuf,
        /// The `mitmdump` program; without it that row is left out.
        #[arg(long)]
        mitmdump: Option<PathBuf>,
        /// The built example of `tagout-policy` that times decisions.
        #[arg(long)]
        decision_time: Option<PathBuf>,
        /// Seconds for each row and number of connections in one round.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// Rounds; the median counts.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Only the rows whose names contain this.
        #[arg(long)]
        only: Option<String>,
    },
    /// The gateway, until standard input ends. Started by the others.
    Serve {
        /// The scratch folder.
        folder: PathBuf,
        /// The port of the origin's GraphQL side.
        #[arg(long)]
        graphql_port: u16,
        /// The port of the origin's REST side.
        #[arg(long)]
        rest_port: u16,
    },
}

/// As the gateway's own binary has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Measure {
            folder,
            mitmdump,
            decision_time,
            seconds,
            rounds,
            only,
        } => measure::run(&Plan {
            folder,
            mitmdump,
            decision_time,
            seconds,
            rounds,
            only,
        }),
        Command::Serve {
            folder,
            graphql_port,
            rest_port,
        } => gateway::run(&folder, graphql_port, rest_port),
    }
}
