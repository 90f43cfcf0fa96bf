//! One text for one state, and its digest.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// JSON with sorted keys and no spaces.
pub(crate) fn canonical(value: Value) -> String {
    sorted(value).to_string()
}

/// Lower-case hexadecimal SHA-256 of the canonical text.
pub(crate) fn digest(value: Value) -> String {
    hex::encode(Sha256::digest(canonical(value)))
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut entries: Vec<_> = fields.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(
                entries
                    .into_iter()
                    .map(|(k, v)| (k, sorted(v)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        leaf => leaf,
    }
}
