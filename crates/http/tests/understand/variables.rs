//! Variables that choose what runs, in every place where variables can be set.

use serde_json::{Value, json};
use tagout_core::effect::Effect;

use crate::requests::{curl, explainer, understand, worst};

/// Ways to set a variable, with the variables that the request brings along.
fn ways_to_set(name: &str) -> [(&'static str, Value); 5] {
    let input = |more: Value| {
        let mut input = json!({"projectId": "p", "environmentId": "e"});
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"i": input})
    };
    let patch = "mutation($p: EnvironmentConfig) { environmentPatchCommit(environmentId: \"e\", patch: $p) }";
    let set = json!({name: {"value": "x"}});
    [
        (
            "mutation($i: VariableUpsertInput!) { variableUpsert(input: $i) }",
            input(json!({"name": name, "value": "x"})),
        ),
        (
            "mutation($i: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $i) }",
            input(json!({"variables": {name: "x"}})),
        ),
        (
            "mutation($i: ServiceCreateInput!) { serviceCreate(input: $i) { id } }",
            input(json!({"variables": {name: "x"}})),
        ),
        (
            patch,
            json!({"p": {"services": {"s": {"variables": set.clone()}}}}),
        ),
        (patch, json!({"p": {"sharedVariables": set}})),
    ]
}

#[test]
fn a_variable_that_chooses_what_runs_is_opaque_wherever_it_is_set() {
    let explainer = explainer();
    for name in [
        "NODE_OPTIONS",
        "LD_PRELOAD",
        "LD_AUDIT",
        "BASH_ENV",
        "GIT_SSH",
        "PYTHONSTARTUP",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "RUBYOPT",
        "PERL5OPT",
        "DOTNET_STARTUP_HOOKS",
        "NIXPACKS_START_CMD",
        "PROMPT_COMMAND",
        "RAILWAY_RUN_UID",
        "RAILWAY_DOCKERFILE_PATH",
        "NIXPACKS_CONFIG_FILE",
        "RAILPACK_CONFIG_FILE",
    ] {
        for (query, variables) in ways_to_set(name) {
            let understood = understand(&explainer, &curl(query, &variables));
            assert_eq!(worst(&understood), Effect::Opaque, "{name}: {query}");
        }
    }
    for name in [
        "PORT",
        "NODE_ENV",
        "NIXPACKS_NODE_VERSION",
        "PYTHONPATH",
        "COMMAND_TIMEOUT",
    ] {
        for (query, variables) in ways_to_set(name) {
            let understood = understand(&explainer, &curl(query, &variables));
            assert_eq!(worst(&understood), Effect::Write, "{name}: {query}");
        }
    }
}

#[test]
fn variables_as_text_are_unknown() {
    let explainer = explainer();
    let text = json!({"NODE_OPTIONS": "x"}).to_string();
    for variables in [json!(text), json!([text]), json!({"A": {"value": "x"}})] {
        let input = json!({"i": {"projectId": "p", "environmentId": "e", "variables": variables}});
        for query in [
            "mutation($i: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $i) }",
            "mutation($i: ServiceCreateInput!) { serviceCreate(input: $i) { id } }",
        ] {
            let understood = understand(&explainer, &curl(query, &input));
            assert_eq!(worst(&understood), Effect::Unknown, "{query} {input}");
        }
    }
}
