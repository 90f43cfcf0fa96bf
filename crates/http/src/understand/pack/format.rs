//! The files of a pack, as they are written. Unknown keys are errors.

use std::collections::BTreeMap;

use serde::Deserialize;
use tagout_core::effect::Effect;

use super::condition::Path;
use super::rule::{OneOrMore, Rule};

/// `pack.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackFile {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Hosts that speak this interface, in lower case, without ports.
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
    pub(crate) graphql: Option<GraphqlFile>,
    #[serde(default)]
    pub(crate) rest: RestFile,
    /// Fields of objects that hold secrets, wherever they are asked for.
    #[serde(default)]
    pub(crate) secret: Vec<SecretFile>,
    /// Shapes of free-form values: every path that is understood.
    #[serde(default)]
    pub(crate) shape: BTreeMap<String, Vec<Path>>,
}

/// Where GraphQL is spoken.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GraphqlFile {
    pub(crate) paths: Vec<String>,
    /// The names of the root types.
    #[serde(default = "query")]
    pub(crate) query: String,
    #[serde(default = "mutation")]
    pub(crate) mutation: String,
    #[serde(default = "subscription")]
    pub(crate) subscription: String,
}

fn query() -> String {
    "Query".to_owned()
}

fn mutation() -> String {
    "Mutation".to_owned()
}

fn subscription() -> String {
    "Subscription".to_owned()
}

/// What requests mean that no route describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestFile {
    #[serde(default)]
    pub(crate) unmatched: Unmatched,
}

/// What an unmatched request means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unmatched {
    /// Nothing that we could tell.
    #[default]
    Unknown,
    /// Reading methods read; the rest is not understood.
    ReadsOnly,
    /// Reading methods read, `DELETE` destroys, the other usual ones write.
    ByMethod,
}

/// A field that holds a secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretFile {
    /// `Type.field`.
    pub(crate) field: String,
    /// Conditions on the field's arguments; all must hold.
    #[serde(default)]
    pub(crate) when: OneOrMore,
}

/// `routes.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoutesFile {
    #[serde(default)]
    pub(crate) route: Vec<RouteFile>,
}

/// One route.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteFile {
    /// One method or several.
    pub(crate) method: Methods,
    /// `/api/agents/{id}`; `*` is any one segment, `**` at the end any number.
    pub(crate) path: String,
    /// Bodies of any size pass, with size and hash on the record.
    #[serde(default)]
    pub(crate) upload: bool,
    /// Members of the answer that hold secrets: paths with single dots between names.
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
    pub(crate) rule: Rule,
}

/// One method or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Methods {
    One(String),
    Several(Vec<String>),
}

impl Methods {
    pub(crate) fn contains(&self, method: &str) -> bool {
        match self {
            Self::One(one) => one == method,
            Self::Several(several) => several.iter().any(|one| one == method),
        }
    }
}

/// `cases.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CasesFile {
    #[serde(default)]
    pub(crate) must_hold: Vec<CaseFile>,
    #[serde(default)]
    pub(crate) must_allow: Vec<CaseFile>,
    #[serde(default)]
    pub(crate) must_be: Vec<CaseFile>,
}

/// One case: a request, and for `must_be` what it means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseFile {
    pub(crate) name: String,
    /// A GraphQL document …
    pub(crate) graphql: Option<String>,
    /// … with its variables, as JSON.
    pub(crate) variables: Option<String>,
    /// … or a request line …
    pub(crate) request: Option<String>,
    /// … with a body.
    pub(crate) body: Option<String>,
    /// Every effect, in order: `destroy volume:x`, `write service:y in env`.
    pub(crate) effects: Option<Vec<String>>,
    /// The worst effect.
    pub(crate) worst: Option<Effect>,
}
