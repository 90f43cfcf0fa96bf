//! GraphQL over WebSocket, protocol `graphql-transport-ws`.

use async_graphql::http::{WebSocket, WsMessage};
use async_graphql::{Data, Error};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, future};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;

use super::{Graphql, Reply, bearer, failure, plain};
use crate::record::Kind;
use crate::schema::{Caller, identify};

const PROTOCOL: &str = "graphql-transport-ws";

/// Whether the request asks for an upgrade to WebSocket.
pub(super) fn asked_for(request: &Request<Incoming>) -> bool {
    let upgrade = request
        .headers()
        .get(header::UPGRADE)
        .and_then(|v| v.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// Accepts the handshake and serves the connection in the background. The credential comes in the
/// handshake's headers or in the payload of `connection_init`.
pub(super) fn accept(
    request: Request<Incoming>,
    graphql: Graphql,
    caller: Option<Caller>,
) -> Reply {
    let headers = request.headers();
    let offered = headers
        .get(header::SEC_WEBSOCKET_PROTOCOL)
        .and_then(|v| v.to_str().ok());
    if !offered.is_some_and(|list| list.split(',').any(|item| item.trim() == PROTOCOL)) {
        return failure(
            StatusCode::BAD_REQUEST,
            "WebSocket protocol must be graphql-transport-ws",
        );
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return plain(StatusCode::BAD_REQUEST, "missing Sec-WebSocket-Key");
    };
    let accepted = switching(&derive_accept_key(key.as_bytes()));
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            let io = TokioIo::new(upgraded);
            let stream = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
            converse(stream, graphql, caller).await;
        }
    });
    accepted
}

fn switching(accept_key: &str) -> Reply {
    let mut reply = Response::new(Full::<Bytes>::default());
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(PROTOCOL),
    );
    if let Ok(value) = HeaderValue::from_str(accept_key) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, value);
    }
    reply
}

async fn converse<S>(stream: WebSocketStream<S>, graphql: Graphql, caller: Option<Caller>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sink, source) = stream.split();
    let incoming = source
        .take_while(|message| future::ready(message.is_ok()))
        .filter_map(|message| future::ready(message.ok().and_then(payload)));
    let schema = graphql.schema.clone();
    let mut alive = graphql.alive.clone();
    let server_end = Box::pin(async move { alive.changed().await.is_err() });
    let conversation = WebSocket::new(
        schema,
        incoming,
        async_graphql::http::WebSocketProtocols::GraphQLWS,
    )
    .on_connection_init(move |init| future::ready(greet(&graphql, caller, &init)));
    let mut outgoing = std::pin::pin!(conversation.take_until(server_end));
    while let Some(message) = outgoing.next().await {
        let frame = match message {
            WsMessage::Text(text) => Message::text(text),
            WsMessage::Close(code, reason) => Message::Close(Some(CloseFrame {
                code: code.into(),
                reason: reason.into(),
            })),
        };
        if sink.send(frame).await.is_err() {
            return;
        }
    }
    // The peer may be gone already.
    drop(sink.close().await);
}

fn greet(graphql: &Graphql, caller: Option<Caller>, init: &Value) -> Result<Data, Error> {
    let text = |name: &str| init.get(name).and_then(Value::as_str);
    let secret = text("Authorization")
        .or_else(|| text("authorization"))
        .and_then(bearer);
    let secret = secret.or_else(|| text("token"));
    let world = graphql.state.world();
    match caller.or_else(|| identify(&world, secret, None)) {
        Some(caller) => Ok(Graphql::connection_data(caller)),
        None => {
            graphql.turn_away(
                Kind::Unauthorized,
                "Not Authorized",
                None,
                "websocket".to_owned(),
            );
            Err(Error::new("Not Authorized"))
        }
    }
}

/// The bytes of a data frame.
fn payload(message: Message) -> Option<Vec<u8>> {
    match message {
        Message::Text(text) => Some(text.as_bytes().to_vec()),
        Message::Binary(bytes) => Some(bytes.to_vec()),
        _ => None,
    }
}
