//! The log of what the server received.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What sort of thing was received.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A root field of a query.
    #[default]
    Query,
    /// A root field of a mutation.
    Mutation,
    /// A root field of a subscription.
    Subscription,
    /// A request without a valid credential; nothing in it was looked at.
    Unauthorized,
    /// A request that is not a valid GraphQL operation for this schema; nothing in it ran.
    Rejected,
}

/// One root field that was executed, or one request that was turned away.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Record {
    /// Position in the log, from 1, in order of execution.
    pub seq: u64,
    /// Wall clock at execution, milliseconds since 1970.
    pub at_unix_ms: u64,
    /// What sort of thing it is.
    pub kind: Kind,
    /// The root field's name (not its alias); empty for requests that were turned away.
    pub field: String,
    /// The arguments after variables were put in.
    pub args: Value,
    /// Whether the state after it differs from the state before.
    pub changed: bool,
    /// The error it was answered with.
    pub error: Option<String>,
    /// Name of the credential it came with (never the secret).
    pub caller: Option<String>,
    /// `HTTP/1.1`, `HTTP/2.0` or `websocket`.
    pub via: String,
}
