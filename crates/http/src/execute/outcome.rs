//! What became of an effect, as far as the answer says.
//!
//! Doubt is `unknown`: a person is shown it. Nothing here may call an effect failed that could have
//! happened.

use http::StatusCode;
use serde_json::Value;
use tagout_core::pipeline::Outcome;
use tagout_core::untrusted::Untrusted;

/// Characters of an upstream's message in an outcome.
const MESSAGE_CHARACTERS: usize = 200;

/// What the status alone says of an effect.
pub(crate) fn of_status(status: StatusCode) -> Outcome {
    let line = status.to_string();
    match status.as_u16() {
        200..=299 => Outcome::Done(line),
        // Sent elsewhere with method and body kept: it was not done here, and we don't follow.
        301 | 307 | 308 | 400..=499 => Outcome::Failed(line),
        _ => Outcome::Unknown(line),
    }
}

/// What became of a read: an answer, or none. Nothing has changed in either case.
pub(crate) fn of_read(status: StatusCode) -> Outcome {
    let line = status.to_string();
    if status.is_success() || status.is_redirection() {
        Outcome::Done(line)
    } else {
        Outcome::Failed(line)
    }
}

/// What a GraphQL answer says. `members` is how many root fields the request has: with more than one,
/// `data: null` may hide that an earlier one happened.
pub(crate) fn of_graphql(status: StatusCode, body: &[u8], members: usize) -> Outcome {
    if !status.is_success() {
        return of_status(status);
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(answers)) => {
            together(answers.iter().map(|answer| of_answer(answer, members)))
        }
        Ok(answer) => of_answer(&answer, members),
        Err(_) => Outcome::Unknown("the answer is not JSON".to_owned()),
    }
}

fn of_answer(answer: &Value, members: usize) -> Outcome {
    let errors = answer.get("errors").and_then(Value::as_array);
    let message = errors
        .filter(|errors| !errors.is_empty())
        .map(|errors| first_message(errors));
    let nothing = answer.get("data").is_none_or(is_nothing);
    match (message, nothing) {
        (None, false) => Outcome::Done("200 OK".to_owned()),
        (None, true) => Outcome::Unknown("the answer has neither data nor errors".to_owned()),
        (Some(message), true) if members <= 1 => Outcome::Failed(message),
        (Some(message), _) => Outcome::Unknown(format!("part of it failed: {message}")),
    }
}

/// No data, or nothing but null in it.
fn is_nothing(data: &Value) -> bool {
    match data {
        Value::Null => true,
        Value::Object(members) => members.values().all(Value::is_null),
        _ => false,
    }
}

fn first_message(errors: &[Value]) -> String {
    let message = errors
        .first()
        .and_then(|error| error.get("message"))
        .and_then(Value::as_str);
    Untrusted::from(message.unwrap_or("an error without a message")).cut(MESSAGE_CHARACTERS)
}

/// Of several answers: done or failed when all are, else unknown.
fn together(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    let all: Vec<Outcome> = outcomes.collect();
    let done = all
        .iter()
        .all(|outcome| matches!(outcome, Outcome::Done(_)));
    let failed = all
        .iter()
        .all(|outcome| matches!(outcome, Outcome::Failed(_)));
    match all.into_iter().next() {
        Some(first) if done || failed => first,
        Some(_) => Outcome::Unknown("some of the batch failed".to_owned()),
        None => Outcome::Unknown("the answer is empty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Done(_) => "done",
            Outcome::Failed(_) => "failed",
            Outcome::Unknown(_) => "unknown",
            Outcome::NotSent(_) => "not sent",
        }
    }

    #[test]
    fn statuses() {
        for (status, expected) in [
            (200, "done"),
            (204, "done"),
            (302, "unknown"),
            (307, "failed"),
            (403, "failed"),
            (429, "failed"),
            (500, "unknown"),
            (502, "unknown"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(word(&of_status(status)), expected, "{status}");
        }
    }

    #[test]
    fn graphql_answers() {
        for (body, members, expected) in [
            (r#"{"data":{"volumeDelete":true}}"#, 1, "done"),
            (r#"{"data":null,"errors":[{"message":"no"}]}"#, 1, "failed"),
            (r#"{"errors":[{"message":"no"}]}"#, 1, "failed"),
            (
                r#"{"data":{"a":null},"errors":[{"message":"no"}]}"#,
                1,
                "failed",
            ),
            (r#"{"data":null,"errors":[{"message":"no"}]}"#, 2, "unknown"),
            (
                r#"{"data":{"a":true,"b":null},"errors":[{"message":"no"}]}"#,
                2,
                "unknown",
            ),
            (r#"{"data":{"a":true},"errors":[]}"#, 1, "done"),
            (r#"[{"data":{"a":true}},{"data":{"b":true}}]"#, 2, "done"),
            (
                r#"[{"data":{"a":true}},{"errors":[{"message":"no"}]}]"#,
                1,
                "unknown",
            ),
            ("[]", 1, "unknown"),
            ("{}", 1, "unknown"),
            ("null", 1, "unknown"),
            ("<html>", 1, "unknown"),
            ("", 1, "unknown"),
        ] {
            let outcome = of_graphql(StatusCode::OK, body.as_bytes(), members);
            assert_eq!(word(&outcome), expected, "{body} {members}");
        }
        let refused = of_graphql(StatusCode::BAD_REQUEST, b"", 1);
        assert_eq!(word(&refused), "failed");
    }

    #[test]
    fn an_upstreams_message_is_escaped() {
        let body = "{\"errors\":[{\"message\":\"a\\u001b[2Jb\"}]}";
        let outcome = of_graphql(StatusCode::OK, body.as_bytes(), 1);
        assert_eq!(outcome, Outcome::Failed("a\\u{1b}[2Jb".to_owned()));
    }
}
