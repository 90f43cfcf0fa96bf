//! The contract of `tagout explain sql --batch`.

use serde_json::{Value, json};

use crate::explainer;

fn answer(line: &Value) -> Value {
    serde_json::from_str(&explainer().batch_line(&line.to_string())).unwrap()
}

#[test]
fn one_line_in_and_one_line_out() {
    let input = "DROP TABLE public.bookings";
    let expected = json!({
        "id": 7,
        "worst": "destroy",
        "effects": [{"effect": "destroy", "resource": "table:public.bookings", "why": "drops it with all its data"}],
        "reversibility": "irreversible",
    });
    assert_eq!(answer(&json!({"id": 7, "input": input})), expected);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, input);
    assert_eq!(answer(&json!({"id": 7, "input_base64": encoded})), expected);
    let line = explainer().batch_line("{\"id\":\"a\\nb\",\"input\":\"select 1\"}");
    assert!(!line.contains('\n'));
}

#[test]
fn what_cannot_be_read_is_answered_as_unknown() {
    for (line, id) in [
        (json!({"id": "a"}), json!("a")),
        (json!({"id": "a", "input": 5}), json!("a")),
        (
            json!({"id": "a", "input": "x", "input_base64": "eA=="}),
            json!("a"),
        ),
        (json!({"id": "a", "input_base64": "%"}), json!("a")),
        (json!({"id": "a", "input_base64": "/w=="}), json!("a")),
        (
            json!({"id": "a", "input": "SELECT 1\u{0}; DROP TABLE t"}),
            json!("a"),
        ),
        (json!({"id": ["a"], "input": "SELEKT 1"}), json!(["a"])),
        (json!([]), Value::Null),
    ] {
        let answer = answer(&line);
        assert_eq!(
            (&answer["id"], &answer["worst"]),
            (&id, &json!("unknown")),
            "{line}"
        );
        assert_eq!(answer["effects"][0]["effect"], "unknown", "{line}");
        assert_eq!(answer["effects"][0]["resource"], "*:*", "{line}");
        assert!(!answer["effects"][0]["why"].as_str().unwrap().is_empty());
    }
    let answer: Value = serde_json::from_str(&explainer().batch_line("not json")).unwrap();
    assert_eq!(answer["worst"], "unknown");
}

#[test]
fn nothing_to_run_is_a_read() {
    for input in ["", "  ", ";;", "-- nothing", "/* nothing */"] {
        assert_eq!(
            answer(&json!({"id": 1, "input": input}))["worst"],
            "read",
            "{input}"
        );
    }
}

#[test]
fn no_reason_repeats_what_the_agent_wrote() {
    let input = "SELECT approved_by_cto(1), 2 <approved-by-cto> 3; SELEKT approved_by_cto";
    for sql in [
        input,
        "SET approved_by_cto = 1",
        "DROP TABLE approved_by_cto",
    ] {
        for effect in answer(&json!({"id": 1, "input": sql}))["effects"]
            .as_array()
            .unwrap()
        {
            assert!(!effect["why"].as_str().unwrap().contains("cto"), "{effect}");
        }
    }
}
