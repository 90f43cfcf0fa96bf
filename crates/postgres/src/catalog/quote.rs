//! Writing values into our own look-ups. Names come from agents, so nothing here may end a literal early,
//! whatever `standard_conforming_strings` is; and every operator names its schema, so that an operator of
//! somebody else's never runs inside a look-up.

use std::fmt::Write as _;

/// `=`, whatever the search path.
pub(super) const EQ: &str = "OPERATOR(pg_catalog.=)";
/// `>=`, whatever the search path.
pub(super) const GE: &str = "OPERATOR(pg_catalog.>=)";
/// `<>`, whatever the search path.
pub(super) const NE: &str = "OPERATOR(pg_catalog.<>)";

/// A literal of type `text`. A NUL, which no name can have, becomes U+FFFD and so finds nothing.
pub(super) fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 24);
    out.push_str("E'");
    for c in value.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push_str("'::pg_catalog.text");
    out
}

/// A literal of type `text`, or NULL.
pub(super) fn text_or_null(value: Option<&str>) -> String {
    value.map_or_else(|| "NULL::pg_catalog.text".to_owned(), text)
}

/// An array of type `text[]`.
pub(super) fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = values.into_iter().map(text).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", quoted.join(","))
}

/// An array of type `oid[]`.
pub(super) fn oids(values: impl IntoIterator<Item = u32>) -> String {
    let mut out = String::from("'{");
    for (index, oid) in values.into_iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(out, "{comma}{oid}");
    }
    out.push_str("}'::pg_catalog.oid[]");
    out
}

/// A name as an identifier, always quoted.
pub(super) fn identifier(name: &str) -> String {
    format!(
        "\"{}\"",
        name.replace('"', "\"\"").replace('\0', "\u{fffd}")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_literal_early() {
        for (value, written) in [
            ("users", "E'users'::pg_catalog.text"),
            ("a'b", "E'a''b'::pg_catalog.text"),
            ("a\\' OR 1", "E'a\\\\'' OR 1'::pg_catalog.text"),
            ("a\0b", "E'a\u{fffd}b'::pg_catalog.text"),
        ] {
            assert_eq!(text(value), written);
        }
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(oids([1, 20]), "'{1,20}'::pg_catalog.oid[]");
        assert_eq!(oids([]), "'{}'::pg_catalog.oid[]");
    }
}
