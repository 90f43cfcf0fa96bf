//! Questions to ask.

#![allow(dead_code, unreachable_pub, reason = "every test uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tagout_core::effect::{Effect, Mark};
use tagout_core::environment::Environment;
use tagout_core::ids::{ConnectionId, GrantId};
use tagout_core::resource::Resource;
use tagout_core::verdict::{Mode, Safeguard};
use tagout_policy::{Asker, Coverage, Evidence, Question};

pub const MARKS: [Mark; 6] = [
    Mark::Foundation,
    Mark::Mint,
    Mark::Ourselves,
    Mark::Undo,
    Mark::Whole,
    Mark::Procedural,
];

pub const OFFERS: [Safeguard; 5] = [
    Safeguard::Redact,
    Safeguard::BeforeImage,
    Safeguard::SoftVariant,
    Safeguard::Snapshot,
    Safeguard::Trial,
];

/// A fully covered question about one thing.
pub fn plain(effect: Effect, environment: Environment) -> Question {
    let asker = Arc::new(Asker {
        agent: "cursor".to_owned(),
        owner: "someone".to_owned(),
        connection: ConnectionId::from_bits([1; 16]),
        grant: Some(GrantId::from_bits([2; 16])),
        task: Some("tidy up".to_owned()),
    });
    let upstream = "railway".parse().unwrap();
    Question {
        coverage: Coverage::Full,
        ..Question::new(
            asker,
            upstream,
            effect,
            Resource::new("volume", "one"),
            environment,
        )
    }
}

/// Every effect in every environment with every coverage.
pub fn every_question() -> Vec<Question> {
    let mut questions = Vec::new();
    for effect in Effect::ALL {
        for environment in Environment::ALL {
            for coverage in Coverage::ALL {
                questions.push(Question {
                    coverage,
                    ..plain(effect, environment)
                });
            }
        }
    }
    questions
}

/// Any question at all, hostile texts included.
pub fn any_question() -> impl Strategy<Value = Question> {
    let what = (
        select(Effect::ALL.to_vec()),
        select(Environment::ALL.to_vec()),
        select(Coverage::ALL.to_vec()),
        subsequence(MARKS.to_vec(), 0..=MARKS.len()),
        subsequence(OFFERS.to_vec(), 0..=OFFERS.len()),
        select(vec![Mode::Observe, Mode::Guard, Mode::Strict]),
    );
    let how = (any::<[bool; 4]>(), count(), count(), any_evidence());
    let who = (
        "\\PC{0,8}",
        "\\PC{0,8}",
        "[a-z*\"\\\\:]{1,6}",
        "[a-z*\"\\\\:]{1,6}",
    );
    (what, how, who).prop_map(|(what, how, who)| {
        let (effect, environment, coverage, marks, offers, mode) = what;
        let ([emit_named, read_only, undoable_by_us, contained], members, task_members, evidence) =
            how;
        let (agent, task, kind, id) = who;
        let mut question = plain(effect, environment);
        let asker = Asker {
            agent,
            task: Some(task),
            grant: None,
            ..(*question.asker).clone()
        };
        question.asker = Arc::new(asker);
        Question {
            coverage,
            marks,
            offers: offers.into_iter().collect(),
            mode,
            emit_named,
            read_only,
            undoable_by_us,
            contained,
            members,
            task_members,
            evidence,
            resource: Resource::new(kind, id),
            ..question
        }
    })
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, Just(u64::MAX)]
}

/// Any evidence, around the thresholds that matter.
pub fn any_evidence() -> impl Strategy<Value = Evidence> {
    let hour = 60 * 60 * 1000_u64;
    let waited = select(vec![
        0,
        hour,
        72 * hour - 1,
        72 * hour,
        200 * hour,
        u64::MAX,
    ]);
    let achieved = subsequence(OFFERS.to_vec(), 0..=OFFERS.len());
    (0..4_u8, any::<bool>(), waited, achieved).prop_map(|(approvals, solo, waited_ms, achieved)| {
        Evidence {
            approvals,
            solo,
            waited_ms,
            achieved: achieved.into_iter().collect(),
        }
    })
}

/// The verdict's place in the order allow, hold, deny.
pub fn strictness(verdict: &tagout_core::verdict::Verdict) -> u8 {
    match verdict.word() {
        "allow" => 0,
        "hold" => 1,
        _ => 2,
    }
}
