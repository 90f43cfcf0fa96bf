//! The named points of an operation's life at which a test can end the process.
//!
//! In production no fault is set. A fault never changes what happens at a point in any other way.

use crate::error::EngineError;

/// The points, in the order in which an operation passes them. Listed in `ARCHITECTURE.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPoint {
    /// Decided; nothing is recorded or spent.
    Decided,
    /// The budget is booked; nothing is recorded.
    Spent,
    /// The approval is consumed; the intent is not yet durable.
    Consumed,
    /// The intent is durable; nothing is sent.
    Intended,
    /// The upstream has answered; the outcome is not yet durable.
    Answered,
    /// The outcome is durable; the hold still says executing.
    Settled,
}

impl FaultPoint {
    /// Every point.
    pub const ALL: [Self; 6] = [
        Self::Decided,
        Self::Spent,
        Self::Consumed,
        Self::Intended,
        Self::Answered,
        Self::Settled,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Spent => "spent",
            Self::Consumed => "consumed",
            Self::Intended => "intended",
            Self::Answered => "answered",
            Self::Settled => "settled",
        }
    }

    /// The point of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.name() == name)
    }
}

/// What happens at which point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Faults {
    /// Nothing anywhere.
    #[default]
    None,
    /// The process ends at once, as if it were killed.
    Abort(FaultPoint),
    /// The step fails.
    Fail(FaultPoint),
}

impl Faults {
    pub(crate) fn reach(self, point: FaultPoint) -> Result<(), EngineError> {
        match self {
            Self::Abort(at) if at == point => std::process::abort(),
            Self::Fail(at) if at == point => Err(EngineError::Injected(point.name())),
            Self::None | Self::Abort(_) | Self::Fail(_) => Ok(()),
        }
    }
}
