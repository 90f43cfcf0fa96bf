//! Every root field of Railway's schema can be called and is judged by its own rule.

use serde_json::{Value, json};
use tagout_core::effect::Effect;

use crate::requests::{curl, explainer, lines, understand};

const SCHEMA: &str = include_str!("../../../../packs/railway/schema.graphql");

/// A name, its parameters with their types, and the type of its result.
type Field = (String, Vec<(String, String)>, String);

/// The fields of a type as the schema writes them: name, parameters, result.
fn fields(of: &str) -> Vec<Field> {
    let start = SCHEMA
        .find(&format!("\n{of} {{\n"))
        .unwrap_or_else(|| panic!("{of}"));
    let body = SCHEMA[start + 1..]
        .lines()
        .skip(1)
        .take_while(|line| *line != "}");
    body.map(field).collect()
}

fn field(line: &str) -> Field {
    let line = line.trim();
    let (call, result) = match line.rsplit_once("): ") {
        Some((call, result)) => (call.to_owned(), result),
        None => {
            let (name, result) = line.split_once(": ").unwrap();
            (format!("{name}("), result)
        }
    };
    let (name, parameters) = call.split_once('(').unwrap();
    let parameters = parameters
        .split(", ")
        .filter_map(|parameter| parameter.split_once(": "));
    let parameters = parameters
        .map(|(name, ty)| (name.to_owned(), ty.to_owned()))
        .collect();
    (name.to_owned(), parameters, result.to_owned())
}

/// Some value of a type; optional members are left out.
fn value(ty: &str) -> Value {
    let base = ty.trim_matches(['[', ']', '!']);
    let plain = match base {
        "String" | "ID" | "DateTime" | "Upload" => json!("x"),
        "Int" | "BigInt" => json!(1),
        "Float" => json!(1.5),
        "Boolean" => json!(true),
        _ if SCHEMA.contains(&format!("\nscalar {base}\n")) => json!({}),
        _ if SCHEMA.contains(&format!("\ninput {base} {{\n")) => {
            let needed = fields(&format!("input {base}"))
                .into_iter()
                .filter(|(.., ty)| ty.ends_with('!'));
            Value::Object(needed.map(|(name, _, ty)| (name, value(&ty))).collect())
        }
        _ => {
            let start = SCHEMA
                .find(&format!("\nenum {base} {{ "))
                .unwrap_or_else(|| panic!("{base}"));
            let words = SCHEMA[start + 1..].split_whitespace().nth(3).unwrap();
            json!(words)
        }
    };
    if ty.starts_with('[') {
        json!([plain])
    } else {
        plain
    }
}

/// A call of a root field with what it needs.
fn call(kind: &str, name: &str, parameters: &[(String, String)], result: &str) -> (String, Value) {
    let needed: Vec<_> = parameters
        .iter()
        .filter(|(_, ty)| ty.ends_with('!'))
        .collect();
    let declared: String = needed
        .iter()
        .map(|(name, ty)| format!("${name}: {ty} "))
        .collect();
    let passed: String = needed
        .iter()
        .map(|(name, _)| format!("{name}: ${name} "))
        .collect();
    let variables = needed
        .iter()
        .map(|(name, ty)| (name.clone(), value(ty)))
        .collect();
    let parens = |text: String| {
        if text.is_empty() {
            text
        } else {
            format!("({text})")
        }
    };
    let base = result.trim_matches(['[', ']', '!']);
    let below = if SCHEMA.contains(&format!("\ntype {base} {{\n")) {
        "{ __typename }"
    } else {
        ""
    };
    (
        format!(
            "{kind}{} {{ {name}{} {below} }}",
            parens(declared),
            parens(passed)
        ),
        Value::Object(variables),
    )
}

#[test]
fn every_root_field_can_be_called_and_is_judged() {
    let explainer = explainer();
    let deliberately_unknown = [
        "environmentPatchCommitStaged",
        "environmentApplyChangeSet",
        // Without its optional patch, as it is called here.
        "environmentPatchCommit",
    ];
    for (kind, of, count) in [
        ("query", "type Query", 152),
        ("mutation", "type Mutation", 230),
        ("subscription", "type Subscription", 13),
    ] {
        let fields = fields(of);
        assert_eq!(fields.len(), count, "{of}");
        for (name, parameters, result) in fields {
            let (query, variables) = call(kind, &name, &parameters, &result);
            let understood = understand(&explainer, &curl(&query, &variables));
            let effects = lines(&understood);
            let operation = understood.unwrap();
            let unknown = operation
                .effects
                .iter()
                .any(|on| on.effect == Effect::Unknown);
            assert_eq!(
                unknown,
                deliberately_unknown.contains(&name.as_str()),
                "{query}: {effects:?} {:?}",
                operation.effects
            );
            if kind != "mutation" {
                assert!(operation.worst().only_observes(), "{query}: {effects:?}");
            }
        }
    }
}

#[test]
fn names_that_speak_of_deletion_are_never_reads_or_plain_writes() {
    let explainer = explainer();
    let harmless = [
        // Takes a deletion back.
        "projectScheduleDeleteCancel",
        // Switches of what a person sees, caches of displays, and signing in.
        "clearPitrHaWorkflowProgress",
        "featureFlagRemove",
        "projectFeatureFlagRemove",
        "serviceFeatureFlagRemove",
        "userFlagsRemove",
        "serviceRemoveUpstreamUrl",
    ];
    for (name, parameters, result) in fields("type Mutation") {
        let lower = name.to_lowercase();
        let words = [
            "delete", "remove", "destroy", "wipe", "purge", "reset", "clear",
        ];
        if !words.iter().any(|word| lower.contains(word)) || harmless.contains(&name.as_str()) {
            continue;
        }
        let (query, variables) = call("mutation", &name, &parameters, &result);
        let worst = understand(&explainer, &curl(&query, &variables))
            .unwrap()
            .worst();
        assert!(
            !matches!(worst, Effect::Read | Effect::Write | Effect::SecretRead),
            "{name}: {worst:?}"
        );
    }
}
