//! Why somebody is not signed in.

use tagout_core::pipeline::VaultError;
use tagout_core::refusal::{Refusal, RefusalKind};

use super::scram::ScramError;
use super::settings::NotAllowed;
use crate::refused;
use crate::wire::{FrameError, Malformed};

/// Why an agent is not signed in.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum AgentError {
    /// It went away before it said who it is.
    #[error("it went away before it had signed in")]
    Gone,
    /// It did not say in time who it is.
    #[error("it did not sign in in time")]
    TooSlow,
    /// Too many are about to sign in.
    #[error("too many are signing in at the same time")]
    Crowded,
    /// Its messages can't be taken apart.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A message is malformed.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It sent more before it knew whether the connection would be encrypted.
    #[error("more was sent before the answer about encryption")]
    Early,
    /// It asked for encryption again and again, or inside TLS.
    #[error("encryption was asked for again")]
    Again,
    /// TLS could not be agreed upon.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// It began with TLS and did not say that it speaks PostgreSQL inside.
    #[error("TLS without ALPN `postgresql`; ask for TLS with an SSLRequest instead")]
    Alpn,
    /// Something in its first packet is not allowed.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// A message that does not belong there.
    #[error("a message of type `{0}` does not belong into signing in")]
    OutOfTurn(u8),
    /// A step of SCRAM is malformed.
    #[error(transparent)]
    Scram(#[from] ScramError),
    /// The engine's or the gateway's refusal.
    #[error("{}", .0.line)]
    Refused(Box<Refusal>),
    /// No randomness.
    #[error("the system gives no random bytes")]
    Random,
}

impl AgentError {
    /// What it is told: an answer of the gateway's own, or a fault in the protocol with its SQLSTATE.
    pub(crate) fn answer(&self) -> Result<Refusal, &'static str> {
        let denied = |what: &str| Ok(Refusal::new(RefusalKind::Denied, what));
        match self {
            Self::Refused(refusal) => Ok(refusal.as_ref().clone()),
            Self::NotAllowed(why) => denied(&format!("{why}. Nothing was sent upstream.")),
            Self::Crowded => Err("53300"),
            Self::TooSlow => Err("57014"),
            Self::Random => Err("58000"),
            Self::Malformed(why) => Err(why.sqlstate()),
            _ => Err("08P01"),
        }
    }

    /// The SQLSTATE that it is told.
    #[must_use]
    pub fn sqlstate(&self) -> &'static str {
        match self.answer() {
            Ok(refusal) => refused::sqlstate(refusal.kind),
            Err(sqlstate) => sqlstate,
        }
    }
}

/// Why we are not signed in at a server, or why it does not answer.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ServerError {
    /// It can't be reached.
    #[error("`{address}` can't be reached: {reason}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// The system's reason.
        reason: String,
    },
    /// It did not answer in time.
    #[error("the server did not answer in time")]
    TooSlow,
    /// It went away.
    #[error("the server closed the connection")]
    Gone,
    /// It has no TLS, which the upstream's address demands.
    #[error("the server offers no TLS; `sslmode=verify-full` is demanded")]
    NoTls,
    /// TLS could not be agreed upon, or the server is not who it should be.
    #[error("TLS with the server failed: {0}")]
    Tls(String),
    /// Its messages can't be taken apart.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A message is malformed.
    #[error("the server's message can't be read: {0}")]
    Malformed(#[from] Malformed),
    /// A message that does not belong there.
    #[error("a message of type `{0}` from the server does not belong there")]
    OutOfTurn(u8),
    /// It wants to be signed in to in a way that is not spoken here.
    #[error(
        "the server demands authentication of kind {0}; SCRAM-SHA-256, md5, trust, and passwords inside verified TLS are spoken"
    )]
    Authentication(u32),
    /// It did not prove that it knows the credential as well.
    #[error("the server did not prove that it knows the credential")]
    Unproven,
    /// A step of SCRAM is malformed.
    #[error("the server: {0}")]
    Scram(#[from] ScramError),
    /// The vault's.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It is set up in a way in which statements can't be understood.
    #[error("the server has `{name}` = `{value}`; `{wanted}` is needed")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it is, escaped.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// It said no.
    #[error("the server says {sqlstate}: {message}")]
    Said {
        /// Its SQLSTATE.
        sqlstate: String,
        /// Its message, escaped.
        message: String,
    },
    /// An answer to a question of ours is longer than any should be.
    #[error("the server's answer is too long")]
    TooMuch,
    /// No randomness.
    #[error("the system gives no random bytes")]
    Random,
}
