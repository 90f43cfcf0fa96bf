//! A policy that cannot be evaluated denies; it is never skipped.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod common;

use common::{every_question, plain};
use tagout_core::effect::Effect;
use tagout_core::environment::Environment;
use tagout_core::verdict::Verdict;
use tagout_policy::{Caps, Evidence, NotAdmitted, PolicySet, Question, Source, admits, decide};

/// Cedar's validator cannot see that these overflow.
const FORBID: &str = r#"@id("team.overflow") @reason("never more than that")
forbid (principal, action, resource)
when { context.members + 9223372036854775807 > 0 && context.approvals > 100 };"#;

const PERMIT: &str = r#"@id("team.overflow") @reason("never more than that")
permit (principal, action, resource)
when { context.members + 9223372036854775807 > 0 };"#;

fn with(text: &str) -> PolicySet {
    PolicySet::load(&[Source::new("team.cedar", text)], Caps::default()).unwrap()
}

#[test]
fn a_policy_that_errors_denies_everything_it_could_apply_to() {
    for text in [FORBID, PERMIT] {
        let policies = with(text);
        for question in every_question() {
            let verdict = decide(std::slice::from_ref(&question), &policies);
            assert!(
                matches!(verdict, Verdict::Deny { .. }),
                "{question:?}: {verdict:?}"
            );
        }
    }
}

#[test]
fn the_refusal_names_the_policy() {
    let question = plain(Effect::Read, Environment::Development);
    let Verdict::Deny { reason, .. } = decide(std::slice::from_ref(&question), &with(FORBID))
    else {
        panic!("allowed");
    };
    assert!(reason.contains("team.overflow"), "{reason}");
    assert_eq!(
        admits(&[question], &with(FORBID)),
        Err(NotAdmitted::Broken {
            policy: "team.overflow".to_owned()
        })
    );
}

#[test]
fn a_policy_that_errors_only_with_a_person_is_not_reached_by_supposing_one() {
    let policies = with(
        r#"@id("team.late") @reason("late")
forbid (principal, action, resource)
when { context.approvals * 9223372036854775807 > 9223372036854775806 && context.approvals > 5 };"#,
    );
    let mut question = plain(Effect::Privilege, Environment::Production);
    question.evidence = Evidence {
        approvals: 2,
        ..Evidence::default()
    };
    let held = decide(std::slice::from_ref(&question), &policies);
    assert_eq!(held.word(), "hold", "one approval does not overflow");
    let refused = admits(&[question], &policies);
    assert!(
        matches!(refused, Err(NotAdmitted::Broken { .. })),
        "{refused:?}"
    );
}

#[test]
fn nothing_asked_is_refused() {
    let policies = PolicySet::default_pack().unwrap();
    let nothing: [Question; 0] = [];
    assert_eq!(decide(&nothing, &policies).word(), "deny");
    assert_eq!(admits(&nothing, &policies), Err(NotAdmitted::NothingAsked));
}
