//! The caps: how much of a change in production needs no person.

use serde::Serialize;

use crate::question::Question;

/// How long the safeguard `delay` waits, in milliseconds: 72 hours. Policies count it in hours.
pub const DELAY_MS: u64 = 72 * 60 * 60 * 1000;

/// How many rows or objects may change in production without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// By one statement or request.
    pub per_statement: u64,
    /// By one task in all.
    pub per_task: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            per_statement: 100,
            per_task: 200,
        }
    }
}

impl Caps {
    /// Whether a question is within the caps. Outside production there are none; *all of a kind* is
    /// within them only where it was measured.
    pub(crate) fn hold(&self, question: &Question) -> bool {
        if !question.environment.counts_as_production() {
            return true;
        }
        let counted = question.resource.id() != "*" || question.contained;
        let in_task = question.task_members.saturating_add(question.members);
        counted && question.members <= self.per_statement && in_task <= self.per_task
    }
}
