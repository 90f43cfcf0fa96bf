//! Exit codes that scripts can rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Ok = 0,
    /// It could not.
    Failure = 1,
    /// The configuration is wrong.
    Configuration = 64,
    /// Policy or a person said no.
    Denied = 10,
    /// It waits for a person.
    Held = 11,
    /// Nobody answered in time.
    Expired = 12,
}

/// Marks an error as one of the configuration.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadConfiguration(pub(crate) String);

impl Exit {
    /// The exit of a result; errors of the configuration have their own.
    pub(crate) fn of(result: anyhow::Result<Self>) -> Self {
        match result {
            Ok(exit) => exit,
            Err(error) if error.is::<BadConfiguration>() => Self::Configuration,
            Err(_) => Self::Failure,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
