//! Why something an agent asked goes no further.

use tagout_core::refusal::{Refusal, RefusalKind};

use crate::catalog::ask::AskError;
use crate::error::PostgresError;

/// Why it goes no further.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The gateway's answer to the agent.
    Refused(Box<Refusal>),
    /// The server's error, which the agent has already.
    Failed,
    /// An error of PostgreSQL's that the gateway gives in its place.
    Said {
        sqlstate: &'static str,
        message: String,
    },
    /// The session can't go on.
    Broken(PostgresError),
}

impl From<PostgresError> for Halt {
    fn from(error: PostgresError) -> Self {
        Self::Broken(error)
    }
}

impl From<Box<Refusal>> for Halt {
    fn from(refusal: Box<Refusal>) -> Self {
        Self::Refused(refusal)
    }
}

impl From<AskError> for Halt {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Lost => Self::Broken(PostgresError::ServerGone),
            error => Self::denied(&format!(
                "what this reaches could not be looked up ({error}). It was not executed."
            )),
        }
    }
}

impl Halt {
    pub(crate) fn denied(line: &str) -> Self {
        Self::Refused(Box::new(Refusal::new(RefusalKind::Denied, line)))
    }
}
