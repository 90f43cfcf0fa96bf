//! The verdict on an operation.
//!
//! Pure and total: no clock, no IO, no error. Whatever cannot be answered is denied.

use tagout_core::verdict::{Safeguard, Verdict};

use crate::caps::DELAY_MS;
use crate::ladder::{Found, search};
use crate::nearest::nearest;
use crate::question::Question;
use crate::rule::Rule;
use crate::safeguards::SafeguardSet;
use crate::set::PolicySet;

/// Decides an operation: every effect on every target, the strictest answer wins. Finds for each the
/// cheapest safeguards under which it is permitted. What was really done ([`Question::evidence`]) is
/// not read: ask [`admits`](crate::admits) for that, just before the operation runs.
///
/// An operation without effects was not understood, and is denied.
#[must_use]
pub fn decide(questions: &[Question], policies: &PolicySet) -> Verdict {
    let judged = questions.iter().map(|question| judge(question, policies));
    judged
        .reduce(Judged::and)
        .map_or_else(nothing_asked, Verdict::from)
}

fn nothing_asked() -> Verdict {
    Verdict::Deny {
        reason: "this operation has no effect that we could name".to_owned(),
        instead: None,
    }
}

/// The answer to a part of an operation.
enum Judged {
    /// Permitted under these safeguards: allowed or held, as they say.
    Permitted {
        safeguards: SafeguardSet,
        because: Vec<String>,
        /// Why it is held, if it is.
        reason: String,
    },
    Denied {
        reason: String,
        instead: Option<String>,
    },
}

fn judge(question: &Question, policies: &PolicySet) -> Judged {
    match search(question, policies) {
        Found::Permitted {
            safeguards,
            because,
            obstacle,
        } => Judged::Permitted {
            safeguards,
            reason: obstacle
                .or_else(|| because.first().copied())
                .map_or_else(String::new, |rule| rule.reason.clone()),
            because: because.into_iter().map(|rule| rule.id.clone()).collect(),
        },
        Found::Refused { by } => Judged::Denied {
            reason: refusal(by),
            instead: nearest(question, by, policies),
        },
        Found::Broken(policy) => Judged::Denied {
            reason: broken(&policy),
            instead: None,
        },
    }
}

fn refusal(by: Option<&Rule>) -> String {
    by.map_or_else(
        || "no policy permits this".to_owned(),
        |rule| rule.reason.clone(),
    )
}

fn broken(policy: &str) -> String {
    let policy = policy.escape_debug();
    format!("the policy `{policy}` could not be evaluated, so this is refused")
}

impl Judged {
    /// Both parts together: the first refusal stands; else all that either takes, for the reason of the
    /// part that takes the dearer safeguards.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (denied @ Self::Denied { .. }, _) | (_, denied @ Self::Denied { .. }) => denied,
            (
                Self::Permitted {
                    safeguards,
                    because,
                    reason,
                },
                Self::Permitted {
                    safeguards: more,
                    because: also,
                    reason: other,
                },
            ) => Self::Permitted {
                safeguards: safeguards.union(more),
                because: joined(because, also),
                reason: if more > safeguards { other } else { reason },
            },
        }
    }
}

impl From<Judged> for Verdict {
    fn from(judged: Judged) -> Self {
        let (set, because, reason) = match judged {
            Judged::Denied { reason, instead } => return Self::Deny { reason, instead },
            Judged::Permitted {
                safeguards,
                because,
                reason,
            } => (safeguards, because, reason),
        };
        let safeguards = set.without(SafeguardSet::ALWAYS_OFFERED).iter().collect();
        if set.intersection(SafeguardSet::ALWAYS_OFFERED).is_empty() {
            return Self::Allow {
                safeguards,
                because,
            };
        }
        Self::Hold {
            safeguards,
            approvals: set.people(),
            delay_ms: if set.has(Safeguard::Delay) {
                DELAY_MS
            } else {
                0
            },
            because,
            reason,
        }
    }
}

/// Both lists, each id once.
pub(crate) fn joined(because: Vec<String>, also: Vec<String>) -> Vec<String> {
    let mut all = because;
    for id in also {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    all
}
