//! What is refused at load, where it says the fault is, and what an added policy cannot do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use tagout_policy::{Caps, Cases, CheckReport, PolicySet, Problem, Source, check};

fn problems(text: &str) -> Vec<Problem> {
    match check(&[Source::new("team.cedar", text)], Caps::default()) {
        CheckReport::Sound { .. } => Vec::new(),
        CheckReport::Unsound { problems } => problems,
    }
}

const GOOD: &str = r#"@id("team.good") @reason("good")
permit (principal == Agent::"cursor", action == Action::"disrupt", resource in Kind::"service")
when { context.approvals >= 1 };
"#;

#[test]
fn each_fault_is_named_with_its_line() {
    for (text, line, says) in [
        ("permit (principal, action, resource);", 1, "has no id"),
        (
            "\n\n@id(\"\")\npermit (principal, action, resource);",
            3,
            "has no id",
        ),
        (
            "@id(\"a\")\npermit (principal, action, resource);",
            1,
            "`a` has no reason",
        ),
        (
            "@id(\"a\") @reason(\"r\")\npermit (principal, action,, resource);",
            2,
            "unexpected token",
        ),
        (
            "@id(\"a\") @reason(\"r\")\npermit (principal == ?principal, action, resource);",
            1,
            "is a template",
        ),
        (
            "@id(\"tagout.read\") @reason(\"r\")\nforbid (principal, action, resource);",
            1,
            "kept for the default pack",
        ),
        (
            "@id(\"a\") @reason(\"r\")\nforbid (principal, action, resource)\nwhen { context.approval > 1 };",
            3,
            "approval",
        ),
        (
            "@id(\"a\") @reason(\"r\")\nforbid (principal, action == Action::\"explode\", resource);",
            2,
            "explode",
        ),
        (
            "@id(\"a\") @reason(\"r\")\nforbid (principal, action, resource)\nwhen { context.members > \"many\" };",
            3,
            "Long",
        ),
        (
            "@id(\"a\") @reason(\"r\")\nforbid (principal, action, resource)\nwhen { principal.grant == \"x\" };",
            3,
            "grant",
        ),
        (
            "@id(\"a\") @reason(\"r\")\npermit (principal is Upstream, action, resource);",
            1,
            "impossible",
        ),
    ] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        let message = found[0].to_string();
        assert!(
            message.starts_with(&format!("team.cedar:{line}: ")),
            "{text}: {message}"
        );
        assert!(message.contains(says), "{text}: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn a_name_twice_is_refused_and_both_places_are_named() {
    let found = problems(&format!("{GOOD}{GOOD}"));
    let message = found[0].to_string();
    assert!(
        message.contains("team.cedar:4") && message.contains("team.cedar:1"),
        "{message}"
    );
}

#[test]
fn every_fault_is_named_not_only_the_first() {
    let text =
        "permit (principal, action, resource);\n@id(\"x\")\npermit (principal, action, resource);";
    assert_eq!(problems(text).len(), 2);
}

#[test]
fn one_bad_policy_keeps_all_of_them_out() {
    let texts = [
        Source::new("a", GOOD),
        Source::new("b", "permit (principal"),
    ];
    assert!(PolicySet::load(&texts, Caps::default()).is_err());
}

#[test]
fn the_version_is_of_texts_and_caps() {
    let digest = |text: &str, per_task: u64| {
        let caps = Caps {
            per_task,
            ..Caps::default()
        };
        PolicySet::load(&[Source::new("team.cedar", text)], caps)
            .unwrap()
            .digest()
    };
    let one = digest(GOOD, 200);
    assert_eq!(one, digest(GOOD, 200));
    assert_ne!(one, digest(GOOD, 201));
    assert_ne!(one, digest(&GOOD.replace("good\")\n", "better\")\n"), 200));
    assert_ne!(one, PolicySet::default_pack().unwrap().digest());
    let report = check(&[Source::new("team.cedar", GOOD)], Caps::default());
    assert!(
        report.is_sound() && report.to_string().contains(&one.short()),
        "{report}"
    );
}

#[test]
fn a_faulty_case_is_named_with_its_line() {
    let head = "upstream = \"railway\"\n";
    for (text, line) in [
        (
            "[[must_hold]]\nname = \"a\"\neffects = [\"explode\"]\nenvironments = [\"staging\"]",
            4,
        ),
        (
            "[[must_hold]]\nname = \"a\"\neffects = [\"read\"]\nenvironment = [\"staging\"]",
            5,
        ),
        (
            "[[must_hold]]\nname = \"a\"\neffects = []\nenvironments = [\"staging\"]",
            3,
        ),
        ("[[must_burn]]\nname = \"a\"", 2),
    ] {
        let source = Source::new("cases.toml", format!("{head}{text}"));
        let message = Cases::parse(source).unwrap_err().problems[0].to_string();
        assert!(
            message.starts_with(&format!("cases.toml:{line}: ")),
            "{message}"
        );
    }
}
