//! Requests that we write in the place of an agent's. They go through the classifier like any other.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use tagout_core::operation::Attempt;

use super::ask::GRAPHQL_PATH;
use crate::message::Message;
use crate::upstream::Registered;

/// The attempt with this document and these variables.
pub(crate) fn attempt(
    to: &Registered,
    query: &str,
    variables: &Map<String, Value>,
) -> Option<Attempt> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_str(&to.authority).ok()?);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let body = json!({"query": query, "variables": variables});
    let message = Message {
        method: Method::POST,
        target: GRAPHQL_PATH.to_owned(),
        headers,
        body: Bytes::from(body.to_string()),
    };
    Some(Attempt {
        upstream: to.upstream.name.clone(),
        bytes: message.write(),
    })
}
