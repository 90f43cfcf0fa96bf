//! GraphQL over WebSocket.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use standin_railway::seed;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::{Gateway, TOKEN, curl, railway};

type Socket = WebSocketStream<TcpStream>;

async fn open(gateway: &Gateway, protocol: &str, token: &str) -> Result<Socket, Error> {
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let url = format!("ws://{}/railway/graphql/v2", gateway.address);
    let mut request = url.into_client_request().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol.parse().unwrap());
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    client_async(request, stream)
        .await
        .map(|(socket, _)| socket)
}

async fn say(socket: &mut Socket, message: Value) {
    socket
        .send(Message::text(message.to_string()))
        .await
        .unwrap();
}

async fn hear(socket: &mut Socket) -> Value {
    let message = tokio::time::timeout(std::time::Duration::from_secs(10), socket.next()).await;
    let message = message
        .expect("a message in time")
        .expect("a message")
        .unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

async fn greeted(gateway: &Gateway) -> Socket {
    let mut socket = open(gateway, "graphql-transport-ws", TOKEN).await.unwrap();
    say(
        &mut socket,
        json!({"type": "connection_init", "payload": {"anything": 1}}),
    )
    .await;
    assert_eq!(hear(&mut socket).await, json!({"type": "connection_ack"}));
    socket
}

#[tokio::test]
async fn each_operation_is_judged_by_itself() {
    let (standin, gateway) = railway(false).await;
    let mut socket = greeted(&gateway).await;
    say(
        &mut socket,
        json!({"id": "a", "type": "subscribe", "payload": {"query": "{ me { id } }"}}),
    )
    .await;
    let next = hear(&mut socket).await;
    assert_eq!(
        next,
        json!({"id": "a", "type": "next", "payload": {"data": {"me": {"id": seed::USER}}}})
    );
    assert_eq!(
        hear(&mut socket).await,
        json!({"id": "a", "type": "complete"})
    );

    let delete = format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::POSTGRES_VOLUME
    );
    say(
        &mut socket,
        json!({"id": "b", "type": "subscribe", "payload": {"query": delete}}),
    )
    .await;
    let next = hear(&mut socket).await;
    assert_eq!(
        next["payload"]["errors"][0]["extensions"]["code"], "HELD",
        "{next}"
    );
    assert_eq!(
        hear(&mut socket).await,
        json!({"id": "b", "type": "complete"})
    );
    assert!(
        standin
            .state
            .requests()
            .iter()
            .all(|request| !request.changed)
    );
}

#[tokio::test]
async fn subscriptions_stream() {
    let (standin, gateway) = railway(false).await;
    let mut socket = greeted(&gateway).await;
    let query = "subscription($d: String!) { deploymentLogs(deploymentId: $d) { message } }";
    let payload = json!({"query": query, "variables": {"d": seed::PRODUCTION_DEPLOYMENT}});
    say(
        &mut socket,
        json!({"id": "1", "type": "subscribe", "payload": payload}),
    )
    .await;
    let next = hear(&mut socket).await;
    assert_eq!(next["type"], "next", "{next}");
    assert!(
        next["payload"]["data"]["deploymentLogs"].is_array(),
        "{next}"
    );
    let seen = standin.state.requests();
    let subscription = seen
        .iter()
        .find(|request| request.field == "deploymentLogs")
        .unwrap();
    assert_eq!(
        (subscription.via.as_str(), subscription.caller.is_some()),
        ("websocket", true)
    );
    say(&mut socket, json!({"id": "1", "type": "complete"})).await;
    say(&mut socket, json!({"type": "ping"})).await;
    loop {
        let heard = hear(&mut socket).await;
        if heard["type"] == "pong" {
            break;
        }
    }
}

#[tokio::test]
async fn the_older_protocol_works_too() {
    let (_standin, gateway) = railway(false).await;
    let mut socket = open(&gateway, "graphql-ws", TOKEN).await.unwrap();
    say(&mut socket, json!({"type": "connection_init"})).await;
    assert_eq!(hear(&mut socket).await, json!({"type": "connection_ack"}));
    say(
        &mut socket,
        json!({"id": "a", "type": "start", "payload": {"query": "{ me { id } }"}}),
    )
    .await;
    assert_eq!(hear(&mut socket).await["type"], "data");
    assert_eq!(hear(&mut socket).await["type"], "complete");
}

#[tokio::test]
async fn nothing_else_leaves_http_and_nobody_without_a_token() {
    let (standin, gateway) = railway(false).await;
    for (protocol, token, status) in [
        ("graphql-transport-ws", "tgo_other", 401),
        ("graphql-transport-ws", "real", 403),
        ("mqtt", TOKEN, 403),
    ] {
        match open(&gateway, protocol, token).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), status, "{protocol} {token}"),
            other => panic!("{protocol} {token}: {other:?}"),
        }
    }
    let url = format!("http://{}/railway/graphql/v2", gateway.address);
    let token = format!("Authorization: Bearer {TOKEN}");
    let got = curl(&[
        &url,
        "-H",
        &token,
        "-H",
        "Connection: Upgrade",
        "-H",
        "Upgrade: tcp",
    ])
    .await;
    assert_eq!(got.status, 403, "{got:?}");
    assert!(standin.state.requests().is_empty());
}

#[tokio::test]
async fn a_conversation_ends_when_the_gateway_stops_or_the_client_misbehaves() {
    let (_standin, gateway) = railway(false).await;
    let mut rude = open(&gateway, "graphql-transport-ws", TOKEN).await.unwrap();
    say(
        &mut rude,
        json!({"id": "a", "type": "subscribe", "payload": {"query": "{ me { id } }"}}),
    )
    .await;
    assert!(!matches!(rude.next().await, Some(Ok(Message::Text(_)))));
    let mut socket = greeted(&gateway).await;
    gateway.stop.stop();
    assert!(!matches!(socket.next().await, Some(Ok(Message::Text(_)))));
    gateway.serving.await.unwrap();
}
