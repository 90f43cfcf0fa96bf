//! Every shipped policy matters: without it, some case no longer gets its answer.

use crate::caps::Caps;
use crate::cases::{Cases, default_cases};
use crate::index::Index;
use crate::report::run_cases;
use crate::set::PolicySet;
use crate::source::Source;

/// The most careless policy: what it permits, only guard rails keep closed.
const OPEN: &str =
    "@id(\"team.open\") @reason(\"everything\") permit (principal, action, resource);";

fn without(mut set: PolicySet, id: &str) -> PolicySet {
    set.rules.retain(|rule| rule.id != id);
    set.index = Index::of(&set.rules);
    set
}

fn failures(set: &PolicySet) -> Vec<String> {
    let files: Vec<_> = default_cases()
        .map(|source| Cases::parse(source).unwrap())
        .collect();
    let report = run_cases(set, &files);
    report.failures.iter().map(ToString::to_string).collect()
}

#[test]
fn a_case_fails_without_each_permit() {
    let ids: Vec<String> = ids("tagout.", "tagout.guard.");
    assert!(ids.len() > 8);
    for id in ids {
        let set = without(PolicySet::default_pack().unwrap(), &id);
        assert!(!failures(&set).is_empty(), "nothing tests `{id}`");
    }
}

#[test]
fn a_case_fails_without_each_guard_rail_where_all_else_is_open() {
    let open = || PolicySet::load(&[Source::new("open", OPEN)], Caps::default()).unwrap();
    let guarded = failures(&open());
    for id in ids("tagout.guard.", "-") {
        let more = failures(&without(open(), &id));
        assert!(
            more.iter().any(|one| !guarded.contains(one)),
            "nothing tests `{id}`"
        );
    }
}

fn ids(prefix: &str, but_not: &str) -> Vec<String> {
    let set = PolicySet::default_pack().unwrap();
    let all = set.rules.iter().map(|rule| rule.id.clone());
    all.filter(|id| id.starts_with(prefix) && !id.starts_with(but_not))
        .collect()
}
