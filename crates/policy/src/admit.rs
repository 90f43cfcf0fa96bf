//! Whether an operation may really run: nothing is supposed here.

use crate::decide::joined;
use crate::probe::{Answer, Prober};
use crate::question::Question;
use crate::set::PolicySet;

/// An operation that may run now, as far as policy goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The policies that permit it.
    pub because: Vec<String>,
}

/// Why an operation may not run after all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// An operation without effects was not understood.
    #[error("this operation has no effect that we could name; ask again with a simpler one")]
    NothingAsked,
    /// A policy forbids it as things are.
    #[error("`{policy}` forbids this as things are: {reason}")]
    Forbidden {
        /// The policy.
        policy: String,
        /// Its reason.
        reason: String,
    },
    /// No policy permits it as things are: an approval, a delay or a safeguard is missing.
    #[error("no policy permits this as things are; an approval, a delay or a safeguard is missing")]
    NotPermitted,
    /// A policy could not be evaluated.
    #[error("the policy `{policy}` could not be evaluated; mend it and ask again")]
    Broken {
        /// The policy, or what could not be put to it.
        policy: String,
    },
}

/// Whether an operation may run now: every effect, with what was really approved, waited for and
/// achieved ([`Question::evidence`]), and nothing supposed. To be asked again just before it runs.
///
/// # Errors
/// The first effect that is not permitted, and why.
pub fn admits(questions: &[Question], policies: &PolicySet) -> Result<Admission, NotAdmitted> {
    if questions.is_empty() {
        return Err(NotAdmitted::NothingAsked);
    }
    let mut because = Vec::new();
    for question in questions {
        because = joined(because, admit_one(question, policies)?);
    }
    Ok(Admission { because })
}

fn admit_one(question: &Question, policies: &PolicySet) -> Result<Vec<String>, NotAdmitted> {
    let broken = |policy: String| NotAdmitted::Broken { policy };
    let prober = Prober::new(question, policies).map_err(broken)?;
    match prober.really(&question.evidence) {
        Answer::Permitted(rules) => Ok(rules.into_iter().map(|rule| rule.id.clone()).collect()),
        Answer::Forbidden(rule) => Err(NotAdmitted::Forbidden {
            policy: rule.id.clone(),
            reason: rule.reason.clone(),
        }),
        Answer::NotPermitted => Err(NotAdmitted::NotPermitted),
        Answer::Broken(policy) => Err(broken(policy)),
    }
}
