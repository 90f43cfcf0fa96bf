//! Why a set of policies, or of cases, is not loaded.

use std::fmt;

/// Where in a text something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The name of the text, usually a file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.escape_debug(), self.line)
    }
}

/// One thing wrong with a policy text or a case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not Cedar.
    #[error("{place}: `{what}`; see https://docs.cedarpolicy.com for the syntax")]
    Syntax {
        /// Where.
        place: Place,
        /// What Cedar says.
        what: String,
    },
    /// A policy without `@id`.
    #[error("{place}: a policy has no id; write `@id(\"team.what-it-does\")` above it")]
    NoId {
        /// Where.
        place: Place,
    },
    /// A policy without `@reason`.
    #[error("{place}: `{id}` has no reason; write `@reason(\"one sentence for people\")` above it")]
    NoReason {
        /// Where.
        place: Place,
        /// The policy.
        id: String,
    },
    /// Two policies with one id.
    #[error("{place}: the id `{id}` is taken by the policy at {first}; give this one another")]
    DuplicateId {
        /// Where.
        place: Place,
        /// The id.
        id: String,
        /// Where it was used first.
        first: Place,
    },
    /// An id that only the policies shipped with Tagout may have.
    #[error(
        "{place}: `{id}` begins with `tagout.`, which is kept for the default pack; choose another"
    )]
    ReservedId {
        /// Where.
        place: Place,
        /// The id.
        id: String,
    },
    /// A template.
    #[error(
        "{place}: a policy with `?principal` or `?resource` is a template; name what it is about"
    )]
    Template {
        /// Where.
        place: Place,
    },
    /// A policy that the schema does not allow, or that could never apply.
    #[error("{place}: `{id}`: {what}")]
    Invalid {
        /// Where.
        place: Place,
        /// The policy.
        id: String,
        /// What the validator says.
        what: String,
    },
    /// A file of cases that cannot be read.
    #[error(
        "{place}: `{what}`; a file names its `upstream`, a case its `name`, `effects` and `environments`"
    )]
    Case {
        /// Where.
        place: Place,
        /// What is wrong.
        what: String,
    },
    /// The schema, or a shipped policy, cannot be used by the evaluator: a defect of ours.
    #[error("the shipped schema can't be used: `{what}`; please report this")]
    Shipped {
        /// What is wrong.
        what: String,
    },
}

/// Everything wrong with a set of policies. Nothing of such a set is loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} in the policies; first: {}", count(problems), first(problems))]
pub struct Rejected {
    /// What is wrong, in the order of the texts. Never empty.
    pub problems: Vec<Problem>,
}

fn count(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    }
}

fn first(problems: &[Problem]) -> String {
    problems
        .first()
        .map_or_else(String::new, Problem::to_string)
}

impl From<Problem> for Rejected {
    fn from(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}
