//! What Tagout takes for a read changes nothing, over generated requests of every form, judged by what a
//! server that shares no code with Tagout does with them.
//!
//! `TAGOUT_TEST_REQUESTS` says how many requests are tried, `TAGOUT_TEST_SEED` where their seeds begin.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what fails here fails a test"
)]

mod reads;

use std::time::Instant;

use bytes::Bytes;
use reads::hunt::{Belief, hunt};
use tagout_core::operation::Operation;

/// Requests that are tried unless the environment says otherwise.
const REQUESTS: u64 = 20_000;

/// Requests within which a wrong classifier must be caught.
const REQUESTS_TO_CATCH: u64 = 4_000;

const THREADS: u64 = 3;

fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| text.parse().unwrap())
}

/// What the pipeline takes for a read: every effect only observes.
fn only_observes(_: &Bytes, operation: &Operation) -> bool {
    operation.effects.iter().all(|on| on.effect.only_observes())
}

#[test]
fn what_is_taken_for_a_read_changes_nothing() {
    let requests = setting("TAGOUT_TEST_REQUESTS", REQUESTS);
    let first = setting("TAGOUT_TEST_SEED", 1);
    let begun = Instant::now();
    let tally = hunt(first..first + requests, THREADS, only_observes);
    println!(
        "seeds from {first}: {} requests, {} refused, {} reads ({} damaged) sent twice; {} of {} others \
         changed something; {} fields read, {} changed; {:?}",
        tally.requests,
        tally.refused,
        tally.reads,
        tally.damaged_reads,
        tally.effects_changed,
        tally.effects_sent,
        tally.fields_read.len(),
        tally.fields_changed.len(),
        begun.elapsed(),
    );
    assert!(tally.caught.is_empty(), "{}", tally.caught.join("\n"));
    // Else nothing was shown.
    assert!(tally.reads * 3 > tally.requests, "hardly any reads");
    assert!(
        tally.effects_changed * 5 > tally.effects_sent,
        "hardly any changes"
    );
}

/// Mistakes that a classifier could make, each of which must be seen.
const MISTAKES: [(&str, Belief); 5] = [
    ("everything reads", |_, _| true),
    ("what comes by GET reads", |bytes, _| {
        bytes.starts_with(b"GET ")
    }),
    ("what names a query reads", |bytes, operation| {
        only_observes(bytes, operation) || holds(bytes, b"query Op")
    }),
    ("the first field counts", |_, operation| {
        let first = operation.effects.first();
        first.is_some_and(|on| on.effect.only_observes())
    }),
    // A secret read is graver than a write, so what is worst does not say that nothing is written.
    ("the worst effect counts", |_, operation| {
        operation.worst().only_observes()
    }),
];

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|part| part == wanted)
}

#[test]
fn wrong_classifiers_are_caught() {
    for (mistake, believes) in MISTAKES {
        let first = setting("TAGOUT_TEST_SEED", 1);
        let begun = Instant::now();
        let tally = hunt(first..first + REQUESTS_TO_CATCH, THREADS, believes);
        println!(
            "{mistake}: caught after {} requests; {:?}",
            tally.requests,
            begun.elapsed()
        );
        assert!(!tally.caught.is_empty(), "{mistake}: not caught");
    }
}
