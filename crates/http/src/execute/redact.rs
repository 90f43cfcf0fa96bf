//! Takes declared secrets out of JSON answers.
//!
//! What can't be read as JSON can't be redacted, and is then not passed on at all.

use serde_json::Value;
use tagout_core::operation::{PathStep, SecretPath};

/// What stands where a secret stood.
pub(crate) const REDACTED: &str = "«redacted by tagout»";

/// The answer without its secrets, or `None` if it is not JSON.
pub(crate) fn redact(body: &[u8], secrets: &[SecretPath]) -> Option<Vec<u8>> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Some(Vec::new());
    }
    let mut answer: Value = serde_json::from_slice(body).ok()?;
    for SecretPath(steps) in secrets {
        follow(&mut answer, steps);
    }
    serde_json::to_vec(&answer).ok()
}

/// Follows a path, through lists; what it leads to goes.
fn follow(value: &mut Value, steps: &[PathStep]) {
    if let Value::Array(items) = value {
        for item in items {
            follow(item, steps);
        }
        return;
    }
    match steps.split_first() {
        None => erase(value),
        Some((PathStep::All, _)) => erase(value),
        Some((PathStep::Field(name), rest)) => {
            if let Some(member) = value.get_mut(name) {
                follow(member, rest);
            }
        }
    }
}

/// Names and shape stay, values go. `null` says that there is no secret, and stays.
fn erase(value: &mut Value) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter_mut().for_each(erase),
        Value::Object(members) => members.values_mut().for_each(erase),
        secret => *secret = Value::from(REDACTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(names: &[&str]) -> SecretPath {
        let step = |name: &&str| match *name {
            "**" => PathStep::All,
            name => PathStep::Field(name.to_owned()),
        };
        SecretPath(names.iter().map(step).collect())
    }

    fn redacted(answer: &Value, names: &[&str]) -> Value {
        let out = redact(answer.to_string().as_bytes(), &[path(names)]).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn secrets_go_and_shapes_stay() {
        for (answer, names, expected) in [
            (
                json!({"data": {"v": {"DATABASE_URL": "x", "N": 1}}}),
                &["data", "v", "**"][..],
                json!({"data": {"v": {"DATABASE_URL": REDACTED, "N": REDACTED}}}),
            ),
            (
                json!({"data": {"keys": [{"id": "1", "secret": "x"}, {"id": "2", "secret": null}]}}),
                &["data", "keys", "secret"],
                json!({"data": {"keys": [{"id": "1", "secret": REDACTED}, {"id": "2", "secret": null}]}}),
            ),
            (
                json!({"data": {"token": "x"}}),
                &["data", "token"],
                json!({"data": {"token": REDACTED}}),
            ),
            (
                json!([{"data": {"t": "x"}}, {"data": {"t": "y"}}]),
                &["data", "t"],
                json!([{"data": {"t": REDACTED}}, {"data": {"t": REDACTED}}]),
            ),
            (json!({"data": null}), &["data", "t"], json!({"data": null})),
        ] {
            assert_eq!(redacted(&answer, names), expected, "{answer}");
        }
    }

    #[test]
    fn what_is_not_json_is_not_passed() {
        for body in [
            "<html>token</html>",
            "{\"a\":",
            "\"a\" \"b\"",
            "{\"data\":1}x",
        ] {
            assert_eq!(redact(body.as_bytes(), &[path(&["data"])]), None, "{body}");
        }
        assert_eq!(redact(b" ", &[]), Some(Vec::new()));
    }
}
