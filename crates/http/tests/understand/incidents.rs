//! The known incidents on Railway, in the forms in which agents send them.

use std::io::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};
use tagout_core::effect::{Effect, Mark, Reach};

use crate::requests::{curl, exact_body, explainer, line, lines, message, understand};

const VOLUME: &str = "3d2c42fb-1111-4222-8333-444455556666";

pub(crate) fn delete() -> String {
    format!("mutation {{ volumeDelete(volumeId: \"{VOLUME}\") }}")
}

#[test]
fn the_published_request_destroys_a_volume_everywhere() {
    let body = format!("{{\"query\":\"mutation {{ volumeDelete(volumeId: \\\"{VOLUME}\\\") }}\"}}");
    let bytes = message(
        "accept: */*\r\nauthorization: Bearer secret\r\ncontent-type: application/x-www-form-urlencoded\r\n",
        body.as_bytes(),
    );
    let operation = understand(&explainer(), &bytes).unwrap();
    assert_eq!(
        operation.effects.iter().map(line).collect::<Vec<_>>(),
        [format!("destroy volume:{VOLUME}")]
    );
    assert_eq!(operation.effects[0].reach, Reach::Everywhere);
    assert!(operation.effects[0].has(Mark::Whole));
    let sent = String::from_utf8(operation.exact.bytes().to_vec()).unwrap();
    let body = format!("{{\"query\":\"mutation{{volumeDelete(volumeId:\\\"{VOLUME}\\\")}}\"}}");
    let expected = format!(
        "POST /graphql/v2 HTTP/1.1\r\nhost: backboard.railway.app\r\naccept: */*\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(sent, expected);
    assert_eq!(
        operation.summary.raw(),
        format!("mutation volumeDelete(volumeId: \"{VOLUME}\")")
    );
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub(crate) fn get(parameters: &str) -> Bytes {
    format!("GET /graphql/v2?{parameters} HTTP/1.1\r\nhost: backboard.railway.com\r\n\r\n").into()
}

/// Forms of one mutation on one volume.
fn forms() -> Vec<(&'static str, Bytes)> {
    let json = |value: Value| value.to_string().into_bytes();
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let type_json = "content-type: application/json\r\n";
    let id = json!({"id": VOLUME});
    let variables = "mutation M($id: String!) { volumeDelete(volumeId: $id) }";
    let several = "query Q { me { id } } mutation M($id: String!) { volumeDelete(volumeId: $id) }";
    vec![
        (
            "variables",
            message(
                type_json,
                &json(json!({"query": variables, "variables": id})),
            ),
        ),
        (
            "default",
            message(
                type_json,
                &json(
                    json!({"query": format!("mutation($id: String! = \"{VOLUME}\") {{ volumeDelete(volumeId: $id) }}")}),
                ),
            ),
        ),
        (
            "alias",
            message(
                type_json,
                &json(
                    json!({"query": format!("mutation {{ ok: volumeDelete(volumeId: \"{VOLUME}\") }}")}),
                ),
            ),
        ),
        (
            "fragment",
            message(
                type_json,
                &json(
                    json!({"query": format!("mutation {{ ...F }} fragment F on Mutation {{ volumeDelete(volumeId: \"{VOLUME}\") }}")}),
                ),
            ),
        ),
        (
            "inline fragment",
            message(
                type_json,
                &json(
                    json!({"query": format!("mutation {{ ... on Mutation {{ ... {{ volumeDelete(volumeId: \"{VOLUME}\") }} }} }}")}),
                ),
            ),
        ),
        (
            "included",
            message(
                type_json,
                &json(
                    json!({"query": format!("mutation($y: Boolean!) {{ volumeDelete(volumeId: \"{VOLUME}\") @include(if: $y) @skip(if: false) }}"), "variables": {"y": true}}),
                ),
            ),
        ),
        (
            "operationName",
            message(
                type_json,
                &json(json!({"query": several, "variables": id, "operationName": "M"})),
            ),
        ),
        (
            "batch",
            message(type_json, &json(json!([{"query": delete()}]))),
        ),
        (
            "gzip",
            message(
                &format!("{type_json}content-encoding: gzip\r\n"),
                &gzip(&json(json!({"query": delete()}))),
            ),
        ),
        (
            "no content type",
            message("", &json(json!({"query": delete()}))),
        ),
        (
            "text",
            message(
                "content-type: text/plain;charset=UTF-8\r\n",
                &json(json!({"query": delete()})),
            ),
        ),
        (
            "application/graphql",
            message("content-type: application/graphql\r\n", delete().as_bytes()),
        ),
        (
            "form pairs",
            message(form, format!("query={}", percent(&delete())).as_bytes()),
        ),
        (
            "form pairs with variables",
            message(
                form,
                format!(
                    "variables={}&query={}",
                    percent(&id.to_string()),
                    percent(variables)
                )
                .as_bytes(),
            ),
        ),
        ("get", get(&format!("query={}", percent(&delete())))),
        (
            "get with variables",
            get(&format!(
                "query={}&variables={}&operationName=M",
                percent(several),
                percent(&id.to_string())
            )),
        ),
        (
            "comments and commas",
            message(
                type_json,
                &json(
                    json!({"query": format!("#x\nmutation,,{{,#y\r volumeDelete ( volumeId : \"{VOLUME}\" ,) }}")}),
                ),
            ),
        ),
        (
            "unicode escapes",
            message(
                type_json,
                &json(
                    json!({"query": "mutation { volumeDelete(volumeId: \"\\u0033d2c42fb-1111-4222-8333-444455556666\") }"}),
                ),
            ),
        ),
        (
            "json escapes",
            message(
                type_json,
                delete()
                    .chars()
                    .fold(String::from("{\"qu\\u0065ry\":\""), |text, c| {
                        format!("{text}\\u{:04x}", u32::from(c))
                    })
                    .as_bytes()
                    .iter()
                    .copied()
                    .chain(*b"\"}")
                    .collect::<Vec<_>>()
                    .as_slice(),
            ),
        ),
        (
            "block string",
            message(
                type_json,
                &json(
                    json!({"query": format!("mutation {{ volumeDelete(volumeId: \"\"\"\n   {VOLUME}\n\"\"\") }}")}),
                ),
            ),
        ),
        (
            "persisted with text",
            message(
                type_json,
                &json(
                    json!({"query": delete(), "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "ab"}}}),
                ),
            ),
        ),
    ]
}

#[test]
fn every_form_of_the_request_means_the_same() {
    let explainer = explainer();
    let mut canonical = None;
    for (name, bytes) in forms() {
        let operation =
            understand(&explainer, &bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(
            operation.effects.iter().map(line).collect::<Vec<_>>(),
            [format!("destroy volume:{VOLUME}")],
            "{name}"
        );
        let first = canonical.get_or_insert_with(|| operation.canonical.clone());
        assert_eq!(&operation.canonical, first, "{name}");
        let again = message(
            "content-type: application/json\r\n",
            &exact_body(&operation),
        );
        assert_eq!(
            &understand(&explainer, &again).unwrap().canonical,
            first,
            "{name}"
        );
    }
}

#[test]
fn members_are_counted() {
    let explainer = explainer();
    let two = curl(
        "mutation { a: volumeDelete(volumeId: \"1\") b: volumeDelete(volumeId: \"2\") }",
        &json!({}),
    );
    assert_eq!(
        lines(&understand(&explainer, &two)),
        ["destroy volume:1", "destroy volume:2"]
    );
    let batch = message(
        "",
        br#"[{"query":"mutation{volumeDelete(volumeId:\"1\")}"},{"query":"{me{id}}"}]"#,
    );
    assert_eq!(
        lines(&understand(&explainer, &batch)),
        ["destroy volume:1", "read user:*"]
    );
    let listed = curl(
        "mutation($w: [String!]) { volumeInstanceBackupRestore(volumeInstanceId: \"i\", volumeInstanceBackupId: \"b\", wipeServiceIds: $w) { workflowId } }",
        &json!({"w": ["s1", "s2"]}),
    );
    assert_eq!(
        lines(&understand(&explainer, &listed)),
        [
            "destroy volume_instance:i",
            "destroy service:s1",
            "destroy service:s2"
        ]
    );
}

#[test]
fn hidden_destruction_is_seen() {
    let explainer = explainer();
    for (query, variables, expected) in [
        (
            "mutation($p: EnvironmentConfig) { environmentPatchCommit(environmentId: \"e\", patch: $p) }",
            json!({"p": {"volumes": {"v": {"isDeleted": true}}}}),
            vec!["write environment:e in e", "destroy volume:v in e"],
        ),
        (
            "mutation { environmentPatchCommit(environmentId: \"e\", patch: {volumes: {v: {isDeleted: true}}, services: {s: {variables: {A: null}}}}) }",
            json!({}),
            vec![
                "write environment:e in e",
                "destroy volume:v in e",
                "destroy variable:A in e",
            ],
        ),
        (
            "mutation { environmentPatchCommit(environmentId: \"e\", patch: {volumes: {v: {gone: true}}}) }",
            json!({}),
            vec!["write environment:e in e", "unknown *:* in e"],
        ),
        (
            "mutation { environmentPatchCommitStaged(environmentId: \"e\") }",
            json!({}),
            vec!["unknown staged:e in e"],
        ),
        (
            "mutation($s: VolumeState) { volumeInstanceUpdate(volumeId: \"v\", input: {state: $s}) }",
            json!({"s": "DELETING"}),
            vec!["write volume:v", "destroy volume:v", "disrupt volume:v"],
        ),
        (
            "mutation { serviceDelete(id: \"s\") }",
            json!({}),
            vec!["destroy service:s"],
        ),
        (
            "mutation($e: String) { serviceDelete(id: \"s\", environmentId: $e) }",
            json!({"e": null}),
            vec!["destroy service:s"],
        ),
        (
            "mutation($e: String) { serviceDelete(id: \"s\", environmentId: $e) }",
            json!({"e": "e1"}),
            vec!["destroy service:s"],
        ),
        (
            "mutation { volumeInstanceBackupScheduleUpdate(volumeInstanceId: \"i\", kinds: []) }",
            json!({}),
            vec!["write volume_instance:i", "unprotect volume_instance:i"],
        ),
        (
            "mutation { volumeInstanceBackupScheduleUpdate(volumeInstanceId: \"i\", kinds: DAILY) }",
            json!({}),
            vec!["write volume_instance:i"],
        ),
        (
            "mutation { variableCollectionUpsert(input: {projectId: \"p\", environmentId: \"e\", serviceId: \"s\", replace: true, variables: {A: \"1\"}}) }",
            json!({}),
            vec!["write service:s in e", "destroy variable:* in e"],
        ),
        (
            "mutation { serviceInstanceUpdate(serviceId: \"s\", environmentId: \"e\", input: {startCommand: \"sh\"}) }",
            json!({}),
            vec!["write service:s in e", "opaque service:s in e"],
        ),
        (
            "mutation { projectScheduleDeleteCancel(id: \"p\") }",
            json!({}),
            vec!["write project:p"],
        ),
    ] {
        assert_eq!(
            lines(&understand(&explainer, &curl(query, &variables))),
            expected,
            "{query}"
        );
    }
}

#[test]
fn credentials_for_the_provider_are_marked() {
    let explainer = explainer();
    for query in [
        "mutation { apiTokenCreate(input: {name: \"x\"}) }",
        "mutation { t: projectTokenCreate(input: {name: \"x\", projectId: \"p\", environmentId: \"e\"}) }",
    ] {
        let operation = understand(&explainer, &curl(query, &json!({}))).unwrap();
        assert_eq!(operation.worst(), Effect::Privilege, "{query}");
        assert!(operation.effects[0].has(Mark::Mint), "{query}");
        assert_eq!(operation.secrets.len(), 1, "{query}");
    }
}

#[test]
fn secrets_are_found_at_any_depth_by_their_names_in_the_answer() {
    let explainer = explainer();
    for (query, variables, paths) in [
        (
            "{ v: variables(projectId: \"p\", environmentId: \"e\") }",
            json!({}),
            vec!["data.v.*"],
        ),
        (
            "{ bucketS3Credentials(bucketId: \"b\", environmentId: \"e\", projectId: \"p\") { bucketName k: secretAccessKey } }",
            json!({}),
            vec!["data.bucketS3Credentials.k.*"],
        ),
        (
            "query($d: Boolean) { environment(id: \"e\") { name c: config(decryptVariables: $d) } }",
            json!({"d": true}),
            vec!["data.environment.c.*"],
        ),
        (
            "query($d: Boolean) { environment(id: \"e\") { name c: config(decryptVariables: $d) } }",
            json!({"d": false}),
            vec![],
        ),
        ("{ environment(id: \"e\") { config } }", json!({}), vec![]),
        (
            "{ p: project(id: \"p\") { ...F } } fragment F on Project { es: environments { edges { n: node { ... on Environment { config(decryptVariables: true) } } } } }",
            json!({}),
            vec!["data.p.es.edges.n.config.*"],
        ),
        (
            "{ environmentStagedChanges(environmentId: \"e\") { patch p: patch(decryptVariables: false) } }",
            json!({}),
            vec!["data.environmentStagedChanges.patch.*"],
        ),
        (
            "{ deploymentSnapshot(deploymentId: \"d\") { x: variables } }",
            json!({}),
            vec!["data.deploymentSnapshot.x.*"],
        ),
    ] {
        let operation = understand(&explainer, &curl(query, &variables)).unwrap();
        let found: Vec<String> = operation
            .secrets
            .iter()
            .map(|path| path_text(&path.0))
            .collect();
        assert_eq!(found, paths, "{query}");
        let expected = if paths.is_empty() {
            Effect::Read
        } else {
            Effect::SecretRead
        };
        assert_eq!(
            operation.worst(),
            expected,
            "{query}: {:?}",
            operation.effects
        );
    }
}

fn path_text(steps: &[tagout_core::operation::PathStep]) -> String {
    use tagout_core::operation::PathStep;
    let steps = steps.iter().map(|step| match step {
        PathStep::Field(name) => name.as_str(),
        PathStep::All => "*",
    });
    steps.collect::<Vec<_>>().join(".")
}

#[test]
fn what_everything_else_stands_on_is_marked() {
    let explainer = explainer();
    for (query, marked) in [
        ("mutation { projectScheduleDelete(id: \"p\") }", true),
        ("mutation { projectScheduleDeleteForce(id: \"p\") }", true),
        ("mutation { projectDelete(id: \"p\") }", true),
        ("mutation { workspaceDelete(id: \"w\") }", true),
        ("mutation { userDelete }", true),
        (
            "mutation { volumeInstanceBackupDelete(volumeInstanceId: \"i\", volumeInstanceBackupId: \"b\") { workflowId } }",
            true,
        ),
        ("mutation { volumeDelete(volumeId: \"v\") }", false),
        ("mutation { environmentDelete(id: \"e\") }", false),
    ] {
        let operation = understand(&explainer, &curl(query, &json!({}))).unwrap();
        assert_eq!(operation.worst(), Effect::Destroy, "{query}");
        assert_eq!(
            operation.effects[0].has(Mark::Foundation),
            marked,
            "{query}"
        );
        assert!(operation.effects[0].has(Mark::Whole), "{query}");
    }
    let undo = curl(
        "mutation { projectScheduleDeleteCancel(id: \"p\") }",
        &json!({}),
    );
    assert!(understand(&explainer, &undo).unwrap().effects[0].has(Mark::Undo));
}

#[test]
fn what_a_resolver_finds_staged_is_judged_like_a_patch() {
    let upstream = "railway".parse().unwrap();
    let explainer = explainer();
    let judge = |name: &str, args: Value| {
        explainer
            .understanding()
            .effects_of_mutation(&upstream, name, &args)
    };
    let staged = json!({"environmentId": "e", "patch": {"volumes": {"v": {"isDeleted": true}}}});
    let effects = judge("environmentPatchCommit", staged).unwrap();
    assert_eq!(
        effects.iter().map(line).collect::<Vec<_>>(),
        ["write environment:e in e", "destroy volume:v in e"]
    );
    assert!(judge("noSuchMutation", json!({})).is_none());
}
