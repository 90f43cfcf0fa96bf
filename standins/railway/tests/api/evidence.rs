//! The admin listener, faults and subscriptions.

use std::time::{Duration, Instant};

use crate::client::{admin, bearer, graphql, request, send, spawn};
use futures_util::{SinkExt, StreamExt};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use standin_railway::{Config, DeleteMode, Fault, FaultAction, Kind, Running, Standin, seed};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const DELETE: &str = "mutation($id: String!) { volumeDelete(volumeId: $id) }";

fn delete_request() -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let body = json!({ "query": DELETE, "variables": { "id": seed::POSTGRES_VOLUME } });
    request(Method::POST, "/graphql/v2", &[bearer()], body.to_string())
}

#[tokio::test]
async fn the_admin_listener_tells_and_resets() {
    let running = spawn().await;
    let (status, inventory) = admin(&running, Method::GET, "/inventory", "").await;
    assert_eq!(
        (status, inventory.clone()),
        (StatusCode::OK, running.state.inventory())
    );
    let (_, digest) = admin(&running, Method::GET, "/digest", "").await;
    assert_eq!(digest, running.state.digest());
    graphql(&running, "{ me { id } }", json!({})).await;
    assert_eq!(admin(&running, Method::GET, "/digest", "").await.1, digest);
    graphql(&running, DELETE, json!({ "id": seed::POSTGRES_VOLUME })).await;
    assert_ne!(admin(&running, Method::GET, "/digest", "").await.1, digest);
    let again = graphql(&running, DELETE, json!({ "id": seed::POSTGRES_VOLUME })).await;
    assert!(
        again["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("not found"),
        "{again}"
    );
    let (_, log) = admin(&running, Method::GET, "/requests", "").await;
    let log: Vec<Value> = serde_json::from_str(&log).unwrap();
    let rows: Vec<_> = log
        .iter()
        .map(|r| (&r["seq"], &r["kind"], &r["field"], &r["changed"]))
        .collect();
    assert_eq!(
        json!(rows),
        json!([
            [1, "query", "me", false],
            [2, "mutation", "volumeDelete", true],
            [3, "mutation", "volumeDelete", false],
        ])
    );
    assert_eq!(log[1]["args"]["volumeId"], seed::POSTGRES_VOLUME);
    assert_eq!(log[1]["caller"], "domains-cli");
    assert_eq!(
        admin(&running, Method::POST, "/reset", "").await.0,
        StatusCode::OK
    );
    assert_eq!(
        admin(&running, Method::GET, "/inventory", "").await.1,
        inventory
    );
    assert_eq!(admin(&running, Method::GET, "/requests", "").await.1, "[]");
    assert_eq!(
        admin(&running, Method::GET, "/else", "").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        admin(&running, Method::POST, "/fault", "{\"a\":1}").await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn faults_with_and_without_effect() {
    let table = [
        (json!({ "action": "drop" }), None, false),
        (
            json!({ "action": "drop", "after_effect": true }),
            None,
            true,
        ),
        (json!({ "action": { "status": 502 } }), Some(502), false),
        (
            json!({ "action": { "status": 503 }, "after_effect": true }),
            Some(503),
            true,
        ),
        (
            json!({ "action": "garbage", "after_effect": true }),
            Some(200),
            true,
        ),
        (json!({ "action": "drop", "field": "me" }), Some(200), true),
        (
            json!({ "action": "drop", "field": "volumeDelete" }),
            None,
            false,
        ),
    ];
    for (fault, expected, effect) in table {
        let running = spawn().await;
        let (status, text) = admin(&running, Method::POST, "/fault", &fault.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{fault}: {text}");
        let before = running.state.digest();
        let answer = send(running.graphql_addr, delete_request()).await;
        assert_eq!(
            answer.as_ref().ok().map(|a| a.0.as_u16()),
            expected,
            "{fault}"
        );
        assert_eq!(running.state.digest() != before, effect, "{fault}");
        let spoiled = fault["action"] != "drop" && answer.is_ok();
        if spoiled {
            assert!(
                serde_json::from_str::<Value>(&answer.unwrap().1).is_err(),
                "{fault}"
            );
        }
        running.state.reset();
        assert!(
            send(running.graphql_addr, delete_request()).await.is_ok(),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn a_delay_is_kept_and_faults_are_spent() {
    let running = spawn().await;
    let (delay_ms, times) = (120, 2);
    running.state.inject(Fault {
        delay_ms,
        times,
        ..Fault::default()
    });
    running.state.inject(Fault {
        action: FaultAction::Status(500),
        ..Fault::default()
    });
    let mut seen = Vec::new();
    for _ in 0..4 {
        let start = Instant::now();
        let (status, _) = send(running.graphql_addr, delete_request()).await.unwrap();
        seen.push((
            status.as_u16(),
            start.elapsed() >= Duration::from_millis(delay_ms),
        ));
    }
    // Only a lower bound can be asserted: a loaded machine may be slow without a fault.
    assert_eq!(seen[..2], [(200, true), (200, true)]);
    assert_eq!(
        seen[2..]
            .iter()
            .map(|(status, _)| *status)
            .collect::<Vec<_>>(),
        [500, 200]
    );
}

#[tokio::test]
async fn soft_deletes_are_claimed_truly_or_not() {
    let pending =
        "query($id: String!) { volumeInstance(id: $id) { isPendingDeletion deletedAt state } }";
    let id = json!({ "id": seed::PRODUCTION_VOLUME_INSTANCE });
    for (delete_mode, claims, keeps) in [
        (DeleteMode::Immediate, false, false),
        (DeleteMode::Soft, true, true),
        (DeleteMode::ClaimsSoft, true, false),
    ] {
        let running = Standin::spawn(Config {
            delete_mode,
            ..Config::default()
        })
        .await
        .unwrap();
        let answer = graphql(&running, DELETE, json!({ "id": seed::POSTGRES_VOLUME })).await;
        assert_eq!(answer["data"], json!({ "volumeDelete": true }));
        assert_eq!(
            answer["extensions"]["notice"].is_string(),
            claims,
            "{delete_mode:?}"
        );
        let after = graphql(&running, pending, id.clone()).await;
        let pending = &after["data"]["volumeInstance"]["isPendingDeletion"];
        assert_eq!(*pending == json!(true), keeps, "{delete_mode:?}: {after}");
    }
}

async fn subscribe(running: &Running, init: Value, header: bool, query: &str) -> Vec<Value> {
    let address = running.graphql_addr;
    let mut request = format!("ws://{address}/graphql/v2")
        .into_client_request()
        .unwrap();
    let headers = request.headers_mut();
    headers.insert(
        "sec-websocket-protocol",
        "graphql-transport-ws".parse().unwrap(),
    );
    if header {
        headers.insert("authorization", bearer().1.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    let start = json!({ "type": "subscribe", "id": "1", "payload": { "query": query } });
    for message in [json!({ "type": "connection_init", "payload": init }), start] {
        socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }
    let mut received = Vec::new();
    while let Some(Ok(Message::Text(text))) = socket.next().await {
        let message: Value = serde_json::from_str(&text).unwrap();
        let end = matches!(message["type"].as_str(), Some("complete" | "error"));
        received.push(message);
        if end {
            break;
        }
    }
    received
}

#[tokio::test]
async fn logs_stream_over_a_websocket() {
    let running = spawn().await;
    let query = format!(
        "subscription {{ deploymentLogs(deploymentId: \"{}\") {{ message tags {{ serviceId }} }} }}",
        seed::PRODUCTION_DEPLOYMENT
    );
    let token = json!({ "Authorization": bearer().1 });
    for (init, header) in [(json!({}), true), (token, false)] {
        let received = subscribe(&running, init, header, &query).await;
        let kinds: Vec<_> = received
            .iter()
            .map(|m| m["type"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            ["connection_ack", "next", "next", "next", "complete"]
        );
        let line = &received[1]["payload"]["data"]["deploymentLogs"][0];
        assert_eq!(line["message"], "starting container");
        assert_eq!(line["tags"]["serviceId"], seed::API_SERVICE);
    }
    assert!(
        subscribe(&running, json!({}), false, &query)
            .await
            .is_empty()
    );
    let log = running.state.requests();
    let kinds: Vec<_> = log.iter().map(|r| r.kind).collect();
    assert_eq!(
        kinds,
        [Kind::Subscription, Kind::Subscription, Kind::Unauthorized]
    );
}

#[tokio::test]
async fn a_mutation_over_a_websocket_has_its_effect() {
    let running = spawn().await;
    let query = format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::POSTGRES_VOLUME
    );
    let received = subscribe(&running, json!({}), true, &query).await;
    assert_eq!(
        received[1]["payload"]["data"],
        json!({ "volumeDelete": true })
    );
    assert_eq!(running.state.requests()[0].via, "websocket");
    assert!(running.state.requests()[0].changed);
}
