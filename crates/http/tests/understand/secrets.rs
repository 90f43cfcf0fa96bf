//! However a secret is asked for, the paths that we name take it out of the answer.

use serde_json::{Value, json};
use tagout_core::effect::Effect;
use tagout_core::operation::{PathStep, SecretPath};

use crate::oracle::answers;
use crate::requests::{curl, exact_body, explainer, understand};
use crate::rewrite::Dice;

/// Ways for each of the queries.
const WAYS: u64 = 600;

/// What leads to a secret: the fields from the root, with their arguments, and the type that each is of.
type Way = Vec<(&'static str, &'static str, &'static str)>;

const SECRETS: [&str; 7] = [
    "Query.variables",
    "Environment.config",
    "EnvironmentPatch.patch",
    "DeploymentSnapshot.variables",
    "BucketS3CompatibleCredentials.secretAccessKey",
    "Integration.config",
    "Mutation.apiTokenCreate",
];

fn ways() -> Vec<(&'static str, Way)> {
    let decrypt = "(decryptVariables: true)";
    vec![
        (
            "query",
            vec![("variables", "(projectId: \"p\", environmentId: \"e\")", "")],
        ),
        (
            "query",
            vec![
                ("environment", "(id: \"e\")", "Environment"),
                ("config", decrypt, ""),
            ],
        ),
        (
            "query",
            vec![
                ("project", "(id: \"p\")", "Project"),
                ("environments", "", "ProjectEnvironmentsConnection"),
                ("edges", "", "ProjectEnvironmentsConnectionEdge"),
                ("node", "", "Environment"),
                ("config", decrypt, ""),
            ],
        ),
        (
            "query",
            vec![
                (
                    "environmentStagedChanges",
                    "(environmentId: \"e\")",
                    "EnvironmentPatch",
                ),
                ("patch", "", ""),
            ],
        ),
        (
            "query",
            vec![
                (
                    "deploymentSnapshot",
                    "(deploymentId: \"d\")",
                    "DeploymentSnapshot",
                ),
                ("variables", "", ""),
            ],
        ),
        (
            "query",
            vec![
                (
                    "bucketS3Credentials",
                    "(bucketId: \"b\", environmentId: \"e\", projectId: \"p\")",
                    "BucketS3CompatibleCredentials",
                ),
                ("secretAccessKey", "", ""),
            ],
        ),
        (
            "query",
            vec![
                (
                    "integrations",
                    "(projectId: \"p\")",
                    "QueryIntegrationsConnection",
                ),
                ("edges", "", "QueryIntegrationsConnectionEdge"),
                ("node", "", "Integration"),
                ("config", "", ""),
            ],
        ),
        (
            "mutation",
            vec![("apiTokenCreate", "(input: {name: \"n\"})", "")],
        ),
        (
            "mutation",
            vec![
                (
                    "environmentStageChanges",
                    "(environmentId: \"e\", input: {})",
                    "EnvironmentPatch",
                ),
                ("environment", "", "Environment"),
                ("config", decrypt, ""),
            ],
        ),
    ]
}

struct Writer {
    dice: Dice,
    fragments: String,
    names: usize,
}

impl Writer {
    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// A selection that leads on, on a value of type `on`.
    fn selection(&mut self, way: &[(&str, &str, &str)], on: &str) -> String {
        let [(name, args, ty), rest @ ..] = way else {
            return "__typename".to_owned();
        };
        let below = if rest.is_empty() {
            String::new()
        } else {
            format!("{{ {} }}", self.selection(rest, ty))
        };
        let alias = if self.dice.one_in(2) {
            format!("{}: ", self.fresh("a"))
        } else {
            String::new()
        };
        let mut field = format!("{alias}{name}{args} {below}");
        if self.dice.one_in(4) {
            field = format!(
                "{field} {}: {name}{args} {below} {field}",
                self.fresh("again")
            );
        }
        self.wrapped(field, on, 0)
    }

    fn wrapped(&mut self, field: String, on: &str, depth: usize) -> String {
        if depth > 2 {
            return field;
        }
        match self.dice.roll(6) {
            0 => format!("... {{ {} }}", self.wrapped(field, on, depth + 1)),
            1 => format!(
                "... on {on} @skip(if: false) {{ {} }}",
                self.wrapped(field, on, depth + 1)
            ),
            2 => {
                let name = self.fresh("F");
                let inner = self.wrapped(field, on, depth + 1);
                self.fragments.push_str(&format!(
                    " fragment {name} on {on} {{ {inner} __typename }}"
                ));
                format!("...{name} @include(if: true)")
            }
            _ => format!("__typename {field}"),
        }
    }
}

fn redact(value: &mut Value, steps: &[PathStep]) {
    match (steps, &mut *value) {
        ([PathStep::All, ..], whole) => *whole = Value::Null,
        (_, Value::Array(items)) => items.iter_mut().for_each(|item| redact(item, steps)),
        ([PathStep::Field(name), rest @ ..], Value::Object(members)) => {
            if let Some(inner) = members.get_mut(name) {
                redact(inner, rest);
            }
        }
        _ => {}
    }
}

#[test]
fn secrets_do_not_survive_their_paths() {
    let explainer = explainer();
    let mut questions: Vec<Value> = Vec::new();
    let mut paths: Vec<Vec<SecretPath>> = Vec::new();
    for (kind, way) in ways() {
        for seed in 0..WAYS {
            let mut writer = Writer {
                dice: Dice::new(seed),
                fragments: String::new(),
                names: 0,
            };
            let root = if kind == "query" { "Query" } else { "Mutation" };
            let selection = writer.selection(&way, root);
            let query = format!("{kind} {{ {selection} }}{}", writer.fragments);
            let operation = understand(&explainer, &curl(&query, &json!({}))).unwrap();
            assert!(
                operation
                    .effects
                    .iter()
                    .any(|on| on.effect == Effect::SecretRead || on.effect == Effect::Privilege),
                "{query}"
            );
            let mut question: Value = serde_json::from_slice(&exact_body(&operation)).unwrap();
            question["secrets"] = json!(SECRETS);
            questions.push(question);
            paths.push(operation.secrets);
        }
    }
    for ((mut answer, paths), question) in
        answers(&questions).into_iter().zip(paths).zip(&questions)
    {
        assert!(
            answer["data"].to_string().contains("SECRET"),
            "{question} {answer}"
        );
        for path in &paths {
            redact(&mut answer, &path.0);
        }
        assert!(
            !answer.to_string().contains("SECRET"),
            "{question} {paths:?} {answer}"
        );
    }
}

#[test]
fn what_was_changed_may_hold_values_of_variables() {
    let explainer = explainer();
    for query in [
        "{ auditLogs(workspaceId: \"w\") { edges { node { id payload } } } }",
        "{ auditLog(id: \"a\", workspaceId: \"w\") { p: payload } }",
        "{ events(projectId: \"p\") { edges { node { ...E } } } } fragment E on Event { payload }",
        "{ events(projectId: \"p\") { edges { node { activityPayload } } } }",
        "mutation($i: JSON!) { environmentPreviewChangeSet(environmentId: \"e\", input: $i) { effects } }",
    ] {
        let understood = understand(&explainer, &curl(query, &json!({"i": {}}))).unwrap();
        assert_eq!(understood.worst(), Effect::SecretRead, "{query}");
        assert!(!understood.secrets.is_empty(), "{query}");
    }
}
