//! One run: everything started, measured in rounds, and put on one page.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::bars;
use crate::certificates::{self, Certificates};
use crate::children::{Ended, start_and_hear};
use crate::decision;
use crate::gateway::Ready;
use crate::load::Measured;
use crate::machine::{self, Machine};
use crate::origin::{self, Origin};
use crate::report::{Report, Row};
use crate::targets::{DIRECT, NGINX, REVERSE_RECORDED, Stage, Target};
use crate::wrk;

/// How many connections each row is measured with.
const CONNECTIONS: [usize; 2] = [1, 16];

/// What is asked for.
pub(crate) struct Plan {
    pub(crate) folder: PathBuf,
    pub(crate) mitmdump: Option<PathBuf>,
    pub(crate) decision_time: Option<PathBuf>,
    pub(crate) seconds: f64,
    pub(crate) rounds: usize,
    pub(crate) only: Option<String>,
}

/// Runs the plan, prints the table and writes `results.json`.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let scratch = plan.folder.join(format!("run-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let scratch = scratch.canonicalize()?;
    let measured = measure(plan, &scratch);
    let removed = std::fs::remove_dir_all(&scratch);
    let report = measured?;
    removed?;
    report.print();
    let file = plan.folder.join("results.json");
    std::fs::write(&file, serde_json::to_string_pretty(&report)?)?;
    println!("\nwritten to {}", file.display());
    Ok(())
}

fn measure(plan: &Plan, scratch: &Path) -> anyhow::Result<Report> {
    let mut machine = Machine::look();
    let certificates = Certificates::in_folder(scratch);
    certificates.make()?;
    let origin = Origin::start(scratch, &certificates)?;
    let (nginx, _nginx) = origin::reverse(scratch, &certificates, origin.graphql_port)?;
    let (gateway, ready) = start_gateway(scratch, &origin)?;
    let mitmdump = plan.mitmdump.as_ref();
    let mitmdump = mitmdump.map(|program| origin::mitmdump(program, scratch, &certificates));
    let mitmdump = mitmdump.transpose()?;
    let mut trusted = vec![
        certificates.authority.clone(),
        scratch.join("agents-ca.pem"),
    ];
    trusted.extend(mitmdump.as_ref().map(|(_, authority, _)| authority.clone()));
    let tls = certificates::client(&trusted)?;
    let stage = Stage {
        origin: &origin,
        nginx,
        mitmdump: mitmdump.as_ref().map(|(port, ..)| *port),
        gateway: &ready,
        tls: &tls,
    };
    let targets = chosen(stage.targets(), plan.only.as_deref());
    let rows = rows(&targets, plan)?;
    let (resident_mb, resident_peak_mb) = gateway.memory_mb()?;
    let wrk_16_connections = second_opinions(scratch, &targets, plan.seconds)?;
    drop((gateway, mitmdump));
    let decisions = plan.decision_time.as_deref().map(decision::measure);
    let decisions = decisions.transpose()?.unwrap_or_default();
    machine.load_after = machine::load();
    Ok(Report {
        bars: bars::judge(&rows, &decisions, resident_peak_mb),
        machine,
        seconds: plan.seconds,
        rounds: plan.rounds,
        rows,
        wrk_16_connections,
        decisions_2000_policies: decisions,
        resident_mb,
        resident_peak_mb,
    })
}

/// The gateway in its own process, which is this program again.
fn start_gateway(scratch: &Path, origin: &Origin) -> anyhow::Result<(Ended, Ready)> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("serve")
        .arg(scratch)
        .args(["--graphql-port", &origin.graphql_port.to_string()])
        .args(["--rest-port", &origin.rest_port.to_string()])
        .env(crate::authority::CREDENTIAL, "bench-credential-0123456789");
    let (gateway, line) = start_and_hear(&mut command)?;
    let ready = serde_json::from_str(&line).context("the gateway did not start")?;
    Ok((gateway, ready))
}

fn chosen(targets: Vec<Target>, only: Option<&str>) -> Vec<Target> {
    let wanted = |target: &Target| only.is_none_or(|part| target.name.contains(part));
    targets.into_iter().filter(wanted).collect()
}

/// Rounds over all rows, so that what else the machine does hits all of them alike.
fn rows(targets: &[Target], plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let cells: Vec<(&Target, usize)> = targets
        .iter()
        .flat_map(|target| CONNECTIONS.map(|connections| (target, connections)))
        .collect();
    let mut found: Vec<Vec<Measured>> = vec![Vec::new(); cells.len()];
    for round in 1..=plan.rounds {
        for ((target, connections), found) in cells.iter().zip(&mut found) {
            let measured = runtime.block_on(target.load.run(*connections, plan.seconds))?;
            eprintln!(
                "round {round}: {:<34} {connections:>3} {:>9.0} req/s",
                target.name, measured.requests_per_s
            );
            found.push(measured);
        }
    }
    let rows = cells
        .iter()
        .zip(&found)
        .map(|((target, connections), found)| Row::of(&target.name, *connections, found));
    Ok(compared(rows.collect(), targets))
}

/// Each row with what it adds to its baseline.
fn compared(mut rows: Vec<Row>, targets: &[Target]) -> Vec<Row> {
    let known = rows.clone();
    for row in &mut rows {
        let target = targets.iter().find(|target| target.name == row.name);
        let baseline = known.iter().find(|other| {
            other.connections == row.connections
                && target.is_some_and(|target| target.baseline == other.name)
        });
        if let Some(baseline) = baseline {
            row.compare(baseline);
        }
    }
    rows
}

fn second_opinions(
    scratch: &Path,
    targets: &[Target],
    seconds: f64,
) -> anyhow::Result<Vec<wrk::Opinion>> {
    let asked =
        |target: &&Target| [DIRECT, NGINX, REVERSE_RECORDED].contains(&target.name.as_str());
    let opinions = targets
        .iter()
        .filter(asked)
        .map(|target| wrk::ask(scratch, target, seconds).transpose());
    opinions.flatten().collect()
}
