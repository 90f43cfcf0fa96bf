//! What a session submits: one statement, or all the statements of one transaction, with everything that
//! decides what they mean. These are the attempt's bytes; they are stored with a hold, classified again,
//! and compared bit by bit with what was approved.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tagout_core::canonical::canonical_text;
use tagout_core::untrusted::Untrusted;

/// Longest text of one statement in a summary, in characters.
const SUMMARY_CHARS: usize = 160;

/// A whole unit of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// The names under which its texts are read.
    pub names: Names,
    /// The statements, in order.
    pub steps: Vec<Step>,
}

/// What decides to which objects names refer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The database's identity: `<system identifier>/<oid>`.
    pub database: String,
    /// The role that acts.
    pub role: String,
    /// The effective search path, as PostgreSQL resolves it.
    pub search_path: Vec<String>,
}

/// One statement as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its text.
    pub sql: String,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// What was copied in with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied: Option<Copied>,
}

/// A parameter's value in the format in which it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// SQL's null.
    Null,
    /// In text format.
    Text(String),
    /// In binary format, or text that is not UTF-8: base64.
    Binary(String),
}

/// Data that came with `COPY … FROM STDIN`: bulk payload, shown by size and hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copied {
    /// How many bytes.
    pub bytes: u64,
    /// SHA-256 of all of them, hexadecimal.
    pub sha256: String,
}

impl Parameter {
    /// A value as a Bind message carries it: `None` for null, format 0 for text.
    #[must_use]
    pub fn new(value: Option<&[u8]>, format: i16) -> Self {
        let Some(value) = value else {
            return Self::Null;
        };
        match std::str::from_utf8(value) {
            Ok(text) if format == 0 => Self::Text(text.to_owned()),
            _ => Self::Binary(STANDARD.encode(value)),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Text(text) => format!("'{text}'"),
            Self::Binary(base64) => format!("(binary, base64) {base64}"),
        }
    }
}

impl Step {
    /// A statement without parameters.
    #[must_use]
    pub fn plain(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            parameters: Vec::new(),
            copied: None,
        }
    }

    fn shown(&self) -> String {
        let mut text = self.sql.clone();
        for (index, parameter) in self.parameters.iter().enumerate() {
            text.push_str(&format!("\n  ${} = {}", index + 1, parameter.shown()));
        }
        if let Some(copied) = &self.copied {
            text.push_str(&format!(
                "\n  with {} bytes of data, SHA-256 {}",
                copied.bytes, copied.sha256
            ));
        }
        text
    }
}

impl Unit {
    /// The attempt's bytes: one way to write each unit.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        Bytes::from(canonical_text(self))
    }

    /// Reads an attempt's bytes; `None` if they are not a unit's.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// One line.
    #[must_use]
    pub fn summary(&self) -> Untrusted {
        let cut = |step: &Step| {
            let words: Vec<_> = step.sql.split_whitespace().collect();
            let line = words.join(" ");
            match line.char_indices().nth(SUMMARY_CHARS) {
                Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
                None => line,
            }
        };
        match self.steps.as_slice() {
            [] => Untrusted::new("nothing"),
            [one] => Untrusted::new(cut(one)),
            [first, rest @ ..] => {
                let text = format!(
                    "{} (and {} more in one transaction)",
                    cut(first),
                    rest.len()
                );
                Untrusted::new(text)
            }
        }
    }

    /// All that a person signs, whole.
    #[must_use]
    pub fn shown(&self) -> Untrusted {
        let path = self.names.search_path.join(", ");
        let head = format!("-- as role {}, search path {path}\n", self.names.role);
        let steps: Vec<_> = self.steps.iter().map(Step::shown).collect();
        let body = steps.join(";\n");
        if self.steps.len() > 1 {
            return Untrusted::new(format!("{head}BEGIN;\n{body};\nCOMMIT"));
        }
        Untrusted::new(head + &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(steps: Vec<Step>) -> Unit {
        Unit {
            names: Names {
                database: "7/5".to_owned(),
                role: "app".to_owned(),
                search_path: vec!["pg_catalog".to_owned(), "public".to_owned()],
            },
            steps,
        }
    }

    #[test]
    fn a_unit_comes_back_from_its_bytes() {
        let unit = unit(vec![
            Step::plain("select 1"),
            Step {
                sql: "delete from users where id = $1".to_owned(),
                parameters: vec![
                    Parameter::new(Some(b"7"), 0),
                    Parameter::new(None, 0),
                    Parameter::new(Some(&[0xff]), 0),
                    Parameter::new(Some(b"7"), 1),
                ],
                copied: Some(Copied {
                    bytes: 3,
                    sha256: "aa".to_owned(),
                }),
            },
        ]);
        assert_eq!(Unit::from_bytes(&unit.bytes()), Some(unit));
        assert_eq!(Unit::from_bytes(b"{}"), None);
        assert_eq!(Unit::from_bytes(b"select 1"), None);
    }

    #[test]
    fn a_person_sees_all_of_it() {
        let one = unit(vec![Step {
            sql: "delete from users\nwhere id = $1".to_owned(),
            parameters: vec![Parameter::Text("7".to_owned())],
            copied: None,
        }]);
        assert_eq!(one.summary().raw(), "delete from users where id = $1");
        assert_eq!(
            one.shown().raw(),
            "-- as role app, search path pg_catalog, public\ndelete from users\nwhere id = $1\n  $1 = '7'"
        );
        let two = unit(vec![
            Step::plain("drop table a"),
            Step::plain("drop table b"),
        ]);
        assert_eq!(
            two.summary().raw(),
            "drop table a (and 1 more in one transaction)"
        );
        assert!(
            two.shown()
                .raw()
                .ends_with("BEGIN;\ndrop table a;\ndrop table b;\nCOMMIT")
        );
    }
}
