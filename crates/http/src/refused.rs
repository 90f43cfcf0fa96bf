//! How the gateway's own answers look on the wire. The one place where kinds become statuses.
//!
//! Plain HTTP: `application/problem+json` whose `title` is the complete first line, with 423 for what
//! waits for a person. GraphQL: status 200 and one entry in `errors`, because GraphQL clients read
//! `errors` of a 200 only and show a bare "network error" for anything else. A missing token is a
//! matter of HTTP in both: 401 without `WWW-Authenticate`, so that no client starts to ask for or to
//! try other credentials. No text here may read like a failed sign-in upstream.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use tagout_core::refusal::{Refusal, RefusalKind};

use crate::reply::Reply;

/// Which form an answer of ours takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Problem details.
    Http,
    /// A GraphQL response.
    GraphQl,
    /// As many GraphQL responses as a batch had requests.
    GraphQlBatch(usize),
}

impl Shape {
    /// The form that clients of this target (path and query) expect.
    pub(crate) fn at(target: &str) -> Self {
        let path = target.split('?').next().unwrap_or_default();
        let speaks = path
            .split('/')
            .any(|segment| segment.eq_ignore_ascii_case("graphql"));
        if speaks { Self::GraphQl } else { Self::Http }
    }

    /// The form for a request with this body: clients of a batch expect a list of the same length.
    pub(crate) fn for_batch(self, body: &[u8]) -> Self {
        let begins = body.iter().find(|byte| !byte.is_ascii_whitespace());
        if self != Self::GraphQl || begins != Some(&b'[') {
            return self;
        }
        match serde_json::from_slice::<Vec<IgnoredAny>>(body) {
            Ok(requests) if !requests.is_empty() => {
                Self::GraphQlBatch(requests.len().min(BATCH_LIMIT))
            }
            _ => self,
        }
    }
}

/// Answers to one batch; no longer batch is understood.
const BATCH_LIMIT: usize = 500;

/// The answer to send. `origin` (`https://host`) is how the agent reached us, for whole addresses.
pub(crate) fn refusal_reply(refusal: &Refusal, shape: Shape, origin: Option<&str>) -> Reply {
    if refusal.kind == RefusalKind::Token {
        return text_reply(StatusCode::UNAUTHORIZED, &refusal.text());
    }
    let (status, content_type, body) = match shape {
        Shape::Http => {
            let status = status_of(refusal);
            (
                status,
                "application/problem+json",
                problem(refusal, status, origin),
            )
        }
        Shape::GraphQl => (StatusCode::OK, "application/json", graphql(refusal, origin)),
        Shape::GraphQlBatch(length) => {
            let one = graphql(refusal, origin);
            (
                StatusCode::OK,
                "application/json",
                Value::Array(vec![one; length]),
            )
        }
    };
    let mut reply = json_reply(status, content_type, &body);
    if let Some(seconds) = refusal
        .retry_after_s
        .or_else(|| default_retry_s(refusal.kind))
    {
        reply
            .headers
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply
}

/// Plain text, for what is not even a request that we understood.
pub(crate) fn text_reply(status: StatusCode, text: &str) -> Reply {
    let body = Bytes::from(format!("{text}\n"));
    Reply::whole(
        status,
        headers_for("text/plain; charset=utf-8", body.len()),
        body,
    )
}

/// JSON of our own.
pub(crate) fn json_reply(status: StatusCode, content_type: &'static str, body: &Value) -> Reply {
    let body = Bytes::from(body.to_string());
    Reply::whole(status, headers_for(content_type, body.len()), body)
}

fn headers_for(content_type: &'static str, length: usize) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

const fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal.kind {
        RefusalKind::Held => StatusCode::LOCKED,
        RefusalKind::Denied => StatusCode::FORBIDDEN,
        RefusalKind::Scheduled => StatusCode::ACCEPTED,
        RefusalKind::Done => StatusCode::OK,
        // A budget that refills says when; one that doesn't is not worth waiting for.
        RefusalKind::Budget if refusal.retry_after_s.is_none() => StatusCode::FORBIDDEN,
        RefusalKind::Budget | RefusalKind::Rate => StatusCode::TOO_MANY_REQUESTS,
        RefusalKind::Frozen | RefusalKind::Unrecorded => StatusCode::SERVICE_UNAVAILABLE,
        RefusalKind::Token => StatusCode::UNAUTHORIZED,
        RefusalKind::Upstream => StatusCode::BAD_GATEWAY,
    }
}

/// Seconds to wait where nobody said more: a freeze is lifted by a person, a full disk by an operator.
const fn default_retry_s(kind: RefusalKind) -> Option<u64> {
    match kind {
        RefusalKind::Frozen | RefusalKind::Unrecorded => Some(60),
        RefusalKind::Rate => Some(1),
        _ => None,
    }
}

fn problem(refusal: &Refusal, status: StatusCode, origin: Option<&str>) -> Value {
    let mut body = Map::new();
    body.insert("type".to_owned(), json!("about:blank"));
    body.insert("title".to_owned(), json!(refusal.line));
    body.insert("status".to_owned(), json!(status.as_u16()));
    body.insert("detail".to_owned(), json!(refusal.text()));
    body.append(&mut members(refusal, origin));
    Value::Object(body)
}

fn graphql(refusal: &Refusal, origin: Option<&str>) -> Value {
    let extensions = members(refusal, origin);
    json!({"data": null, "errors": [{"message": refusal.line, "extensions": extensions}]})
}

/// What a program reads, the same in both shapes.
fn members(refusal: &Refusal, origin: Option<&str>) -> Map<String, Value> {
    let status_url = refusal.status_path.as_ref().map(|path| {
        let origin = origin.unwrap_or_default();
        format!("{origin}{path}")
    });
    let mut members = Map::new();
    members.insert("code".to_owned(), json!(refusal.kind.word()));
    let optional = [
        ("hold_id", refusal.hold.as_ref().map(|hold| json!(hold))),
        ("status_url", status_url.map(Value::from)),
        ("advice", Some(json!(refusal.advice))),
        (
            "instead",
            refusal.instead.as_ref().map(|instead| json!(instead)),
        ),
        ("retry_after_s", refusal.retry_after_s.map(Value::from)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use tagout_core::ids::HoldId;

    async fn sent(refusal: &Refusal, shape: Shape) -> (u16, HeaderMap, String) {
        let reply = refusal_reply(refusal, shape, Some("https://gateway"));
        let body = reply.body.collect().await.unwrap().to_bytes();
        (
            reply.status.as_u16(),
            reply.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    fn of(kind: RefusalKind) -> Refusal {
        Refusal::new(kind, "x.")
    }

    #[tokio::test]
    async fn every_kind_has_its_status_in_both_shapes() {
        let refills = Refusal {
            retry_after_s: Some(30),
            ..of(RefusalKind::Budget)
        };
        for (refusal, http, graphql, retry_after) in [
            (of(RefusalKind::Held), 423, 200, None),
            (of(RefusalKind::Denied), 403, 200, None),
            (of(RefusalKind::Scheduled), 202, 200, None),
            (of(RefusalKind::Done), 200, 200, None),
            (of(RefusalKind::Budget), 403, 200, None),
            (refills, 429, 200, Some("30")),
            (of(RefusalKind::Rate), 429, 200, Some("1")),
            (of(RefusalKind::Frozen), 503, 200, Some("60")),
            (of(RefusalKind::Unrecorded), 503, 200, Some("60")),
            (of(RefusalKind::Upstream), 502, 200, None),
            (of(RefusalKind::Token), 401, 401, None),
        ] {
            for (shape, expected) in [(Shape::Http, http), (Shape::GraphQl, graphql)] {
                let (status, headers, body) = sent(&refusal, shape).await;
                assert_eq!(status, expected, "{refusal:?} {shape:?}");
                let waits = headers
                    .get("retry-after")
                    .map(|value| value.to_str().unwrap());
                assert_eq!(waits, retry_after, "{refusal:?} {shape:?}");
                assert!(!headers.contains_key("www-authenticate"));
                assert_eq!(
                    headers["content-length"].to_str().unwrap(),
                    body.len().to_string()
                );
                let lower = body.to_lowercase();
                assert!(
                    !lower.contains("unauthorized") && !lower.contains("forbidden"),
                    "{body}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_hold_over_plain_http() {
        let hold = HoldId::from_bits([7; 16]);
        let mut refusal = Refusal::held(hold.clone(), "DELETE /agents/7 in production", 1);
        refusal.instead = Some("GET /agents/7".to_owned());
        let (_, headers, body) = sent(&refusal, Shape::Http).await;
        assert_eq!(headers["content-type"], "application/problem+json");
        let line = format!(
            "HELD by tagout ({hold}): DELETE /agents/7 in production needs a person's approval. It was not executed."
        );
        let expected = json!({
            "type": "about:blank",
            "title": line,
            "status": 423,
            "detail": refusal.text(),
            "code": "HELD",
            "hold_id": hold,
            "status_url": format!("https://gateway/.tagout/holds/{hold}"),
            "advice": refusal.advice,
            "instead": "GET /agents/7",
        });
        assert_eq!(body, expected.to_string());
    }

    #[tokio::test]
    async fn a_hold_over_graphql() {
        let hold = HoldId::from_bits([7; 16]);
        let refusal = Refusal::held(hold.clone(), "volumeDelete", 2);
        let (_, headers, body) = sent(&refusal, Shape::GraphQl).await;
        assert_eq!(headers["content-type"], "application/json");
        let expected = json!({"data": null, "errors": [{
            "message": format!("HELD by tagout ({hold}): volumeDelete needs two people's approval. It was not executed."),
            "extensions": {
                "code": "HELD",
                "hold_id": hold,
                "status_url": format!("https://gateway/.tagout/holds/{hold}"),
                "advice": refusal.advice,
            },
        }]});
        assert_eq!(body, expected.to_string());
    }

    #[tokio::test]
    async fn a_batch_gets_as_many_answers() {
        let shape = Shape::at("/graphql/v2").for_batch(b" [{\"query\":\"a\"},{\"query\":\"b\"}]");
        let (_, _, body) = sent(&of(RefusalKind::Denied), shape).await;
        let answers: Vec<Value> = serde_json::from_str(&body).unwrap();
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[1]["errors"][0]["message"], "DENIED by tagout: x.");
        for (target, body, shape) in [
            ("/graphql/v2", "{}", Shape::GraphQl),
            ("/graphql/v2", "[", Shape::GraphQl),
            ("/api/graphql?x", "[]", Shape::GraphQl),
            ("/agents", "[1]", Shape::Http),
        ] {
            assert_eq!(
                Shape::at(target).for_batch(body.as_bytes()),
                shape,
                "{target} {body}"
            );
        }
    }

    #[tokio::test]
    async fn a_missing_token_is_plain_text() {
        let (_, headers, body) = sent(&of(RefusalKind::Token), Shape::GraphQl).await;
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
        assert!(body.starts_with("TOKEN by tagout: x.\n"), "{body}");
    }
}
