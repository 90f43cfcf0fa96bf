//! A WebSocket to an upstream, for GraphQL subscriptions.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::limits::{ANSWER_LIMIT_BYTES, CONNECT_TIMEOUT};
use crate::upstream::Endpoint;
use crate::upstream::dial::{Stream, open_stream};

/// The one sub-protocol that we speak to upstreams.
const PROTOCOL: &str = "graphql-transport-ws";

/// An open WebSocket.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Opens a WebSocket with the path and headers (host, credential) of `request`.
pub(crate) async fn open(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    request: Request<()>,
) -> Result<Socket, String> {
    let opening = tokio::time::timeout(CONNECT_TIMEOUT, shake(endpoint, tls, request));
    opening
        .await
        .map_err(|_| "no connection in time".to_owned())?
}

async fn shake(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    request: Request<()>,
) -> Result<Socket, String> {
    let mut sender = match open_stream(endpoint, &http1_only(tls)).await? {
        Stream::Plain(stream) => http1_over(stream).await?,
        Stream::Tls(stream) => http1_over(stream).await?,
    };
    let key = generate_key();
    let request = asking(request, &key).ok_or("the request can't be written")?;
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    check(&answer, &key)?;
    let upgraded = hyper::upgrade::on(answer)
        .await
        .map_err(|error| error.to_string())?;
    let stream = TokioIo::new(upgraded);
    Ok(
        WebSocketStream::from_raw_socket(stream, Role::Client, Some(config(ANSWER_LIMIT_BYTES)))
            .await,
    )
}

async fn http1_over<S>(stream: S) -> Result<http1::SendRequest<Empty<Bytes>>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaking = http1::handshake(TokioIo::new(stream));
    let (sender, connection) = shaking.await.map_err(|error| error.to_string())?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

/// Limits for messages from the other side.
pub(crate) fn config(limit_bytes: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(limit_bytes))
        .max_frame_size(Some(limit_bytes))
}

/// A WebSocket begins as HTTP/1.1.
fn http1_only(tls: &Arc<ClientConfig>) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(tls);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

fn asking(request: Request<()>, key: &str) -> Option<Request<Empty<Bytes>>> {
    let mut request = request.map(|()| Empty::new());
    let headers = request.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static("13"),
    );
    headers.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(PROTOCOL),
    );
    headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_str(key).ok()?);
    Some(request)
}

fn check(answer: &Response<Incoming>, key: &str) -> Result<(), String> {
    let says = |name, expected: &str| {
        let value = answer
            .headers()
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value == expected)
    };
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!(
            "the upstream answered the handshake with {}",
            answer.status()
        ));
    }
    let accepted = says(
        header::SEC_WEBSOCKET_ACCEPT,
        &derive_accept_key(key.as_bytes()),
    );
    if accepted && says(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL) {
        Ok(())
    } else {
        Err("the upstream does not speak GraphQL over WebSocket".to_owned())
    }
}
