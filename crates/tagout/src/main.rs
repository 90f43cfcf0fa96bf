//! `tagout`: a guard between AI agents and what they can break.

mod ca;
mod cli;
mod clock;
mod commands;
mod config;
mod console;
mod control;
mod demo;
mod descriptors;
mod exit;
mod gateway;
mod key;
mod listeners;
mod notify;
mod serve;

use clap::Parser as _;
use mimalloc::MiMalloc;

use crate::cli::{Cli, Command, NoticeCommand};
use crate::exit::Exit;

/// A fifth of a decided request's time went into the system's allocator; this one takes half of that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    start_logging(cli.log.as_deref());
    let exit = run(cli);
    if let Err(error) = &exit {
        commands::say(&format!("tagout: {error:#}"));
    }
    Exit::of(exit).into()
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let at = cli.config;
    match cli.command {
        Command::Init(args) => commands::init::run(&at, &args),
        Command::Serve => in_runtime(serve::run(&at)),
        Command::Demo(args) => demo::run(&args),
        Command::Doctor { json } => in_runtime(commands::doctor::run(&at, json)),
        Command::Upstream(command) => commands::upstream::run(&at, command),
        Command::Connection(command) => commands::connection::run(&at, command),
        Command::Grant(command) => commands::grant::run(&at, command),
        Command::Hold(command) => commands::hold::run(&at, command),
        Command::Label(args) => commands::label::run(&at, args),
        Command::Freeze { reason } => commands::freeze::freeze(&at, reason),
        Command::Thaw => commands::freeze::thaw(&at),
        Command::Ledger(command) => commands::ledger::run(&at, command),
        Command::Policy(command) => commands::policy::run(&at, command),
        Command::Explain(command) => commands::explain::run(&command),
        Command::Notice(NoticeCommand::Key) => commands::notice::key(&at),
        Command::Connect(args) => commands::connect::run(&at, &args),
    }
}

fn in_runtime(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Logs go to standard error, warnings and worse unless asked otherwise.
fn start_logging(filter: Option<&str>) {
    let filter = tracing_subscriber::EnvFilter::new(filter.unwrap_or("warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    log.with_target(false).init();
}
