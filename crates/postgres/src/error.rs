//! What can go wrong here.

use crate::wire::{FrameError, Malformed};

/// Everything that can go wrong in this crate, a variant for each cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostgresError {
    /// An upstream's URL can't be used.
    #[error("the url `{url}` can't be used: {why}")]
    Url {
        /// The URL, escaped.
        url: String,
        /// Why not.
        why: String,
    },
    /// A URL with a password in it; it is not repeated.
    #[error(
        "the url carries a password; take it out and give a reference as the credential (`env:NAME`, `file:PATH`, `vault:`)"
    )]
    InlinePassword,
    /// The server ended the session.
    #[error("the database server ended the session")]
    ServerGone,
    /// The agent went away.
    #[error("the client went away")]
    ClientGone,
    /// A person stopped everything, or this connection.
    #[error("a person has stopped this")]
    Stopped,
    /// A setting changed that decides how text is read.
    #[error("`{0}` was changed, and statements would be read differently; the session is ended")]
    SettingChanged(String),
    /// What came does not belong here.
    #[error("the protocol was broken: {0}")]
    Confused(&'static str),
    /// A message that can't be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The framing was broken, or the network.
    #[error("{0}")]
    Broken(String),
}

impl From<FrameError> for PostgresError {
    fn from(error: FrameError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<std::io::Error> for PostgresError {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}
