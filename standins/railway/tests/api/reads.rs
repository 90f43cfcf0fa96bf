//! Every query, and every field of every object that can be reached.

use crate::client::{graphql, spawn};
use serde_json::{Value, json};
use standin_railway::seed;

const TYPES: &str =
    "{ __schema { types { name kind fields { name args { name type { kind } } type { ...T } } } } }
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

fn named(mut ty: &Value) -> (&str, &str) {
    while !ty["ofType"].is_null() {
        ty = &ty["ofType"];
    }
    (ty["kind"].as_str().unwrap(), ty["name"].as_str().unwrap())
}

/// All leaf fields of a type, and those of its objects down to `depth`.
fn selection(types: &[Value], name: &str, depth: usize) -> String {
    let ty = types.iter().find(|t| t["name"] == name).unwrap();
    let fields = ty["fields"].as_array().unwrap().iter().filter_map(|field| {
        let (kind, inner) = named(&field["type"]);
        let name = field["name"].as_str().unwrap();
        match kind {
            "OBJECT" if depth == 0 => None,
            "OBJECT" => Some(format!(
                "{name} {{ __typename {} }}",
                selection(types, inner, depth - 1)
            )),
            _ => Some(name.to_owned()),
        }
    });
    fields.collect::<Vec<_>>().join(" ")
}

fn arguments() -> Vec<(&'static str, String)> {
    let place = format!(
        "environmentId: \"{}\", serviceId: \"{}\"",
        seed::PRODUCTION,
        seed::API_SERVICE
    );
    let project = format!("projectId: \"{}\"", seed::PROJECT);
    let instance = format!("volumeInstanceId: \"{}\"", seed::PRODUCTION_VOLUME_INSTANCE);
    let deployment = format!("deploymentId: \"{}\"", seed::PRODUCTION_DEPLOYMENT);
    let environment = format!("environmentId: \"{}\"", seed::STAGING);
    let id = |id: &str| format!("id: \"{id}\"");
    vec![
        ("me", String::new()),
        ("workspace", format!("workspaceId: \"{}\"", seed::WORKSPACE)),
        ("projects", "first: 5".to_owned()),
        ("project", id(seed::PROJECT)),
        ("environments", project.clone()),
        ("environment", id(seed::PRODUCTION)),
        ("environmentStagedChanges", environment.clone()),
        ("volumeInstance", id(seed::PRODUCTION_VOLUME_INSTANCE)),
        ("volumeInstanceBackupList", instance.clone()),
        ("volumeInstanceBackupScheduleList", instance),
        ("service", id(seed::API_SERVICE)),
        ("serviceInstance", place.clone()),
        ("deployment", id(seed::PRODUCTION_DEPLOYMENT)),
        (
            "deployments",
            format!("input: {{ {project}, status: {{ in: [SUCCESS] }} }}"),
        ),
        ("variables", format!("{project}, {place}")),
        (
            "variablesForServiceDeployment",
            format!("{project}, {place}"),
        ),
        (
            "bucketS3Credentials",
            format!(
                "{project}, bucketId: \"{}\", environmentId: \"{}\"",
                seed::BUCKET,
                seed::PRODUCTION
            ),
        ),
        (
            "customDomain",
            format!("{project}, id: \"{}\"", seed::CUSTOM_DOMAIN),
        ),
        ("domains", format!("{project}, {place}")),
        ("tcpProxies", place),
        (
            "sandbox",
            format!("{environment}, id: \"{}\"", seed::SANDBOX),
        ),
        ("sandboxes", environment.clone()),
        ("apiTokens", String::new()),
        ("apiToken", String::new()),
        ("projectTokens", project),
        ("workflowStatus", "workflowId: \"none\"".to_owned()),
        ("deploymentLogs", deployment.clone()),
        ("buildLogs", deployment.clone()),
        ("environmentLogs", environment),
        ("httpLogs", deployment),
    ]
}

#[tokio::test]
async fn every_query_and_field_answers_as_the_schema_says() {
    let running = spawn().await;
    let types = graphql(&running, TYPES, json!({})).await;
    let types = types["data"]["__schema"]["types"].as_array().unwrap();
    let query = types.iter().find(|t| t["name"] == "Query").unwrap();
    let arguments = arguments();
    for field in query["fields"].as_array().unwrap() {
        let name = field["name"].as_str().unwrap();
        if name == "projectToken" {
            continue;
        }
        let found = arguments.iter().find(|(known, _)| *known == name);
        let (_, args) = found.unwrap_or_else(|| panic!("{name} has no test"));
        let args = if args.is_empty() {
            String::new()
        } else {
            format!("({args})")
        };
        let (kind, inner) = named(&field["type"]);
        let set = match kind {
            "OBJECT" => format!("{{ {} }}", selection(types, inner, 3)),
            _ => String::new(),
        };
        let answer = graphql(&running, &format!("{{ {name}{args} {set} }}"), json!({})).await;
        assert!(answer["errors"].is_null(), "{name}: {}", answer["errors"]);
        assert!(!answer["data"][name].is_null(), "{name}");
    }
    let log = running.state.requests();
    assert!(log.iter().all(|record| !record.changed));
}

#[tokio::test]
async fn every_mutation_of_the_interface_is_served() {
    let running = spawn().await;
    let types = graphql(&running, TYPES, json!({})).await;
    let types = types["data"]["__schema"]["types"].as_array().unwrap();
    let mutation = types.iter().find(|t| t["name"] == "Mutation").unwrap();
    let ids: Vec<_> = mutation["fields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| {
            let args = f["args"].as_array().unwrap();
            args.len() == 1 && args[0]["name"] == "id" && named(&f["type"]).1 == "Boolean"
        })
        .collect();
    assert!(ids.len() > 12);
    for field in ids {
        let name = field["name"].as_str().unwrap();
        let answer = graphql(
            &running,
            &format!("mutation {{ {name}(id: \"none\") }}"),
            json!({}),
        )
        .await;
        let error = answer["errors"][0]["message"].as_str().unwrap();
        assert!(error.contains("`none` not found"), "{name}: {error}");
    }
}

#[tokio::test]
async fn the_inventory_can_be_walked_in_pages() {
    let running = spawn().await;
    let page = "query($id: String!, $after: String) { project(id: $id) { primaryEnvironmentId environments(first: 2, after: $after) {
        edges { node { id name isEphemeral } } pageInfo { hasNextPage endCursor } } } }";
    let mut names = Vec::new();
    let mut after = Value::Null;
    loop {
        let answer = graphql(
            &running,
            page,
            json!({ "id": seed::PROJECT, "after": after }),
        )
        .await;
        let project = &answer["data"]["project"];
        assert_eq!(project["primaryEnvironmentId"], seed::PRODUCTION);
        let environments = &project["environments"];
        names.extend(
            environments["edges"]
                .as_array()
                .unwrap()
                .iter()
                .map(|e| e["node"]["name"].clone()),
        );
        if environments["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = environments["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(
        json!(names),
        json!(["production", "staging", "booking-app-pr-41"])
    );
}

#[tokio::test]
async fn variables_are_masked_unless_decrypted() {
    let running = spawn().await;
    let read = "query($id: String!, $d: Boolean) { environment(id: $id) { config(decryptVariables: $d) } }";
    for decrypt in [false, true] {
        let args = json!({ "id": seed::PRODUCTION, "d": decrypt });
        let answer = graphql(&running, read, args).await.to_string();
        assert!(answer.contains("DATABASE_URL"));
        assert_eq!(answer.contains(seed::SECRETS[0]), decrypt);
    }
    let bucket = "query($b: String!, $e: String!, $p: String!) { bucketS3Credentials(bucketId: $b, environmentId: $e, projectId: $p) { secretAccessKey } }";
    let args = json!({ "b": seed::BUCKET, "e": seed::PRODUCTION, "p": seed::PROJECT });
    assert!(
        graphql(&running, bucket, args)
            .await
            .to_string()
            .contains(seed::SECRETS[4])
    );
}
