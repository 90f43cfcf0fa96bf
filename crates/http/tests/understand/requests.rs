//! Making requests and asking what they mean.

use std::path::Path;

use bytes::Bytes;
use serde_json::{Value, json};
use tagout_core::effect::{Effect, EffectOn, Reach};
use tagout_core::operation::{Attempt, Operation};
use tagout_http::understand::explain::Explainer;
use tagout_http::understand::pack::PackText;
use tagout_http::understand::{Ambiguous, Packs};

/// The built-in packs and the example.
pub(crate) fn packs() -> Packs {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/example-app");
    let example = PackText::read_folder(&folder).unwrap();
    Packs::built_in()
        .unwrap()
        .and(Packs::load(&[example]).unwrap())
}

pub(crate) fn explainer() -> Explainer {
    Explainer::new(packs()).unwrap()
}

/// A message to Railway.
pub(crate) fn message(headers: &str, body: &[u8]) -> Bytes {
    let head = format!(
        "POST /graphql/v2 HTTP/1.1\r\nhost: backboard.railway.app\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

/// The published form: JSON under curl's default content type.
pub(crate) fn curl(query: &str, variables: &Value) -> Bytes {
    let body = json!({"query": query, "variables": variables}).to_string();
    message(
        "content-type: application/x-www-form-urlencoded\r\n",
        body.as_bytes(),
    )
}

pub(crate) fn understand(explainer: &Explainer, bytes: &Bytes) -> Result<Operation, Ambiguous> {
    let attempt = Attempt {
        upstream: explainer.upstream(bytes),
        bytes: bytes.clone(),
    };
    explainer.understanding().classify(&attempt)
}

/// One effect on one line.
pub(crate) fn line(on: &EffectOn) -> String {
    let place = match &on.reach {
        Reach::Everywhere => String::new(),
        Reach::Environment(id) => format!(" in {id}"),
    };
    format!("{} {}{place}", on.effect.word(), on.resource)
}

pub(crate) fn lines(understood: &Result<Operation, Ambiguous>) -> Vec<String> {
    match understood {
        Ok(operation) => operation.effects.iter().map(line).collect(),
        Err(ambiguous) => vec![format!("refused: {ambiguous}")],
    }
}

/// The worst effect; what is refused counts as unknown.
pub(crate) fn worst(understood: &Result<Operation, Ambiguous>) -> Effect {
    understood
        .as_ref()
        .map_or(Effect::Unknown, Operation::worst)
}

/// The body of the message that would be sent.
pub(crate) fn exact_body(operation: &Operation) -> Vec<u8> {
    let bytes = operation.exact.bytes();
    let head = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    bytes[head + 4..].to_vec()
}
