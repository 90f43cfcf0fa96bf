//! Packs: what we know of providers, as data. A pack says what each call does; it never decides whether
//! the call may happen.

pub(crate) mod built_in;
pub(crate) mod cases;
pub(crate) mod condition;
pub(crate) mod folder;
pub(crate) mod format;
pub(crate) mod load;
pub(crate) mod rule;
pub(crate) mod schema;
pub(crate) mod template;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::graphql::document::OperationKind;
use super::graphql::documents::Documents;
use super::rest::route::Route;
use condition::Path;
use format::Unmatched;
use rule::{OneOrMore, Rule};
use schema::Schema;

pub use cases::{Case, Expectation};
pub use load::{PackError, PackText};

/// One provider's interface.
#[derive(Clone, Debug)]
pub(crate) struct Pack {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) hosts: Vec<String>,
    pub(crate) graphql: Option<Graphql>,
    pub(crate) routes: Vec<Route>,
    pub(crate) unmatched: Unmatched,
    pub(crate) shapes: BTreeMap<String, Vec<Path>>,
    pub(crate) cases: Vec<Case>,
}

/// A provider's GraphQL interface.
#[derive(Clone, Debug)]
pub(crate) struct Graphql {
    pub(crate) paths: Vec<String>,
    pub(crate) schema: Schema,
    pub(crate) query: Root,
    pub(crate) mutation: Root,
    pub(crate) subscription: Root,
    /// By `Type.field`: sets of conditions, one of which must hold.
    pub(crate) secrets: HashMap<String, Vec<OneOrMore>>,
    /// What its agents asked lately.
    pub(crate) documents: Arc<Documents>,
}

/// A root type and its rules by field name.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) type_name: String,
    pub(crate) rules: HashMap<String, Rule>,
}

impl Graphql {
    pub(crate) const fn root(&self, kind: OperationKind) -> &Root {
        match kind {
            OperationKind::Query => &self.query,
            OperationKind::Mutation => &self.mutation,
            OperationKind::Subscription => &self.subscription,
        }
    }
}
