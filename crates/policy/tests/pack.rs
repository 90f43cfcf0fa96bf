//! The default pack says what its cases say.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use tagout_policy::{Cases, PolicySet, Source, default_cases, run_cases};

#[test]
fn every_shipped_case_gets_its_answer() {
    let policies = PolicySet::default_pack().unwrap();
    let files: Vec<_> = default_cases()
        .map(|source| Cases::parse(source).unwrap())
        .collect();
    let report = run_cases(&policies, &files);
    assert!(report.is_success(), "{report}");
    println!("{report}");
}

/// Each of these says one thing wrongly; the report names its place, and what the verdict really is.
const WRONG: &str = r#"upstream = "railway"

[[must_allow]]
name = "not allowed"
effects = ["destroy"]
environments = ["production"]

[[must_hold]]
name = "one person, not two"
effects = ["privilege"]
environments = ["staging"]
approvals = 2

[[must_allow]]
name = "with another safeguard"
effects = ["secret_read"]
environments = ["staging"]
offers = ["redact"]
safeguards = ["snapshot"]

[[must_hold]]
name = "no delay"
effects = ["unknown"]
environments = ["unknown"]
delay_hours = 1

[[must_deny]]
name = "something else instead"
effects = ["read"]
environments = ["unknown"]
coverage = "none"
instead = "nothing"

[[must_allow]]
name = "by another policy"
effects = ["read"]
environments = ["development"]
because = ["tagout.write"]
"#;

#[test]
fn a_case_that_is_wrong_in_anything_fails() {
    let policies = PolicySet::default_pack().unwrap();
    let file = Cases::parse(Source::new("wrong.toml", WRONG)).unwrap();
    let report = run_cases(&policies, &[file]);
    assert_eq!((report.passed, report.failures.len()), (0, 6), "{report}");
    assert!(!report.is_success());
    let said = report.to_string();
    for part in [
        "wrong.toml:4: not allowed (destroy, production): must allow, but: hold, approvals 1",
        "must hold as the case says, but: hold, approvals 1, by tagout.privilege",
        "must allow as the case says, but: allow, redact, by tagout.secret_read",
        "instead: ask for a grant that covers `read` on `railway`",
        "0 passed, 6 failed",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn no_cases_are_no_success() {
    let policies = PolicySet::default_pack().unwrap();
    let file = Cases::parse(Source::new("none.toml", "upstream = \"railway\"")).unwrap();
    assert!(!run_cases(&policies, &[file]).is_success());
}
