//! The contract of `tagout explain http --batch`.

use serde_json::{Value, json};

use crate::requests::explainer;

fn answer(line: &Value) -> Value {
    serde_json::from_str(&explainer().batch_line(&line.to_string())).unwrap()
}

#[test]
fn one_line_in_and_one_line_out() {
    let input = "POST /graphql/v2 HTTP/1.1\r\nhost: backboard.railway.app\r\n\r\n{\"query\":\"mutation { volumeDelete(volumeId: \\\"v\\\") }\"}";
    let expected = json!({
        "id": 7,
        "worst": "destroy",
        "effects": [{"effect": "destroy", "resource": "volume:v", "why": "deletes a volume in every environment, with its backups"}],
        "reversibility": "irreversible",
    });
    assert_eq!(answer(&json!({"id": 7, "input": input})), expected);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, input);
    assert_eq!(answer(&json!({"id": 7, "input_base64": encoded})), expected);
    assert!(
        !explainer()
            .batch_line("{\"id\":\"a\\nb\",\"input\":\"\"}")
            .contains('\n')
    );
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
        (json!({"id": "a", "input": "hello"}), json!("a")),
        (
            json!({"id": ["a"], "input": "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"}),
            json!(["a"]),
        ),
        (json!([]), Value::Null),
    ] {
        let answer = answer(&line);
        assert_eq!(
            (&answer["id"], &answer["worst"]),
            (&id, &json!("unknown")),
            "{line}"
        );
        assert_eq!(answer["effects"][0]["effect"], "unknown", "{line}");
        assert!(!answer["effects"][0]["why"].as_str().unwrap().is_empty());
    }
    let answer: Value = serde_json::from_str(&explainer().batch_line("not json")).unwrap();
    assert_eq!(answer["worst"], "unknown");
}

#[test]
fn a_host_without_a_pack_is_read_by_its_methods() {
    for (input, worst) in [
        ("GET /x HTTP/1.1\r\nhost: api.example:8443\r\n\r\n", "read"),
        (
            "DELETE /v1/things/7 HTTP/1.1\r\nhost: api.example\r\n\r\n",
            "destroy",
        ),
        ("GET / HTTP/1.1\r\n\r\n", "read"),
        (
            "GET /live HTTP/1.1\r\nhost: api.example\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
            "opaque",
        ),
        ("GET /graphql HTTP/1.1\nhost: api.example\n\n", "unknown"),
        (
            "DELETE /api/agents/4 HTTP/1.1\r\nhost: APP.example.\r\n\r\n",
            "destroy",
        ),
        (
            "GET http://app.example/api/keys HTTP/1.1\r\nhost: app.example\r\n\r\n",
            "secret_read",
        ),
    ] {
        assert_eq!(
            answer(&json!({"id": 1, "input": input}))["worst"],
            worst,
            "{input}"
        );
    }
}
