//! How long one decision takes: `cargo run --release -p tagout-policy --example decision_time`.
//!
//! One thread. *first rung* is an allowed read; *whole ladder* is the longest search of the default
//! pack, two people and three days for a backup in production with everything offered; *refused* has
//! no permitted set at all. Each includes building the request. Added policies are scoped to agents,
//! upstreams and resources, as those of an organisation with that many would be.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for the terminal"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use tagout_core::effect::{Effect, Mark};
use tagout_core::environment::Environment;
use tagout_core::ids::ConnectionId;
use tagout_core::resource::Resource;
use tagout_core::verdict::Safeguard;
use tagout_policy::{
    Asker, Caps, Coverage, PolicySet, Question, SafeguardSet, Source, admits, decide,
};

const ROUNDS: usize = 20_000;

fn main() {
    println!(
        "{:<9} {:<22} {:>9} {:>9}",
        "policies", "what", "p50 µs", "p99 µs"
    );
    for policies in [20, 200, 2000] {
        let set = PolicySet::load(&[added(policies)], Caps::default()).unwrap();
        for (what, question) in questions() {
            let decided = measured(|| drop(black_box(decide(&question, &set))));
            report(set.len(), what, &decided);
        }
        let (_, question) = questions().remove(0);
        let admitted = measured(|| drop(black_box(admits(&question, &set))));
        report(set.len(), "admits, allowed read", &admitted);
    }
}

/// As many policies as make the default pack that long.
fn added(policies: usize) -> Source {
    let shipped = PolicySet::default_pack().unwrap().len();
    let mut text = String::new();
    for number in 0..policies.saturating_sub(shipped) {
        let agent = number % 50;
        writeln!(
            text,
            "@id(\"team.{number}\") @reason(\"team {agent} and its things\")\n\
             {} (principal == Agent::\"agent-{agent}\", action in [Action::\"destroy\", Action::\"write\"],\n\
             resource == Resource::\"railway/volume:{number}\")\n\
             when {{ context.approvals >= 1 || (context.snapshot && context.members < {number}) }};",
            if number % 3 == 0 { "forbid" } else { "permit" }
        )
        .unwrap();
    }
    Source::new("added.cedar", text)
}

fn questions() -> Vec<(&'static str, Vec<Question>)> {
    let plain = Question {
        coverage: Coverage::Full,
        ..Question::new(
            Arc::new(Asker {
                agent: "agent-7".to_owned(),
                owner: "somebody".to_owned(),
                connection: ConnectionId::from_bits([7; 16]),
                grant: None,
                task: Some("tidy the staging environment".to_owned()),
            }),
            "railway".parse().unwrap(),
            Effect::Read,
            Resource::new("volume", "107"),
            Environment::Production,
        )
    };
    let backup = Question {
        effect: Effect::Destroy,
        marks: vec![Mark::Foundation, Mark::Whole],
        offers: SafeguardSet::NONE
            .and(Safeguard::Redact)
            .and(Safeguard::BeforeImage)
            .and(Safeguard::SoftVariant)
            .and(Safeguard::Snapshot)
            .and(Safeguard::Trial),
        ..plain.clone()
    };
    let volume = Question {
        effect: Effect::Destroy,
        marks: vec![Mark::Whole],
        offers: SafeguardSet::only(Safeguard::Snapshot),
        ..plain.clone()
    };
    let refused = Question {
        marks: vec![Mark::Ourselves],
        ..backup.clone()
    };
    vec![
        ("first rung: a read", vec![plain]),
        ("ladder: a volume", vec![volume]),
        ("longest ladder", vec![backup]),
        ("refused", vec![refused]),
    ]
}

/// Sorted durations of `ROUNDS` runs in microseconds, after a warm-up.
fn measured(mut run: impl FnMut()) -> Vec<f64> {
    for _ in 0..ROUNDS / 10 {
        run();
    }
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

fn report(policies: usize, what: &str, times: &[f64]) {
    let at = |percent: usize| {
        times
            .get(times.len() * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    println!("{policies:<9} {what:<22} {:>9.1} {:>9.1}", at(50), at(99));
}
