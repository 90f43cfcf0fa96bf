//! At execution only what really was done counts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod common;

use common::plain;
use tagout_core::effect::{Effect, Mark};
use tagout_core::environment::Environment;
use tagout_core::verdict::{Safeguard, Verdict};
use tagout_policy::{
    Caps, DELAY_MS, Evidence, NotAdmitted, PolicySet, Question, SafeguardSet, Source, admits,
    decide,
};

const SNAPSHOT: SafeguardSet = SafeguardSet::only(Safeguard::Snapshot);

fn evidence(approvals: u8, solo: bool, waited_ms: u64, achieved: SafeguardSet) -> Evidence {
    Evidence {
        approvals,
        solo,
        waited_ms,
        achieved,
    }
}

/// The volume of the nine-second incident: whole, in production, a snapshot can be made first.
fn volume(evidence: Evidence) -> Question {
    Question {
        marks: vec![Mark::Whole],
        offers: SNAPSHOT,
        evidence,
        ..plain(Effect::Destroy, Environment::Production)
    }
}

fn backup(evidence: Evidence) -> Question {
    Question {
        marks: vec![Mark::Foundation],
        evidence,
        ..plain(Effect::Destroy, Environment::Unknown)
    }
}

#[test]
fn a_supposed_permit_admits_nothing() {
    let policies = PolicySet::default_pack().unwrap();
    let question = volume(Evidence::default());
    assert_eq!(
        decide(std::slice::from_ref(&question), &policies).word(),
        "hold"
    );
    assert!(matches!(
        admits(&[question], &policies),
        Err(NotAdmitted::Forbidden { .. })
    ));
}

#[test]
fn each_thing_that_is_asked_for_must_be_there() {
    let policies = PolicySet::default_pack().unwrap();
    for (evidence, admitted) in [
        (evidence(1, false, DELAY_MS, SNAPSHOT), true),
        (evidence(2, false, u64::MAX, SNAPSHOT), true),
        (evidence(0, false, DELAY_MS, SNAPSHOT), false),
        (evidence(0, true, DELAY_MS, SNAPSHOT), false),
        (evidence(1, false, DELAY_MS - 1, SNAPSHOT), false),
        (evidence(1, false, DELAY_MS, SafeguardSet::NONE), false),
        // What was achieved is what was really done: people and time are counted elsewhere.
        (evidence(0, false, 0, SafeguardSet::ALL), false),
    ] {
        let answer = admits(&[volume(evidence)], &policies);
        assert_eq!(answer.is_ok(), admitted, "{evidence:?}: {answer:?}");
    }
}

#[test]
fn one_person_twice_is_two_only_for_a_first_that_is_there() {
    let policies = PolicySet::default_pack().unwrap();
    for (approvals, solo, admitted) in [
        (2, false, true),
        (1, true, true),
        (1, false, false),
        (0, true, false),
    ] {
        let answer = admits(
            &[backup(evidence(approvals, solo, DELAY_MS, SNAPSHOT))],
            &policies,
        );
        assert_eq!(answer.is_ok(), admitted, "{approvals} {solo}: {answer:?}");
    }
}

#[test]
fn a_policy_may_refuse_a_second_signature_of_the_same_person() {
    let text = "@id(\"team.two-people\") @reason(\"two people, not one twice\")\n\
                forbid (principal, action == Action::\"destroy\", resource) when { context.solo };";
    let policies = PolicySet::load(&[Source::new("team", text)], Caps::default()).unwrap();
    let alone = backup(evidence(1, true, DELAY_MS, SNAPSHOT));
    assert!(admits(&[alone], &policies).is_err());
    let together = backup(evidence(2, true, DELAY_MS, SNAPSHOT));
    assert!(admits(&[together], &policies).is_ok());
}

#[test]
fn one_part_that_is_not_admitted_keeps_all_back() {
    let policies = PolicySet::default_pack().unwrap();
    let read = plain(Effect::Read, Environment::Production);
    assert!(admits(std::slice::from_ref(&read), &policies).is_ok());
    assert!(admits(&[read, volume(Evidence::default())], &policies).is_err());
}

#[test]
fn an_operation_takes_what_each_part_takes() {
    let policies = PolicySet::default_pack().unwrap();
    let write = Question {
        offers: SafeguardSet::only(Safeguard::BeforeImage),
        ..plain(Effect::Write, Environment::Production)
    };
    let parts = [
        write,
        volume(Evidence::default()),
        backup(Evidence::default()),
    ];
    let Verdict::Hold {
        safeguards,
        approvals,
        delay_ms,
        because,
        reason,
    } = decide(&parts, &policies)
    else {
        panic!("not held");
    };
    assert_eq!(safeguards, [Safeguard::BeforeImage, Safeguard::Snapshot]);
    assert_eq!((approvals, delay_ms), (2, DELAY_MS));
    assert_eq!(
        because,
        ["tagout.write", "tagout.destroy.approved_in_production"]
    );
    assert!(reason.contains("two people"), "{reason}");
}

#[test]
fn an_added_policy_can_permit_more_within_the_guard_rails_and_forbid_more() {
    let text = r#"
@id("team.ci-restarts") @reason("our deployer restarts services")
permit (principal == Agent::"deployer", action == Action::"disrupt", resource in Kind::"volume");

@id("team.freeze") @reason("no writes to billing")
forbid (principal, action == Action::"write", resource == Resource::"railway/volume:billing");
"#;
    let policies = PolicySet::load(&[Source::new("team", text)], Caps::default()).unwrap();
    let restart = plain(Effect::Disrupt, Environment::Production);
    assert_eq!(
        decide(std::slice::from_ref(&restart), &policies).word(),
        "hold"
    );
    let mut asker = (*restart.asker).clone();
    asker.agent = "deployer".to_owned();
    let by_deployer = Question {
        asker: asker.into(),
        ..restart
    };
    assert_eq!(decide(&[by_deployer], &policies).word(), "allow");

    let write = plain(Effect::Write, Environment::Development);
    assert_eq!(
        decide(std::slice::from_ref(&write), &policies).word(),
        "allow"
    );
    let billing = Question {
        resource: "volume:billing".to_owned().try_into().unwrap(),
        ..write
    };
    let Verdict::Deny { reason, instead } = decide(&[billing], &policies) else {
        panic!("not denied");
    };
    assert_eq!((reason.as_str(), instead), ("no writes to billing", None));
}
