//! A plain HTTP client over any stream.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use standin_railway::{Config, Running, Standin, seed};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) type Answer = (StatusCode, String);

pub(crate) async fn spawn() -> Running {
    Standin::spawn(Config::default()).await.unwrap()
}

pub(crate) fn bearer() -> (&'static str, String) {
    ("authorization", format!("Bearer {}", seed::ACCOUNT_TOKEN))
}

pub(crate) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, String)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "railway.test");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(Full::new(body.into())).unwrap()
}

/// One request on one HTTP/1.1 connection; an error if the connection ends without an answer.
pub(crate) async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> hyper::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await;
    let answer = collect(response?).await;
    drop(sender);
    driver.abort();
    answer
}

/// The same over HTTP/2.
pub(crate) async fn exchange_h2<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> hyper::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let answer = collect(sender.send_request(request).await?).await;
    driver.abort();
    answer
}

async fn collect(response: http::Response<hyper::body::Incoming>) -> hyper::Result<Answer> {
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

pub(crate) async fn send(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> hyper::Result<Answer> {
    exchange(TcpStream::connect(address).await.unwrap(), request).await
}

/// A GraphQL operation as JSON with the account token.
pub(crate) async fn graphql(running: &Running, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = request(Method::POST, "/graphql/v2", &[bearer()], body);
    let (status, text) = send(running.graphql_addr, request).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}

pub(crate) async fn admin(running: &Running, method: Method, path: &str, body: &str) -> Answer {
    send(
        running.admin_addr,
        request(method, path, &[], body.to_owned()),
    )
    .await
    .unwrap()
}

pub(crate) async fn tls(
    address: SocketAddr,
    roots: rustls::RootCertStore,
    protocol: &[u8],
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}
