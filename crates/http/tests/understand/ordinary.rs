//! A week of ordinary work: nothing in it is held needlessly, and each request is judged where it acts.

use std::collections::HashSet;

use serde_json::Value;
use tagout_core::effect::{Effect, Reach};

use crate::oracle::{ask, understood};
use crate::requests::{exact_body, explainer, understand};

const CORPUS: &str = include_str!("../../../../tests/corpus/ordinary.jsonl");

/// The environments of the stand-in's seed, by the names that the corpus uses.
fn environment(name: &str) -> &'static str {
    match name {
        "production" => "3a90c7de-0f24-4c68-b1a2-5e0000000001",
        "staging" => "3a90c7de-0f24-4c68-b1a2-5e0000000002",
        "pr" => "3a90c7de-0f24-4c68-b1a2-5e0000000003",
        other => panic!("{other}"),
    }
}

#[test]
fn ordinary_requests_are_judged_as_expected() {
    let explainer = explainer();
    let mut ids = HashSet::new();
    let mut wrong = Vec::new();
    for line in CORPUS.lines() {
        let request: Value = serde_json::from_str(line).unwrap();
        assert!(
            ids.insert(request["id"].as_str().unwrap().to_owned()),
            "{line}"
        );
        let answer: Value = serde_json::from_str(&explainer.batch_line(line)).unwrap();
        let expected = Effect::from_word(request["worst"].as_str().unwrap()).unwrap();
        assert!(
            expected <= Effect::SecretRead && expected != Effect::Disrupt,
            "{line}"
        );
        if answer["worst"] != request["worst"] || answer["id"] != request["id"] {
            wrong.push(format!("{line}\n  {answer}"));
        }
        if let Some(name) = request["environment"].as_str() {
            let bytes = request["input"].as_str().unwrap().to_owned().into();
            let operation = understand(&explainer, &bytes).unwrap();
            let place = Reach::Environment(environment(name).to_owned());
            if operation.effects.iter().any(|on| on.reach != place) {
                wrong.push(format!("{line}\n  {:?}", operation.effects));
            }
        }
    }
    assert!(ids.len() >= 300, "{}", ids.len());
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn ordinary_requests_are_read_as_graphql_js_reads_them() {
    let explainer = explainer();
    let mut questions = Vec::new();
    let mut expected = Vec::new();
    for line in CORPUS.lines() {
        let request: Value = serde_json::from_str(line).unwrap();
        let bytes = request["input"].as_str().unwrap().to_owned().into();
        let operation = understand(&explainer, &bytes).unwrap();
        if operation.canonical.get("graphql").is_none() {
            continue;
        }
        let exact: Value = serde_json::from_slice(&exact_body(&operation)).unwrap();
        for (index, fields) in understood(&operation.canonical).into_iter().enumerate() {
            questions.push(exact.get(index).cloned().unwrap_or_else(|| exact.clone()));
            expected.push(fields);
        }
    }
    assert!(questions.len() > 200);
    for ((answer, ours), question) in ask(&questions).into_iter().zip(expected).zip(&questions) {
        assert_eq!(answer.as_ref(), Some(&ours), "{question}");
    }
}
