//! The search for the cheapest safeguards under which one question is permitted.

use crate::probe::{Answer, Prober};
use crate::question::Question;
use crate::rule::Rule;
use crate::safeguards::SafeguardSet;
use crate::set::PolicySet;

/// What it takes to do what one question asks.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// Permitted under these safeguards, by these policies.
    Permitted {
        safeguards: SafeguardSet,
        because: Vec<&'a Rule>,
        /// The policy that stands in the way of having it without a person or a delay.
        obstacle: Option<&'a Rule>,
    },
    /// Whatever is done. The policy that stands in the way, if one does.
    Refused { by: Option<&'a Rule> },
    /// A policy could not be evaluated.
    Broken(String),
}

/// Tries nothing, then every set of safeguards that is available and that some policy looks at,
/// cheapest first. A set that no policy can tell from a cheaper one is not tried again: that loses
/// nothing, because policies are all that decides.
pub(crate) fn search<'a>(question: &Question, set: &'a PolicySet) -> Found<'a> {
    let mut prober = match Prober::new(question, set) {
        Ok(prober) => prober,
        Err(error) => return Found::Broken(error),
    };
    let available = question.available().intersection(prober.worth_trying());
    let mut last = None;
    for safeguards in available.subsets() {
        match prober.supposing(safeguards) {
            Answer::Broken(policy) => return Found::Broken(policy),
            Answer::Permitted(because) => return permitted(&mut prober, safeguards, because),
            Answer::Forbidden(rule) if immovable(rule, available) => {
                return Found::Refused { by: Some(rule) };
            }
            Answer::Forbidden(rule) => last = Some(rule),
            Answer::NotPermitted => last = None,
        }
    }
    Found::Refused { by: last }
}

/// Whether nothing that is available can change what a policy says.
const fn immovable(rule: &Rule, available: SafeguardSet) -> bool {
    rule.reads.intersection(available).is_empty()
}

fn permitted<'a>(
    prober: &mut Prober<'a>,
    safeguards: SafeguardSet,
    because: Vec<&'a Rule>,
) -> Found<'a> {
    let without = safeguards.without(SafeguardSet::ALWAYS_OFFERED);
    let obstacle = if without == safeguards {
        None
    } else {
        match prober.supposing(without) {
            Answer::Forbidden(rule) => Some(rule),
            _ => None,
        }
    };
    Found::Permitted {
        safeguards,
        because,
        obstacle,
    }
}
