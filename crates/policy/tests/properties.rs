//! What holds for every question, and whatever policies are added.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod common;

use common::{any_evidence, any_question, strictness};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::LazyLock;
use tagout_core::effect::{Effect, Mark};
use tagout_core::environment::Environment;
use tagout_core::verdict::{Safeguard, Verdict};
use tagout_policy::{
    Caps, Coverage, Evidence, PolicySet, Question, SafeguardSet, Source, admits, decide, observe,
};

static DEFAULT: LazyLock<PolicySet> = LazyLock::new(|| PolicySet::default_pack().unwrap());

/// What would have been done if all that a verdict asks for was done, and nothing else.
fn done_as_asked(verdict: &Verdict) -> Option<Evidence> {
    match verdict {
        Verdict::Deny { .. } => None,
        Verdict::Allow { safeguards, .. } => Some(Evidence {
            achieved: safeguards.iter().copied().collect(),
            ..Evidence::default()
        }),
        Verdict::Hold {
            safeguards,
            approvals,
            delay_ms,
            ..
        } => Some(Evidence {
            approvals: *approvals,
            solo: false,
            waited_ms: *delay_ms,
            achieved: safeguards.iter().copied().collect(),
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Doing more to make it acceptable never makes it less acceptable.
    #[test]
    fn more_evidence_never_turns_admitted_into_refused(
        question in any_question(),
        more in any_evidence(),
    ) {
        let before = question.evidence;
        let after = Evidence {
            approvals: before.approvals.max(more.approvals),
            solo: before.solo || more.solo,
            waited_ms: before.waited_ms.max(more.waited_ms),
            achieved: before.achieved.union(more.achieved),
        };
        if admits(std::slice::from_ref(&question), &DEFAULT).is_ok() {
            let richer = Question { evidence: after, ..question };
            prop_assert!(admits(&[richer], &DEFAULT).is_ok());
        }
    }

    /// What a verdict asks for is enough, and with one thing less it is not.
    #[test]
    fn what_is_asked_for_is_enough_and_needed(question in any_question()) {
        let verdict = decide(std::slice::from_ref(&question), &DEFAULT);
        let Some(evidence) = done_as_asked(&verdict) else { return Ok(()) };
        let tried = evidence.achieved.has(Safeguard::Trial);
        let fulfilled = Question {
            // What a trial measures is known after it.
            contained: question.contained || tried,
            members: if tried { 1 } else { question.members },
            task_members: if tried { 0 } else { question.task_members },
            evidence,
            ..question
        };
        prop_assert!(admits(std::slice::from_ref(&fulfilled), &DEFAULT).is_ok(), "{verdict:?}");
        for safeguard in evidence.achieved.iter().filter(|one| *one != Safeguard::Trial) {
            let without = evidence.achieved.without(SafeguardSet::only(safeguard));
            let evidence = Evidence { achieved: without, ..evidence };
            let lacking = Question { evidence, ..fulfilled.clone() };
            prop_assert!(admits(&[lacking], &DEFAULT).is_err(), "{safeguard:?} {verdict:?}");
        }
        if evidence.approvals > 0 {
            let evidence = Evidence { approvals: evidence.approvals - 1, ..evidence };
            let lacking = Question { evidence, ..fulfilled.clone() };
            prop_assert!(admits(&[lacking], &DEFAULT).is_err(), "{verdict:?}");
        }
        if evidence.waited_ms > 0 {
            let evidence = Evidence { waited_ms: evidence.waited_ms - 1, ..evidence };
            let lacking = Question { evidence, ..fulfilled };
            prop_assert!(admits(&[lacking], &DEFAULT).is_err(), "{verdict:?}");
        }
    }

    /// Only what is offered is imposed, and the first decision does not read what was done.
    #[test]
    fn a_verdict_imposes_what_is_offered_and_ignores_evidence(
        question in any_question(),
        evidence in any_evidence(),
    ) {
        let verdict = decide(std::slice::from_ref(&question), &DEFAULT);
        if let Verdict::Allow { safeguards, .. } | Verdict::Hold { safeguards, .. } = &verdict {
            prop_assert!(safeguards.iter().all(|one| question.offers.has(*one)));
        }
        let later = Question { evidence, ..question };
        prop_assert_eq!(decide(&[later], &DEFAULT), verdict);
    }

    /// Unlabelled is exactly production, and production is never milder than development.
    #[test]
    fn unknown_is_production_and_production_is_stricter(question in any_question()) {
        let in_environment = |environment| {
            decide(&[Question { environment, ..question.clone() }], &DEFAULT)
        };
        let production = in_environment(Environment::Production);
        prop_assert_eq!(&in_environment(Environment::Unknown), &production);
        let development = in_environment(Environment::Development);
        prop_assert!(strictness(&development) <= strictness(&production));
        prop_assert_eq!(in_environment(Environment::Staging), development);
    }

    /// Wider rights are never judged more strictly.
    #[test]
    fn wider_rights_are_never_stricter(question in any_question()) {
        let with = |coverage| {
            strictness(&decide(&[Question { coverage, ..question.clone() }], &DEFAULT))
        };
        prop_assert!(with(Coverage::Full) <= with(Coverage::OtherEnvironment));
        prop_assert!(with(Coverage::OtherEnvironment) <= with(Coverage::None));
        prop_assert_eq!(with(Coverage::None), 2);
    }

    /// The strictest part decides, whatever the order; a hold takes what every part takes.
    #[test]
    fn the_strictest_part_decides(questions in vec(any_question(), 1..5)) {
        let whole = decide(&questions, &DEFAULT);
        let parts: Vec<_> =
            questions.iter().map(|one| decide(std::slice::from_ref(one), &DEFAULT)).collect();
        prop_assert_eq!(Some(strictness(&whole)), parts.iter().map(strictness).max());
        let reversed: Vec<_> = questions.into_iter().rev().collect();
        let other = decide(&reversed, &DEFAULT);
        prop_assert_eq!(strictness(&other), strictness(&whole));
        if let Some(wanted) = done_as_asked(&whole) {
            prop_assert_eq!(done_as_asked(&other), Some(wanted));
            for part in parts.iter().filter_map(done_as_asked) {
                prop_assert!(part.approvals <= wanted.approvals);
                prop_assert!(part.waited_ms <= wanted.waited_ms);
                prop_assert!(part.achieved.without(wanted.achieved).is_empty());
            }
        }
    }

    /// In `observe` everything passes except what no mode lets pass; secrets stay redacted.
    #[test]
    fn observing_passes_all_but_the_forbidden(question in any_question()) {
        let seen = observe(std::slice::from_ref(&question), &DEFAULT);
        prop_assert_eq!(&seen.would_be, &decide(std::slice::from_ref(&question), &DEFAULT));
        let secret = question.effect == Effect::SecretRead;
        let never = question.has(Mark::Mint)
            || question.has(Mark::Ourselves)
            || (secret && !question.offers.has(Safeguard::Redact));
        match seen.verdict {
            Verdict::Allow { safeguards, .. } => {
                prop_assert!(!never);
                prop_assert_eq!(safeguards.contains(&Safeguard::Redact), secret);
            }
            Verdict::Deny { .. } => prop_assert!(never),
            Verdict::Hold { .. } => prop_assert!(false, "nothing is held in observe"),
        }
    }

}

proptest! {
    // Each loads a set of policies, which takes a while without optimisation.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever anybody permits beside the default pack, the guard rails stand.
    #[test]
    fn added_permits_open_no_guard_rail(
        permits in vec(any_permit(), 1..6),
        questions in vec(any_question(), 40..60),
    ) {
        let text: String = permits
            .iter()
            .enumerate()
            .map(|(number, body)| format!("@id(\"team.{number}\") @reason(\"r\") {body}\n"))
            .collect();
        let Ok(policies) = PolicySet::load(&[Source::new("team", text)], Caps::default()) else {
            // A condition that the validator finds impossible is not loaded.
            return Ok(());
        };
        for question in questions {
            guarded(&question, &policies)?;
        }
    }
}

fn guarded(question: &Question, policies: &PolicySet) -> Result<(), TestCaseError> {
    let verdict = decide(std::slice::from_ref(question), policies);
    let admitted = admits(std::slice::from_ref(question), policies).is_ok();
    let denied = !admitted && strictness(&verdict) == 2;
    let production = question.environment.counts_as_production();
    let secret = question.effect == Effect::SecretRead;
    let evidence = question.evidence;
    if question.has(Mark::Mint) || question.has(Mark::Ourselves) {
        prop_assert!(denied);
    }
    if question.coverage == Coverage::None {
        prop_assert!(denied);
    }
    if secret && !evidence.achieved.has(Safeguard::Redact) {
        prop_assert!(!admitted);
    }
    if secret && !question.offers.has(Safeguard::Redact) {
        prop_assert_eq!(strictness(&verdict), 2);
    }
    if question.effect == Effect::Destroy && production {
        let contained = question.contained && question.undoable_by_us && !question.has(Mark::Whole);
        prop_assert!(contained || !admitted || evidence.approvals >= 1);
        let foundation = question.has(Mark::Foundation);
        prop_assert!(!foundation || !admitted || evidence.waited_ms >= tagout_policy::DELAY_MS);
        prop_assert!(!foundation || !admitted || evidence.approvals >= 2 || evidence.solo);
    }
    if question.coverage == Coverage::OtherEnvironment {
        prop_assert!(!admitted || evidence.approvals >= 1);
    }
    Ok(())
}

/// A permit as careless as the schema allows.
fn any_permit() -> impl Strategy<Value = String> {
    let who = select(vec![
        "principal",
        "principal == Agent::\"cursor\"",
        "principal is Agent",
    ]);
    let what = select(vec![
        "action",
        "action == Action::\"destroy\"",
        "action in [Action::\"secret_read\", Action::\"privilege\", Action::\"destroy\"]",
    ]);
    let to = select(vec!["resource", "resource in Upstream::\"railway\""]);
    let condition = select(vec![
        "true",
        "context.mint",
        "context.redacted || !context.redacted",
        "context.coverage == \"none\"",
        "resource.environment != \"production\"",
        "resource.environment == \"production\" || context.undo",
        "context.approvals >= 0",
        "!resource.labelled",
        "context.mode == \"observe\"",
        "principal has grant || context.snapshot",
    ]);
    (who, what, to, vec(condition, 1..3)).prop_map(|(who, what, to, conditions)| {
        format!(
            "permit ({who}, {what}, {to}) when {{ {} }};",
            conditions.join(" || ")
        )
    })
}
