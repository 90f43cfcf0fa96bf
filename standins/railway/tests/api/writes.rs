//! Mutations as clients write them: with variables, input objects and selections on the answer.

use std::time::Duration;

use futures_util::StreamExt;
use http::Method;
use serde_json::{Value, json};
use standin_railway::seed;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::client::{bearer, graphql, request, send, spawn};

#[tokio::test]
async fn a_destroying_patch_at_once_and_in_two_steps() {
    let patch = json!({ "volumes": { seed::POSTGRES_VOLUME: { "isDeleted": true } } });
    let variables = json!({ "e": seed::PRODUCTION, "p": patch });
    let commit = "mutation($e: String!, $p: EnvironmentConfig) { environmentPatchCommit(environmentId: $e, patch: $p) }";
    let stage = "mutation($e: String!, $p: EnvironmentConfig!) { environmentStageChanges(environmentId: $e, input: $p) { status patch environment { name unmergedChangesCount } } }";
    let staged = "query($e: String!) { environmentStagedChanges(environmentId: $e) { patch } }";
    let commit_staged = "mutation($e: String!) { environmentPatchCommitStaged(environmentId: $e) }";
    let here = json!({ "e": seed::PRODUCTION });
    for steps in [&[commit][..], &[stage, commit_staged]] {
        let running = spawn().await;
        for step in steps {
            let instances = running.state.table("volumeInstances");
            assert!(instances.get(seed::PRODUCTION_VOLUME_INSTANCE).is_some());
            let own = if *step == commit_staged {
                &here
            } else {
                &variables
            };
            let answer = graphql(&running, step, own.clone()).await;
            assert!(answer["errors"].is_null(), "{answer}");
            if *step == stage {
                let change = &answer["data"]["environmentStageChanges"];
                assert_eq!(change["environment"]["unmergedChangesCount"], 1);
                let found = graphql(&running, staged, here.clone()).await;
                assert_eq!(found["data"]["environmentStagedChanges"]["patch"], patch);
            }
        }
        let instances = running.state.table("volumeInstances");
        assert!(instances.get(seed::PRODUCTION_VOLUME_INSTANCE).is_none());
        assert!(instances.get(seed::STAGING_VOLUME_INSTANCE).is_some());
        let found = graphql(&running, staged, here.clone()).await;
        assert_eq!(
            found["data"]["environmentStagedChanges"]["patch"],
            json!({})
        );
    }
}

#[tokio::test]
async fn answers_of_creating_mutations_can_be_selected_from() {
    let running = spawn().await;
    let place = json!({ "p": seed::PROJECT, "e": seed::STAGING, "s": seed::API_SERVICE,
        "v": seed::PRODUCTION_VOLUME_INSTANCE });
    let table = [
        "volumeCreate(input: { projectId: $p, environmentId: $e, mountPath: \"/d\" }) { id project { name } volumeInstances { edges { node { mountPath environment { name } } } } }",
        "serviceCreate(input: { projectId: $p, name: \"worker\", source: { image: \"redis\" } }) { id serviceInstances { edges { node { source { image } serviceName builder } } } }",
        "environmentCreate(input: { projectId: $p, name: \"qa\", sourceEnvironmentId: $e }) { name sourceEnvironment { id } config configEtag }",
        "customDomainCreate(input: { projectId: $p, environmentId: $e, serviceId: $s, domain: \"new.example\" }) { domain status { verified certificateStatus } syncStatus }",
        "serviceDomainCreate(input: { environmentId: $e, serviceId: $s }) { domain suffix }",
        "tcpProxyCreate(input: { environmentId: $e, serviceId: $s, applicationPort: 5432 }) { proxyPort syncStatus }",
        "volumeInstanceBackupCreate(volumeInstanceId: $v, name: \"before\") { workflowId }",
        "projectCreate(input: { name: \"new\" }) { id primaryEnvironmentId environments { edges { node { name } } } }",
        "environmentPreviewChangeSet(environmentId: $e, input: { services: {} }) { changeSet effects diagnostics }",
        "environmentApplyChangeSet(environmentId: $e, input: { sharedVariables: { A: { value: \"1\" } } }) { id status changes { kind status } diagnostics }",
    ];
    for field in table {
        let used = |name: &str| field.contains(&format!("${name}"));
        let declared: Vec<_> = ["p", "e", "s", "v"]
            .into_iter()
            .filter(|n| used(n))
            .map(|n| format!("${n}: String!"))
            .collect();
        let header = if declared.is_empty() {
            String::new()
        } else {
            format!("({})", declared.join(", "))
        };
        let query = format!("mutation{header} {{ it: {field} }}");
        let answer = graphql(&running, &query, place.clone()).await;
        assert!(
            answer["errors"].is_null() && answer["data"]["it"].is_object(),
            "{field}: {answer}"
        );
        if let Some(workflow) = answer["data"]["it"]["workflowId"].as_str() {
            let query = "query($w: String!) { workflowStatus(workflowId: $w) { status error } }";
            let status = graphql(&running, query, json!({ "w": workflow })).await;
            assert_eq!(status["data"]["workflowStatus"]["status"], "Complete");
        }
    }
}

#[tokio::test]
async fn skipped_fields_do_not_run_and_aliases_all_do() {
    let running = spawn().await;
    let query = format!(
        "mutation($no: Boolean!) {{
            a: volumeDelete(volumeId: \"{0}\") @include(if: $no)
            b: volumeDelete(volumeId: \"{1}\")
            c: serviceDelete(id: \"{2}\")
        }}",
        seed::POSTGRES_VOLUME,
        seed::BLOG_VOLUME,
        seed::API_SERVICE
    );
    let answer = graphql(&running, &query, json!({ "no": false })).await;
    assert_eq!(answer["data"], json!({ "b": true, "c": true }));
    let fields: Vec<_> = running
        .state
        .requests()
        .into_iter()
        .map(|r| r.field)
        .collect();
    assert_eq!(fields, ["volumeDelete", "serviceDelete"]);
    let volumes = running.state.table("volumes");
    assert!(
        volumes.get(seed::POSTGRES_VOLUME).is_some() && volumes.get(seed::BLOG_VOLUME).is_none()
    );
}

#[tokio::test]
async fn after_shutdown_nobody_is_served() {
    let running = spawn().await;
    let address = running.graphql_addr;
    let mut handshake = format!("ws://{address}/graphql/v2")
        .into_client_request()
        .unwrap();
    handshake.headers_mut().insert(
        "sec-websocket-protocol",
        "graphql-transport-ws".parse().unwrap(),
    );
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(handshake, stream)
        .await
        .unwrap();
    running.shutdown().await;
    let end = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
    let last = end.expect("the server closes the connection");
    assert!(last.is_none_or(|m| m.is_err() || m.is_ok_and(|m| m.is_close())));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn other_paths_are_not_graphql() {
    let running = spawn().await;
    let body: Value = json!({ "query": "{ me { id } }" });
    for path in ["/", "/graphql", "/graphql/v3"] {
        let request = request(Method::POST, path, &[bearer()], body.to_string());
        assert_eq!(
            send(running.graphql_addr, request).await.unwrap().0,
            404,
            "{path}"
        );
    }
    assert!(running.state.requests().is_empty());
}
