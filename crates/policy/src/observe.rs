//! The mode `observe`: everything passes and is recorded, except what no mode lets pass.

use tagout_core::effect::{Effect, Mark};
use tagout_core::verdict::{Safeguard, Verdict};

use crate::decide::decide;
use crate::question::Question;
use crate::set::PolicySet;

/// What happens in `observe` mode, and what `guard` would have said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// What happens: allowed, with secrets redacted; denied where that cannot be done, and where the
    /// operation is on Tagout itself or would mint a credential.
    pub verdict: Verdict,
    /// The verdict of `guard`, for the record.
    pub would_be: Verdict,
}

/// Decides in `observe` mode: everything passes and is recorded, except what no mode lets pass.
#[must_use]
pub fn observe(questions: &[Question], policies: &PolicySet) -> Observed {
    let would_be = decide(questions, policies);
    let verdict = if questions.iter().any(passes_in_no_mode) {
        would_be.clone()
    } else {
        passing(questions)
    };
    Observed { verdict, would_be }
}

/// All of these are denied by the guard rails, so the would-be verdict is a refusal.
fn passes_in_no_mode(question: &Question) -> bool {
    let secret = question.effect == Effect::SecretRead && !question.offers.has(Safeguard::Redact);
    secret || question.has(Mark::Mint) || question.has(Mark::Ourselves)
}

fn passing(questions: &[Question]) -> Verdict {
    let secret = questions
        .iter()
        .any(|question| question.effect == Effect::SecretRead);
    Verdict::Allow {
        safeguards: if secret {
            vec![Safeguard::Redact]
        } else {
            Vec::new()
        },
        because: vec!["mode observe".to_owned()],
    }
}
