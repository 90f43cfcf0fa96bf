//! The HTTP messages that carry GraphQL requests, in all the ways in which servers take them.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::dice::Dice;
use super::document::Request;

/// How a body is wrapped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wrapping {
    Plain,
    Gzip,
    Chunked,
}

/// A message before it is written down.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) wrapping: Wrapping,
}

impl Message {
    /// As it stands on the wire, without a credential.
    pub(crate) fn written(&self) -> Bytes {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = match self.wrapping {
            Wrapping::Gzip => {
                head.push_str("content-encoding: gzip\r\n");
                gzip(&self.body)
            }
            _ => self.body.clone(),
        };
        if self.wrapping == Wrapping::Chunked {
            head.push_str("transfer-encoding: chunked\r\n\r\n");
            return [head.as_bytes(), &chunked(&body)].concat().into();
        }
        if !body.is_empty() || self.method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        [head.as_bytes(), b"\r\n", &body].concat().into()
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(97) {
        out.extend(format!("{:x}\r\n", chunk.len()).bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n\r\n");
    out
}

const PATHS: [&str; 3] = ["/graphql/v2", "/graphql/v2", "/graphql/internal"];

/// Content types; what the body is does not follow from them.
pub(crate) const CONTENT_TYPES: [&str; 7] = [
    "application/json",
    "application/json; charset=utf-8",
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/graphql-response+json",
    "application/graphql+json",
    "application/octet-stream",
];

/// Requests in one message: several of them as a batch.
pub(crate) fn carry(requests: &[Request], dice: &mut Dice) -> Message {
    let mut message = Message {
        method: "POST",
        target: (dice.pick(&PATHS)).to_owned(),
        headers: vec![("host", "backboard.railway.com".to_owned())],
        body: Vec::new(),
        wrapping: Wrapping::Plain,
    };
    match requests {
        [one] => match dice.roll(20) {
            0..3 => in_url(&mut message, one, dice),
            3..5 => as_form(&mut message, one, dice),
            5 if one.variables.is_empty() => as_text(&mut message, one),
            _ => {
                let body = one.json(dice);
                as_json(&mut message, &body, dice);
            }
        },
        several => {
            let body = several.iter().map(|request| request.json(dice)).collect();
            as_json(&mut message, &body, dice);
        }
    }
    message
}

fn as_json(message: &mut Message, body: &Value, dice: &mut Dice) {
    let text = if dice.percent(10) {
        format!("\n{body:#}\r\n")
    } else {
        body.to_string()
    };
    let text = if dice.percent(15) {
        escaped(&text, dice)
    } else {
        text
    };
    message.body = text.into_bytes();
    if dice.percent(85) {
        let kind = (dice.pick(&CONTENT_TYPES)).to_owned();
        message.headers.push(("content-type", kind));
    }
    message.wrapping = dice.pick(&[
        Wrapping::Plain,
        Wrapping::Plain,
        Wrapping::Plain,
        Wrapping::Plain,
        Wrapping::Gzip,
        Wrapping::Chunked,
    ]);
    if dice.percent(3) {
        message.method = dice.pick(&["PUT", "PATCH", "DELETE", "GET"]);
    }
}

/// Some letters within strings as `\u…`.
fn escaped(text: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    let (mut in_string, mut after_backslash) = (false, false);
    for letter in text.chars() {
        if in_string && "qmdv{}".contains(letter) && dice.percent(20) {
            out.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            out.push(letter);
        }
        in_string ^= letter == '"' && !after_backslash;
        after_backslash = letter == '\\' && !after_backslash;
    }
    out
}

fn in_url(message: &mut Message, request: &Request, dice: &mut Dice) {
    message.target = format!("{}?{}", message.target, parameters(request, dice));
    message.method = dice.pick(&["GET", "GET", "GET", "POST", "HEAD"]);
}

fn as_form(message: &mut Message, request: &Request, dice: &mut Dice) {
    message.body = parameters(request, dice).into_bytes();
    let kind = "application/x-www-form-urlencoded".to_owned();
    message.headers.push(("content-type", kind));
}

fn as_text(message: &mut Message, request: &Request) {
    message.body = request.query.clone().into_bytes();
    let kind = "application/graphql".to_owned();
    message.headers.push(("content-type", kind));
}

fn parameters(request: &Request, dice: &mut Dice) -> String {
    let mut pairs = vec![format!("query={}", percent(&request.query, dice))];
    if !request.variables.is_empty() || dice.percent(10) {
        let text = Value::Object(request.variables.clone()).to_string();
        pairs.push(format!("variables={}", percent(&text, dice)));
    }
    if let Some(name) = &request.operation_name {
        pairs.push(format!("operationName={}", percent(name, dice)));
    }
    let at = dice.roll(pairs.len());
    pairs.rotate_left(at);
    pairs.join("&")
}

fn percent(text: &str, dice: &mut Dice) -> String {
    let plus = dice.percent(50);
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        b' ' if plus => "+".to_owned(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
