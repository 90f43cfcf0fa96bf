//! What an operation acts on: `kind:id`, `kind:*` for all of a kind.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A thing in an upstream, written `kind:id`, with `kind:*` for all of that kind and `*:*` for
/// anything. Ids are an agent's text until they are resolved: print them through `Untrusted` only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Resource {
    kind: String,
    id: String,
}

/// Why a text is not a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a resource; write `kind:id`, or `kind:*` for all of a kind")]
pub struct NotAResource(pub String);

impl Resource {
    /// One thing.
    #[must_use]
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
        }
    }

    /// All things of a kind.
    #[must_use]
    pub fn all(kind: impl Into<String>) -> Self {
        Self::new(kind, "*")
    }

    /// Anything at all: what is meant when nothing was understood.
    #[must_use]
    pub fn anything() -> Self {
        Self::new("*", "*")
    }

    /// The kind: `volume`, `table`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The id, or `*`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether this, read as a pattern, covers `other`. `*` covers everything, and only `*` covers `*`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let part = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        part(&self.kind, &other.kind) && part(&self.id, &other.id)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

impl From<Resource> for String {
    fn from(resource: Resource) -> Self {
        resource.to_string()
    }
}

impl TryFrom<String> for Resource {
    type Error = NotAResource;

    fn try_from(text: String) -> Result<Self, NotAResource> {
        match text.split_once(':') {
            Some((kind, id)) if !kind.is_empty() && !id.is_empty() => Ok(Self::new(kind, id)),
            _ => Err(NotAResource(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> Resource {
        Resource::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn patterns_cover() {
        for (pattern, other, covers) in [
            ("volume:a", "volume:a", true),
            ("volume:a", "volume:b", false),
            ("volume:*", "volume:a", true),
            ("volume:*", "volume:*", true),
            ("volume:a", "volume:*", false),
            ("volume:*", "service:a", false),
            ("*:*", "service:*", true),
        ] {
            assert_eq!(
                resource(pattern).covers(&resource(other)),
                covers,
                "{pattern} {other}"
            );
        }
    }

    #[test]
    fn text_round_trips_and_keeps_later_colons() {
        assert_eq!(resource("route:GET /a:b").id(), "GET /a:b");
        assert_eq!(resource("route:GET /a:b").to_string(), "route:GET /a:b");
        for bad in ["", "volume", ":a", "volume:"] {
            assert!(Resource::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
