//! What can go wrong: with the server itself, and with an operation.

use thiserror::Error;

/// Why the server could not start.
#[derive(Debug, Error, PartialEq)]
pub enum StandinError {
    /// The interface files do not make a schema.
    #[error("interface files are not a valid schema: {0}")]
    Schema(String),
    /// A listener could not be bound.
    #[error("cannot listen on `{address}`: {cause} (is the port in use?)")]
    Listen {
        /// The address asked for.
        address: String,
        /// The operating system's answer.
        cause: String,
    },
    /// A certificate or key file could not be used.
    #[error("cannot use TLS file `{path}`: {cause} (PEM is expected)")]
    Tls {
        /// The file.
        path: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// Why an operation was refused; its text is the GraphQL error message.
#[derive(Debug, Error, PartialEq)]
pub(crate) enum Refusal {
    #[error("Not Authorized")]
    NotAuthorized,
    #[error("{kind} `{id}` not found")]
    NotFound { kind: &'static str, id: String },
    #[error("argument `{0}` is missing or of the wrong type")]
    Missing(String),
    #[error("{0}")]
    Invalid(String),
}

impl Refusal {
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}
