//! Ways to write one request.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::requests::message;

/// A small generator of numbers, so that every failure can be repeated by its seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % sides as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

/// A call: its name, its arguments with their types, and what it asks for.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) args: Vec<(&'static str, &'static str, Value)>,
    pub(crate) enums: &'static [&'static str],
    pub(crate) below: &'static str,
}

/// One way to write it: the GraphQL request, and the HTTP message that carries it.
pub(crate) struct Written {
    pub(crate) request: Value,
    pub(crate) bytes: Bytes,
}

pub(crate) fn rewrite(call: &Call, seed: u64) -> Written {
    let mut writer = Writer {
        dice: Dice::new(seed),
        variables: Map::new(),
        declared: Vec::new(),
        names: 0,
    };
    let (document, operation) = writer.document(call);
    let variables = std::mem::take(&mut writer.variables);
    let mut request = json!({"query": document, "variables": variables});
    if let Some(name) = operation {
        request["operationName"] = json!(name);
    }
    let bytes = writer.transport(&request);
    Written { request, bytes }
}

struct Writer {
    dice: Dice,
    variables: Map<String, Value>,
    declared: Vec<String>,
    names: usize,
}

impl Writer {
    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// Tokens joined by ignored ones.
    fn join(&mut self, tokens: &[String]) -> String {
        let mut out = String::new();
        for token in tokens {
            out.push_str(&self.ignored());
            out.push_str(token);
        }
        out + &self.ignored()
    }

    fn ignored(&mut self) -> String {
        let mut out = String::from(" ");
        for _ in 0..self.dice.roll(3) {
            out.push_str(self.dice.pick(&[
                " ",
                "\t",
                "\n",
                "\r\n",
                ",",
                ",,",
                "#volumeDelete(\"\n",
                "# }\r",
            ]));
        }
        out
    }

    fn document(&mut self, call: &Call) -> (String, Option<String>) {
        let field = self.field(call);
        let mut fragments = Vec::new();
        let root = self.wrapped(field, &mut fragments, 0);
        let others = self.dice.one_in(3);
        let name = if others || self.dice.one_in(2) {
            Some(self.fresh("Op"))
        } else {
            None
        };
        let mut operation = vec!["mutation".to_owned()];
        operation.extend(name.clone());
        if !self.declared.is_empty() {
            operation.push("(".to_owned());
            operation.extend(std::mem::take(&mut self.declared));
            operation.push(")".to_owned());
        }
        operation.push("{".to_owned());
        operation.extend(root);
        operation.push("}".to_owned());
        let mut definitions = fragments;
        definitions.push(operation);
        if others {
            definitions.push(vec!["query Other { me { id } }".to_owned()]);
        }
        let at = self.dice.roll(definitions.len());
        definitions.rotate_left(at);
        let sent = if others || self.dice.one_in(2) {
            name
        } else {
            None
        };
        let tokens: Vec<String> = definitions.into_iter().flatten().collect();
        (self.join(&tokens), sent)
    }

    /// A field within fragments, perhaps.
    fn wrapped(
        &mut self,
        field: Vec<String>,
        fragments: &mut Vec<Vec<String>>,
        depth: usize,
    ) -> Vec<String> {
        if depth > 3 {
            return field;
        }
        let directives = self.directives();
        let open = |head: &[&str]| {
            head.iter()
                .map(|token| (*token).to_owned())
                .collect::<Vec<_>>()
        };
        match self.dice.roll(5) {
            0 | 1 => field,
            2 => {
                let inner = self.wrapped(field, fragments, depth + 1);
                [
                    open(&["..."]),
                    directives,
                    open(&["{"]),
                    inner,
                    open(&["}"]),
                ]
                .concat()
            }
            3 => {
                let inner = self.wrapped(field, fragments, depth + 1);
                [
                    open(&["...", "on", "Mutation"]),
                    directives,
                    open(&["{"]),
                    inner,
                    open(&["}"]),
                ]
                .concat()
            }
            _ => {
                let name = self.fresh("F");
                let inner = self.wrapped(field, fragments, depth + 1);
                fragments.push(
                    [
                        open(&["fragment", &name, "on", "Mutation", "{"]),
                        inner,
                        open(&["}"]),
                    ]
                    .concat(),
                );
                [open(&["...", &name]), directives].concat()
            }
        }
    }

    fn field(&mut self, call: &Call) -> Vec<String> {
        let mut out = Vec::new();
        if self.dice.one_in(2) {
            out.push(self.fresh("alias"));
            out.push(":".to_owned());
        }
        out.push(call.name.to_owned());
        let mut args = call.args.clone();
        let at = self.dice.roll(args.len());
        args.rotate_left(at);
        out.push("(".to_owned());
        for (name, ty, value) in &args {
            out.push((*name).to_owned());
            out.push(":".to_owned());
            out.extend(self.argument(ty, value, call.enums));
        }
        out.push(")".to_owned());
        out.extend(self.directives());
        if !call.below.is_empty() {
            out.push(call.below.to_owned());
        }
        let twice = self.dice.one_in(6);
        let mut fields = out.clone();
        if twice {
            fields.extend(out);
        }
        if self.dice.one_in(4) {
            fields.push("skipped: projectDelete(id: \"other\") @include(if: false)".to_owned());
        }
        fields
    }

    fn directives(&mut self) -> Vec<String> {
        match self.dice.roll(6) {
            0 => vec!["@include(if: true)".to_owned()],
            1 => vec!["@skip(if: false)".to_owned()],
            2 => vec!["@skip(if: false) @include(if: true)".to_owned()],
            3 => {
                let name = self.fresh("b");
                self.declared.push(format!("${name}: Boolean!"));
                self.variables.insert(name.clone(), json!(true));
                vec![format!("@include(if: ${name})")]
            }
            _ => Vec::new(),
        }
    }

    /// An argument as a literal, as a variable, or as a variable's default.
    fn argument(&mut self, ty: &str, value: &Value, enums: &[&str]) -> Vec<String> {
        match self.dice.roll(3) {
            0 => {
                let name = self.fresh("v");
                self.declared.push(format!("${name}: {ty}"));
                self.variables.insert(name.clone(), value.clone());
                vec![format!("${name}")]
            }
            1 => {
                let name = self.fresh("d");
                let literal = self.literal(value, enums);
                self.declared.push(format!("${name}: {ty} = {literal}"));
                vec![format!("${name}")]
            }
            _ => vec![self.literal(value, enums)],
        }
    }

    fn literal(&mut self, value: &Value, enums: &[&str]) -> String {
        match value {
            Value::String(word) if enums.contains(&word.as_str()) => word.clone(),
            Value::String(text) => self.string(text),
            Value::Array(items) => {
                let items: Vec<String> =
                    items.iter().map(|item| self.literal(item, enums)).collect();
                format!("[{}{}]", items.join(" , "), self.dice.pick(&["", ",", " "]))
            }
            Value::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| {
                        format!(
                            "{name}{}:{}",
                            self.dice.pick(&["", " "]),
                            self.literal(value, enums)
                        )
                    })
                    .collect();
                format!("{{{}}}", members.join(self.dice.pick(&[" ", ",", "\n"])))
            }
            leaf => leaf.to_string(),
        }
    }

    fn string(&mut self, text: &str) -> String {
        let plain_lines = !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_graphic() && c != '\\' && c != '"');
        if plain_lines && self.dice.one_in(4) {
            return format!(
                "\"\"\"{}{text}{}\"\"\"",
                self.dice.pick(&["", "\n  ", "\r\n\t"]),
                self.dice.pick(&["", "\n", "\n   "])
            );
        }
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                _ if self.dice.one_in(5) || c.is_control() => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04X}"));
                    }
                }
                _ => out.push(c),
            }
        }
        out + "\""
    }

    fn transport(&mut self, request: &Value) -> Bytes {
        let bare = request["variables"].as_object().is_none_or(Map::is_empty)
            && request.get("operationName").is_none();
        let query = request["query"].as_str().unwrap();
        match self.dice.roll(8) {
            0 => self.get(request),
            1 => self.form(request),
            2 if bare => message("content-type: application/graphql\r\n", query.as_bytes()),
            3 => {
                let body = format!("[{}]", self.json_text(request));
                self.post(body.as_bytes())
            }
            _ => {
                let body = self.json_text(request);
                self.post(body.as_bytes())
            }
        }
    }

    fn post(&mut self, body: &[u8]) -> Bytes {
        let kind = self.dice.pick(&[
            "",
            "content-type: application/json\r\n",
            "Content-Type: application/json; charset=UTF-8\r\n",
            "content-type: application/x-www-form-urlencoded\r\n",
            "content-type: text/plain\r\n",
            "content-type: application/graphql-response+json\r\n",
            "content-type: image/png\r\n",
        ]);
        match self.dice.roll(4) {
            0 => message(&format!("{kind}content-encoding: gzip\r\n"), &gzip(body)),
            1 if body.len() <= 65536 => {
                message(&format!("{kind}Content-Encoding: BR\r\n"), &brotli(body))
            }
            2 => self.chunked(kind, body),
            _ => message(kind, body),
        }
    }

    fn chunked(&mut self, kind: &str, body: &[u8]) -> Bytes {
        let mut out = format!("POST /graphql/v2 HTTP/1.1\r\nhost: backboard.railway.com\r\n{kind}transfer-encoding: chunked\r\n\r\n").into_bytes();
        let size = 1 + self.dice.roll(body.len());
        for chunk in body.chunks(size) {
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n\r\n");
        out.into()
    }

    fn pairs(&mut self, request: &Value) -> String {
        let mut pairs = vec![format!(
            "query={}",
            self.percent(request["query"].as_str().unwrap())
        )];
        let variables = self.json_text(&request["variables"]);
        pairs.push(format!("variables={}", self.percent(&variables)));
        if let Some(name) = request.get("operationName") {
            pairs.push(format!("operationName={}", name.as_str().unwrap()));
        }
        let at = self.dice.roll(pairs.len());
        pairs.rotate_left(at);
        pairs.join("&")
    }

    fn get(&mut self, request: &Value) -> Bytes {
        let pairs = self.pairs(request);
        format!("GET /graphql/v2?{pairs} HTTP/1.1\r\nHost: backboard.railway.com\r\n\r\n").into()
    }

    fn form(&mut self, request: &Value) -> Bytes {
        let pairs = self.pairs(request);
        message(
            "content-type: application/x-www-form-urlencoded\r\n",
            pairs.as_bytes(),
        )
    }

    fn percent(&mut self, text: &str) -> String {
        let mut out = String::new();
        for byte in text.bytes() {
            match byte {
                b' ' if self.dice.one_in(2) => out.push('+'),
                b'a'..=b'z' | b'0'..=b'9' if !self.dice.one_in(8) => out.push(char::from(byte)),
                _ => out.push_str(&format!("%{byte:02x}")),
            }
        }
        out
    }

    /// JSON with its own freedoms: order, white space, escapes, members that nobody reads.
    fn json_text(&mut self, value: &Value) -> String {
        match value {
            Value::Object(members) => {
                let mut members: Vec<(String, Value)> = members
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                if members.iter().any(|(name, _)| name == "query") && self.dice.one_in(4) {
                    members.push((
                        "extensions".to_owned(),
                        json!({"persistedQuery": {"version": 1, "sha256Hash": "00"}}),
                    ));
                }
                if !members.is_empty() {
                    let at = self.dice.roll(members.len());
                    members.rotate_left(at);
                }
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| {
                        format!(
                            "{}{}:{}",
                            self.json_string(name),
                            self.dice.pick(&["", " ", "\n"]),
                            self.json_text(value)
                        )
                    })
                    .collect();
                format!("{{{}}}", members.join(self.dice.pick(&[",", " ,\t"])))
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.json_text(item)).collect();
                format!("[{}]", items.join(","))
            }
            Value::String(text) => self.json_string(text),
            leaf => leaf.to_string(),
        }
    }

    fn json_string(&mut self, text: &str) -> String {
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                _ if c.is_control() || self.dice.one_in(10) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                _ => out.push(c),
            }
        }
        out + "\""
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A brotli stream with one stored block (RFC 7932, section 9.2) and an empty last one.
pub(crate) fn brotli(body: &[u8]) -> Vec<u8> {
    if body.is_empty() {
        return vec![0x06];
    }
    let header = u32::try_from(body.len() - 1).unwrap() << 4 | 1 << 20;
    let mut out = header.to_le_bytes()[..3].to_vec();
    out.extend_from_slice(body);
    out.push(3);
    out
}
