//! Every verdict of the default pack as a table to read: a change of policy is a change of this table.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod common;

use std::fmt::Write as _;

use common::{MARKS, plain};
use tagout_core::effect::{Effect, Mark};
use tagout_core::environment::Environment;
use tagout_core::verdict::{Safeguard, Verdict};
use tagout_policy::{Coverage, PolicySet, Question, SafeguardSet, decide};

/// `hold 1, 72 h, snapshot`, by the default pack.
fn cell(question: &Question, policies: &PolicySet) -> String {
    match decide(std::slice::from_ref(question), policies) {
        Verdict::Allow { safeguards, .. } => with("allow".to_owned(), &safeguards),
        Verdict::Hold {
            safeguards,
            approvals,
            delay_ms,
            ..
        } => {
            let delay = if delay_ms == 0 {
                String::new()
            } else {
                format!(", {} h", delay_ms / 3_600_000)
            };
            with(format!("hold {approvals}{delay}"), &safeguards)
        }
        Verdict::Deny { .. } => "deny".to_owned(),
    }
}

fn with(mut word: String, safeguards: &[Safeguard]) -> String {
    for safeguard in safeguards {
        write!(word, ", {}", safeguard.word()).unwrap();
    }
    word
}

/// One line: what it is about, then its verdict in each environment.
fn line(out: &mut String, about: &str, question: &Question, policies: &PolicySet) {
    let cells = Environment::ALL.map(|environment| {
        let question = Question {
            environment,
            ..question.clone()
        };
        format!("{:<28}", cell(&question, policies))
    });
    let text = format!("{about:<44}{}", cells.concat());
    writeln!(out, "{}", text.trim_end()).unwrap();
}

fn head(about: &str) -> String {
    let words = Environment::ALL.map(|environment| format!("{:<28}", environment.word()));
    format!("{about:<44}{}\n", words.concat().trim_end())
}

fn mark_word(mark: Mark) -> String {
    serde_json::to_value(mark)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn every_effect_coverage_and_mark() {
    let policies = PolicySet::default_pack().unwrap();
    let mut out = head("effect, coverage, mark; redact is offered");
    for effect in Effect::ALL {
        for coverage in Coverage::ALL {
            for mark in [None].into_iter().chain(MARKS.map(Some)) {
                let question = Question {
                    coverage,
                    marks: mark.into_iter().collect(),
                    offers: SafeguardSet::only(Safeguard::Redact),
                    ..plain(effect, Environment::Development)
                };
                let word = mark.map_or_else(|| "-".to_owned(), mark_word);
                let about = format!("{:<12} {:<18} {word}", effect.word(), coverage.word());
                line(&mut out, &about, &question, &policies);
            }
        }
    }
    insta::assert_snapshot!("effects", out);
}

#[test]
fn every_way_to_destroy() {
    let policies = PolicySet::default_pack().unwrap();
    let mut out = head("destroy: undoable, contained, marks, offers");
    let offers = [
        Safeguard::BeforeImage,
        Safeguard::SoftVariant,
        Safeguard::Snapshot,
    ];
    for (undoable_by_us, contained) in [(false, false), (true, false), (true, true)] {
        for marks in [vec![], vec![Mark::Whole], vec![Mark::Foundation]] {
            for chosen in 0..8_u8 {
                let offered = offers
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| chosen & (1 << bit) != 0);
                let question = Question {
                    undoable_by_us,
                    contained,
                    marks: marks.clone(),
                    offers: offered.map(|(_, safeguard)| *safeguard).collect(),
                    ..plain(Effect::Destroy, Environment::Development)
                };
                let about = about_destroying(&question);
                line(&mut out, &about, &question, &policies);
            }
        }
    }
    insta::assert_snapshot!("destroy", out);
}

fn about_destroying(question: &Question) -> String {
    let undo = match (question.undoable_by_us, question.contained) {
        (false, _) => "not ours",
        (true, false) => "undoable",
        (true, true) => "contained",
    };
    let marks: Vec<_> = question.marks.iter().copied().map(mark_word).collect();
    let offers: Vec<_> = question
        .offers
        .iter()
        .map(|safeguard| match safeguard {
            Safeguard::BeforeImage => "image",
            Safeguard::SoftVariant => "soft",
            other => other.word(),
        })
        .collect();
    format!("{undo:<10} {:<11} {}", marks.join(" "), offers.join(" "))
}

/// The sentences that people and agents read, for the plainest question of each kind in production.
#[test]
fn every_sentence() {
    let policies = PolicySet::default_pack().unwrap();
    let mut out = String::new();
    for coverage in Coverage::ALL {
        for effect in Effect::ALL {
            let plainest = Question {
                coverage,
                members: 150,
                ..plain(effect, Environment::Production)
            };
            let marked = MARKS.map(|mark| Question {
                marks: vec![mark],
                ..plainest.clone()
            });
            for question in [plainest].into_iter().chain(marked) {
                sentence(&mut out, &question, &policies);
            }
        }
    }
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    insta::assert_snapshot!("sentences", lines.join("\n"));
}

fn sentence(out: &mut String, question: &Question, policies: &PolicySet) {
    let effect = question.effect.word();
    match decide(std::slice::from_ref(question), policies) {
        Verdict::Allow { .. } => {}
        Verdict::Hold { reason, .. } => writeln!(out, "{effect}, held: {reason}").unwrap(),
        Verdict::Deny { reason, instead } => {
            let instead = instead.map_or_else(String::new, |text| format!("; instead: {text}"));
            writeln!(out, "{effect}, denied: {reason}{instead}").unwrap();
        }
    }
}
