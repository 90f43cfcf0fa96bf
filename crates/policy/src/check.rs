//! `policy check`: what is wrong with policy texts, or which version they are.

use std::fmt;

use tagout_core::digest::PolicyDigest;

use crate::caps::Caps;
use crate::error::Problem;
use crate::set::PolicySet;
use crate::source::Source;

/// What checking found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckReport {
    /// These would be loaded.
    Sound {
        /// How many policies, the default pack included.
        policies: usize,
        /// The version they make.
        digest: PolicyDigest,
    },
    /// These would not.
    Unsound {
        /// Everything that is wrong.
        problems: Vec<Problem>,
    },
}

/// Checks `added` policies beside the default pack exactly as loading them would.
#[must_use]
pub fn check(added: &[Source], caps: Caps) -> CheckReport {
    match PolicySet::load(added, caps) {
        Ok(set) => CheckReport::Sound {
            policies: set.len(),
            digest: set.digest(),
        },
        Err(rejected) => CheckReport::Unsound {
            problems: rejected.problems,
        },
    }
}

impl CheckReport {
    /// Whether they would be loaded.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        matches!(self, Self::Sound { .. })
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sound { policies, digest } => {
                write!(f, "{policies} policies, version {}", digest.short())
            }
            Self::Unsound { problems } => {
                for problem in problems {
                    writeln!(f, "{problem}")?;
                }
                write!(f, "{} not loaded", problems.len())
            }
        }
    }
}
