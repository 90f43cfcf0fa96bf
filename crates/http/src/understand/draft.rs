//! What a surface makes of a message, before it becomes an operation with exact bytes.

use bytes::Bytes;
use serde_json::{Value, json};
use tagout_core::digest::BytesDigest;
use tagout_core::effect::{Effect, EffectOn};
use tagout_core::ids::UpstreamName;
use tagout_core::operation::{Exact, Operation, SecretPath};
use tagout_core::resource::Resource;
use tagout_core::untrusted::Untrusted;

use super::encoding::{self, Content};
use super::message::Message;

/// Characters of a summary.
const SUMMARY: usize = 300;

/// An operation to be.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) summary: String,
    pub(crate) shown: String,
    pub(crate) canonical: Value,
    /// The content type and the bytes.
    pub(crate) body: Option<(String, Bytes)>,
    pub(crate) effects: Vec<EffectOn>,
    pub(crate) secrets: Vec<SecretPath>,
}

/// A message that could not be understood: one unknown effect on anything.
pub(crate) fn not_understood(message: &Message, why: &str) -> Draft {
    raw(
        message,
        vec![EffectOn::new(Effect::Unknown, Resource::anything(), why)],
    )
}

/// A `GET` of a GraphQL path without a query.
pub(crate) fn page(message: &Message) -> Draft {
    let on = Resource::new("path", &message.path);
    raw(
        message,
        vec![EffectOn::new(Effect::Read, on, "a page without a query")],
    )
}

/// A message with its body as it came, decompressed where possible.
pub(crate) fn raw(message: &Message, effects: Vec<EffectOn>) -> Draft {
    let line = format!("{} {}", message.method, message.target());
    let body = raw_body(message);
    let shown = match &body {
        Some((_, bytes)) => format!("{line}\n{}", body_text(bytes)),
        None => line.clone(),
    };
    let hash = body
        .as_ref()
        .map(|(kind, bytes)| json!([kind, BytesDigest::of(bytes)]));
    Draft {
        method: message.method.clone(),
        target: message.target(),
        canonical: json!({"http": [message.method, message.target(), hash]}),
        summary: line,
        shown,
        body,
        effects,
        secrets: Vec::new(),
    }
}

/// Text as it is; of other content, size and hash.
fn body_text(bytes: &Bytes) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("body: {} bytes, {}", bytes.len(), BytesDigest::of(bytes)),
    }
}

/// The body as it came, decompressed where possible, with its content type.
pub(crate) fn raw_body(message: &Message) -> Option<(String, Bytes)> {
    let bytes = match encoding::content(message) {
        Content::Plain(bytes) => bytes,
        Content::Sealed(_) => message.body.clone(),
    };
    if bytes.is_empty() {
        return None;
    }
    let kind = message
        .header("content-type")
        .unwrap_or("application/octet-stream");
    Some((kind.to_owned(), bytes))
}

impl Draft {
    /// The operation, with the message written anew.
    pub(crate) fn finish(self, upstream: &UpstreamName, message: &Message) -> Operation {
        let exact = Exact::new(self.written(message));
        Operation {
            upstream: upstream.clone(),
            summary: Untrusted::new(short(&self.summary)),
            exact,
            shown: Untrusted::new(self.shown),
            canonical: self.canonical,
            effects: self.effects,
            secrets: self.secrets,
        }
    }

    fn written(&self, message: &Message) -> Bytes {
        let mut out = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in message
            .headers
            .iter()
            .filter(|(name, _)| passes(name, message))
        {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some((kind, bytes)) = &self.body {
            out.push_str(&format!("content-type: {kind}\r\n"));
            if matches!(encoding::content(message), Content::Sealed(_))
                && let Some(coding) = message.header("content-encoding")
            {
                out.push_str(&format!("content-encoding: {coding}\r\n"));
            }
            out.push_str(&format!("content-length: {}\r\n", bytes.len()));
        }
        out.push_str("\r\n");
        let mut out = out.into_bytes();
        if let Some((_, bytes)) = &self.body {
            out.extend_from_slice(bytes);
        }
        out.into()
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SUMMARY) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Headers that never pass: credentials, what belongs to one connection, what we write ourselves, what
/// claims where a request came from.
const KEPT_BACK: [&str; 28] = [
    "authorization",
    "cookie",
    "cookie2",
    "project-access-token",
    "x-api-key",
    "api-key",
    "x-auth-token",
    "x-access-token",
    "x-csrf-token",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "expect",
    "http2-settings",
    "content-type",
    "content-length",
    "content-encoding",
    "content-md5",
    "accept-encoding",
    "forwarded",
    "via",
    "x-real-ip",
    "true-client-ip",
];

fn passes(name: &str, message: &Message) -> bool {
    let prefixes = [
        "proxy-",
        "x-forwarded",
        "tagout-",
        "x-tagout-",
        "sec-websocket-",
        "digest",
        "content-digest",
    ];
    let named = message
        .headers
        .iter()
        .filter(|(header, _)| header == "connection");
    let mut named = named.flat_map(|(_, value)| value.split(','));
    !KEPT_BACK.contains(&name)
        && !prefixes.iter().any(|prefix| name.starts_with(prefix))
        && !named.any(|hop| hop.trim().eq_ignore_ascii_case(name))
}
