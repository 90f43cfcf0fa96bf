//! One request written in thousands of ways has one meaning, for us and for graphql-js.

use proptest::prelude::*;
use serde_json::{Value, json};
use tagout_core::effect::Effect;

use crate::oracle::{ask, understood};
use crate::requests::{curl, exact_body, explainer, lines, message, understand};
use crate::rewrite::{Call, Dice, rewrite};

/// Ways for each call; five calls make 12,500.
const WAYS: u64 = 2_500;

fn calls() -> Vec<Call> {
    let id = "3d2c42fb-1111-4222-8333-444455556666";
    vec![
        Call {
            name: "volumeDelete",
            args: vec![("volumeId", "String!", json!(id))],
            enums: &[],
            below: "",
        },
        Call {
            name: "serviceDelete",
            args: vec![
                ("id", "String!", json!("s\"1\\é😀\n")),
                ("environmentId", "String", json!(null)),
            ],
            enums: &[],
            below: "",
        },
        Call {
            name: "volumeInstanceUpdate",
            args: vec![
                ("volumeId", "String!", json!(id)),
                (
                    "input",
                    "VolumeInstanceUpdateInput!",
                    json!({"state": "DELETED", "mountPath": "/data"}),
                ),
            ],
            enums: &["DELETED"],
            below: "",
        },
        Call {
            name: "environmentPatchCommit",
            args: vec![
                ("environmentId", "String!", json!("e")),
                (
                    "patch",
                    "EnvironmentConfig",
                    json!({"volumes": {"v": {"isDeleted": true, "sizeMB": 5}}, "services": {"s": {"variables": {"A": null}}}}),
                ),
                ("commitMessage", "String", json!("{ volumeDelete }")),
            ],
            enums: &[],
            below: "",
        },
        Call {
            name: "volumeInstanceBackupRestore",
            args: vec![
                ("volumeInstanceId", "String!", json!("i")),
                ("volumeInstanceBackupId", "String!", json!("b")),
                ("wipeServiceIds", "[String!]", json!(["s1", "s2"])),
            ],
            enums: &[],
            below: "{ workflowId }",
        },
    ]
}

/// The call in its plainest form.
fn plain(call: &Call) -> bytes::Bytes {
    let declared: Vec<String> = call
        .args
        .iter()
        .map(|(name, ty, _)| format!("${name}: {ty}"))
        .collect();
    let passed: Vec<String> = call
        .args
        .iter()
        .map(|(name, ..)| format!("{name}: ${name}"))
        .collect();
    let variables: serde_json::Map<String, Value> = call
        .args
        .iter()
        .map(|(name, _, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let query = format!(
        "mutation({}) {{ {}({}) {} }}",
        declared.join(", "),
        call.name,
        passed.join(", "),
        call.below
    );
    curl(&query, &variables.into())
}

#[test]
fn rewrites_of_a_request_mean_the_same_to_us_and_to_graphql_js() {
    let explainer = explainer();
    let mut questions = Vec::new();
    let mut expected = Vec::new();
    for call in calls() {
        let first = understand(&explainer, &plain(&call)).unwrap();
        assert_eq!(first.worst(), Effect::Destroy, "{}", call.name);
        for seed in 0..WAYS {
            let written = rewrite(&call, seed);
            let shown = || {
                format!(
                    "{} seed {seed}: {}",
                    call.name,
                    String::from_utf8_lossy(&written.bytes)
                )
            };
            let operation = understand(&explainer, &written.bytes)
                .unwrap_or_else(|why| panic!("{why}: {}", shown()));
            assert_eq!(operation.effects, first.effects, "{}", shown());
            let (ours, firsts) = (
                &operation.canonical["graphql"][0],
                &first.canonical["graphql"][0],
            );
            assert_eq!(ours, firsts, "{}", shown());
            let fields = understood(&operation.canonical).remove(0);
            let exact: Value = serde_json::from_slice(&exact_body(&operation)).unwrap();
            questions.push(written.request);
            questions.push(exact.get(0).cloned().unwrap_or(exact));
            expected.extend([fields.clone(), fields]);
        }
    }
    assert!(questions.len() >= 20_000);
    for ((answer, ours), question) in ask(&questions).into_iter().zip(expected).zip(&questions) {
        assert_eq!(answer.as_ref(), Some(&ours), "{question}");
    }
}

#[test]
fn the_digest_is_over_the_meaning() {
    let explainer = explainer();
    let canonical = |query: &str| {
        understand(&explainer, &curl(query, &json!({})))
            .unwrap()
            .canonical
    };
    assert_eq!(
        canonical("{ project(id: \"p\") { name id services { edges { node { id } } } } }"),
        canonical(
            "query X { ...F a: project(id: \"p\") { id x: name } } fragment F on Query { a: project(id: \"p\") { services { edges { node { ... on Service { id id } } } } } }"
        ),
    );
    assert_ne!(
        canonical("{ project(id: \"p\") { name } }"),
        canonical("{ project(id: \"q\") { name } }")
    );
    assert_ne!(
        canonical("{ project(id: \"p\") { name } }"),
        canonical("{ project(id: \"p\") { id } }")
    );
}

/// Flips, replaces, removes or inserts up to three bytes.
fn damage(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    const LIKELY: &[u8; 19] = b"{}()[]:$@!\"\\,#.aA0 ";
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(bytes.len());
        match dice.roll(4) {
            0 => bytes[at] ^= 1 << dice.roll(8),
            1 => bytes[at] = LIKELY[dice.roll(LIKELY.len())],
            2 => drop(bytes.remove(at)),
            _ => bytes.insert(at, LIKELY[dice.roll(LIKELY.len())]),
        }
    }
    bytes
}

/// A sound message with a damaged query in it.
fn damaged_query(mut request: Value, dice: &mut Dice) -> Vec<u8> {
    let query = request["query"].as_str().unwrap().as_bytes().to_vec();
    request["query"] = json!(String::from_utf8_lossy(&damage(query, dice)));
    message("", request.to_string().as_bytes()).to_vec()
}

/// Where we claim to understand damaged text, graphql-js must read what we would send as we do.
#[test]
fn damaged_requests_are_understood_alike_or_not_at_all() {
    let explainer = explainer();
    let mut questions = Vec::new();
    let mut expected = Vec::new();
    let mut damaged = 0;
    for (nth, call) in calls().iter().enumerate() {
        for seed in 0..3_000_u64 {
            let mut dice = Dice::new(seed * 7 + nth as u64);
            let written = rewrite(call, seed);
            let bytes = if dice.one_in(4) {
                damage(written.bytes.to_vec(), &mut dice)
            } else {
                damaged_query(written.request, &mut dice)
            };
            damaged += 1;
            let Ok(operation) = understand(&explainer, &bytes.into()) else {
                continue;
            };
            let surely = operation
                .effects
                .iter()
                .all(|on| on.effect != Effect::Unknown);
            if !surely || operation.canonical.get("graphql").is_none() {
                continue;
            }
            let exact: Value = serde_json::from_slice(&exact_body(&operation)).unwrap();
            for (index, fields) in understood(&operation.canonical).into_iter().enumerate() {
                questions.push(exact.get(index).cloned().unwrap_or_else(|| exact.clone()));
                expected.push(fields);
            }
        }
    }
    assert!(
        damaged >= 10_000 && questions.len() > 1_000,
        "{damaged} {}",
        questions.len()
    );
    for ((answer, ours), question) in ask(&questions).into_iter().zip(expected).zip(&questions) {
        assert_eq!(answer.as_ref(), Some(&ours), "{question}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let explainer = explainer_once();
        let _ = understand(explainer, &bytes.into());
    }

    #[test]
    fn any_body_is_answered(body in ".{0,300}", kind in "(application/json|application/graphql|application/x-www-form-urlencoded|text/plain)") {
        let explainer = explainer_once();
        let bytes = message(&format!("content-type: {kind}\r\n"), body.as_bytes());
        let understood = understand(explainer, &bytes);
        if let Ok(operation) = &understood {
            prop_assert!(!operation.effects.is_empty(), "{:?}", lines(&understood));
        }
    }

    #[test]
    fn any_document_is_answered(document in "[{}()\\[\\]:$@!\", a-cx0-9#.\\\\u\n]{0,120}") {
        let explainer = explainer_once();
        let _ = understand(explainer, &curl(&document, &json!({})));
    }
}

fn explainer_once() -> &'static tagout_http::understand::explain::Explainer {
    static ONCE: std::sync::OnceLock<tagout_http::understand::explain::Explainer> =
        std::sync::OnceLock::new();
    ONCE.get_or_init(explainer)
}
