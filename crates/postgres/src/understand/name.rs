//! Names as they stand in a statement, and how they are written for people and policies.

use std::fmt;

use pg_query::protobuf as pb;
use pg_query::{Node, NodeEnum};

pub(super) use super::statement::Name;
use super::statement::Object;

/// The schema whose objects come with the server.
pub(crate) const SYSTEM_SCHEMA: &str = "pg_catalog";

impl Name {
    /// A name without a schema.
    #[must_use]
    pub fn bare(name: impl Into<String>) -> Self {
        Self {
            schema: None,
            name: name.into(),
        }
    }

    /// A name in a schema.
    #[must_use]
    pub fn within(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: Some(schema.into()),
            name: name.into(),
        }
    }

    /// Whether it names, or may name, something in `pg_catalog`: that schema is searched first where no
    /// schema is named.
    #[must_use]
    pub fn may_be_systems(&self) -> bool {
        self.schema
            .as_deref()
            .is_none_or(|schema| schema == SYSTEM_SCHEMA)
    }

    /// The name that a list of its parts means: `name`, `schema.name` or `database.schema.name`.
    pub(super) fn from_parts(parts: &[&str]) -> Option<Self> {
        match parts {
            [name] => Some(Self::bare(*name)),
            [.., schema, name] => Some(Self::within(*schema, *name)),
            [] => None,
        }
    }

    /// The same for the nodes in which the grammar keeps those parts.
    pub(super) fn from_nodes(nodes: &[Node]) -> Option<Self> {
        let parts: Vec<&str> = nodes.iter().filter_map(text).collect();
        (parts.len() == nodes.len())
            .then(|| Self::from_parts(&parts))
            .flatten()
    }

    pub(super) fn of_relation(relation: &pb::RangeVar) -> Self {
        Self {
            schema: non_empty(&relation.schemaname),
            name: relation.relname.clone(),
        }
    }
}

/// `schema.name`; a part that could be read in two ways stands in quotes.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", Part(schema))?;
        }
        write!(f, "{}", Part(&self.name))
    }
}

struct Part<'a>(&'a str);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |each: char| !each.is_control() && !matches!(each, '.' | '"' | '*' | ' ');
        if !self.0.is_empty() && self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

impl Object {
    /// A thing of that kind and name.
    #[must_use]
    pub const fn new(kind: &'static str, name: Name) -> Self {
        Self {
            kind,
            name: Some(name),
        }
    }

    /// All of a kind, or one that the text cannot tell.
    #[must_use]
    pub const fn all(kind: &'static str) -> Self {
        Self { kind, name: None }
    }
}

/// The text of a string node.
pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(string)) => Some(&string.sval),
        _ => None,
    }
}

/// The text, unless it is empty: protobuf's way to say that there is none.
pub(super) fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_so_that_they_have_one_reading() {
        for (name, written) in [
            (Name::bare("users"), "users"),
            (Name::within("public", "User"), "public.User"),
            (Name::bare("public.users"), "\"public.users\""),
            (Name::bare("*"), "\"*\""),
            (Name::within("a\"b", "c"), "\"a\"\"b\".c"),
            (Name::bare("a\nb"), "\"a\nb\""),
            (Name::bare(""), "\"\""),
        ] {
            assert_eq!(name.to_string(), written);
        }
    }
}
