//! Decides: may this effect on this target happen, and what does it take?
//!
//! Policy is Cedar, evaluated in process. If an operation is not permitted as it is, it is asked again
//! with safeguards supposed, cheapest set first, and the first permitted set is imposed. What was
//! supposed is never what runs: [`admits`] asks again with what really was done.
//!
//! Pure: no IO, no clock, no randomness, and no error path that opens anything. A policy that can't be
//! evaluated denies. This crate must never read an environment, a file or the time, and must never let
//! an added policy take a guard rail of the default pack away.

#[cfg(test)]
extern crate self as tagout_policy;

mod admit;
mod caps;
mod cases;
mod check;
mod decide;
mod error;
mod facts;
mod index;
mod ladder;
#[cfg(test)]
mod mutants;
mod nearest;
mod observe;
#[cfg(test)]
mod oracle;
mod probe;
mod question;
mod report;
mod rule;
mod safeguards;
mod set;
mod source;

pub use admit::{Admission, NotAdmitted, admits};
pub use caps::{Caps, DELAY_MS};
pub use cases::{Cases, default_cases};
pub use check::{CheckReport, check};
pub use decide::decide;
pub use error::{Place, Problem, Rejected};
pub use observe::{Observed, observe};
pub use question::{Asker, Coverage, Evidence, Question};
pub use report::{Failure, TestReport, run_cases};
pub use safeguards::SafeguardSet;
pub use set::{PolicySet, default_sources};
pub use source::Source;

#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;
