//! The canonical form that digests are taken over: canonical JSON.
//!
//! One value has one text: UTF-8, no white space, object keys sorted by their bytes and never twice,
//! strings with only `"`, `\` and controls below U+0020 escaped (`\b \t \n \f \r`, else `\u00xx` in
//! lower case), numbers as `serde_json` prints them (whole numbers plainly). That is RFC 8785 for the
//! values that occur here. A digest is `SHA-256(prefix ‖ 0x00 ‖ text)`; each use has its own prefix,
//! so that no signed text can be taken for another kind of text.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The canonical text of a JSON value.
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    let mut out = Vec::new();
    write_value(value, &mut out);
    // JSON is written in UTF-8, always.
    String::from_utf8(out).unwrap_or_default()
}

/// The canonical text of anything that serialises to JSON. What can't be serialised (a map with keys
/// that are not strings) is a programming error and gives the text `null`, which no caller accepts.
#[must_use]
pub fn canonical_text<T: Serialize>(value: &T) -> String {
    canonical_json(&serde_json::to_value(value).unwrap_or(Value::Null))
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) => write_list(items, out),
        Value::Object(members) => write_object(members, out),
        leaf => write_leaf(leaf, out),
    }
}

/// Without a copy in between.
fn write_leaf<T: Serialize + ?Sized>(leaf: &T, out: &mut Vec<u8>) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, leaf).is_err() {
        // Writing plain values into memory has nothing to fail at.
        out.truncate(before);
    }
}

fn write_list(items: &[Value], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_value(item, out);
    }
    out.push(b']');
}

fn write_object(members: &serde_json::Map<String, Value>, out: &mut Vec<u8>) {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    out.push(b'{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_leaf(key.as_str(), out);
        out.push(b':');
        write_value(value, out);
    }
    out.push(b'}');
}

/// `SHA-256(prefix ‖ 0x00 ‖ bytes)`.
#[must_use]
pub fn prefixed_hash(prefix: &str, bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(prefix.as_bytes());
    hash.update([0]);
    hash.update(bytes);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_value_has_one_text() {
        let value = json!({"b": [1, -2, true, null], "a": {"é": "x\n\u{1}\"\\/"}, "B": 0.5});
        let text = r#"{"B":0.5,"a":{"é":"x\n\u0001\"\\/"},"b":[1,-2,true,null]}"#;
        assert_eq!(canonical_json(&value), text);
        let again: Value = serde_json::from_str(text).unwrap();
        assert_eq!(canonical_json(&again), text);
    }

    #[test]
    fn prefixes_separate_uses() {
        assert_ne!(prefixed_hash("a", b"bc"), prefixed_hash("ab", b"c"));
        assert_eq!(
            hex::encode(prefixed_hash("tagout/test/v1", b"{}")),
            hex::encode(Sha256::digest(b"tagout/test/v1\0{}"))
        );
    }
}
