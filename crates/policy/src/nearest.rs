//! What to name beside a refusal: the nearest thing that would be allowed.

use tagout_core::environment::Environment;

use crate::ladder::{Found, search};
use crate::question::{Coverage, Question};
use crate::rule::Rule;
use crate::set::PolicySet;

/// The nearest thing to a refused question that is not refused, in words for the agent: what the
/// refusing policy itself advises, else the first of some milder questions that the policies answer
/// with anything but a refusal.
pub(crate) fn nearest(
    question: &Question,
    by: Option<&Rule>,
    policies: &PolicySet,
) -> Option<String> {
    let advised = by.and_then(|rule| rule.instead.clone());
    advised.or_else(|| {
        milder(question)
            .into_iter()
            .filter(|(mild, _)| mild != question)
            .find_map(|(mild, words)| Some(format!("{words}{}", then(&mild, policies)?)))
    })
}

/// What a milder question takes, said in addition, or `None` where it is refused as well.
fn then(mild: &Question, policies: &PolicySet) -> Option<&'static str> {
    match search(mild, policies) {
        Found::Permitted { safeguards, .. } if safeguards.people() > 0 => {
            Some("; it then takes a person's approval")
        }
        Found::Permitted { .. } => Some(""),
        Found::Refused { .. } | Found::Broken(_) => None,
    }
}

/// Milder questions, nearest first, and how to say them. No word of the agent's is repeated.
fn milder(question: &Question) -> [(Question, String); 3] {
    let (effect, upstream) = (question.effect.word(), &question.upstream);
    let covered = Question {
        coverage: Coverage::Full,
        ..question.clone()
    };
    let granted = Question {
        read_only: false,
        ..covered.clone()
    };
    let elsewhere = Question {
        environment: Environment::Development,
        ..question.clone()
    };
    let ask = format!("ask for a grant that covers `{effect}` on `{upstream}`");
    [
        (covered, ask.clone()),
        (granted, format!("{ask}, not one for reading only")),
        (
            elsewhere,
            "the same in a development environment".to_owned(),
        ),
    ]
}
