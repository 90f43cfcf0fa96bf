//! Opens one connection to an upstream: TCP, TLS where the address says so, and the HTTP version that
//! was agreed on.

use std::sync::Arc;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::limits::CONNECT_TIMEOUT;
use crate::upload::RequestBody;
use crate::upstream::Endpoint;

/// What one stream may send ahead of its reader: answers are read as fast as agents take them.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;

/// What all streams of a connection may send ahead together.
const CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;

/// One open connection.
pub(crate) enum Connection {
    /// One request at a time.
    Http1(http1::SendRequest<RequestBody>),
    /// Many at a time.
    Http2(http2::SendRequest<RequestBody>),
}

/// A stream to an upstream.
pub(crate) enum Stream {
    /// In the clear, on this machine.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects, within [`CONNECT_TIMEOUT`]. The error is one line, without any secret.
pub(crate) async fn dial(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
) -> Result<Connection, String> {
    match tokio::time::timeout(CONNECT_TIMEOUT, open(endpoint, tls)).await {
        Ok(opened) => opened.map_err(|error| format!("{}: {error}", endpoint.authority())),
        Err(_) => Err(format!("{}: no connection in time", endpoint.authority())),
    }
}

async fn open(endpoint: &Endpoint, tls: &Arc<ClientConfig>) -> Result<Connection, String> {
    match open_stream(endpoint, tls).await? {
        Stream::Plain(stream) => http1_over(stream).await,
        Stream::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            http2_over(stream).await
        }
        Stream::Tls(stream) => http1_over(stream).await,
    }
}

/// Connects to an endpoint, with TLS where its address says so.
pub(crate) async fn open_stream(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
) -> Result<Stream, String> {
    let stream = TcpStream::connect((endpoint.bare_host(), endpoint.port)).await;
    let stream = stream.map_err(|error| error.to_string())?;
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    if !endpoint.tls {
        return on_this_machine(stream).map(Stream::Plain);
    }
    let name = ServerName::try_from(endpoint.bare_host().to_owned());
    let name = name.map_err(|error| error.to_string())?;
    let connecting = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    let stream = connecting.await.map_err(|error| error.to_string())?;
    Ok(Stream::Tls(Box::new(stream)))
}

/// A name that means this machine could be made to mean another.
fn on_this_machine(stream: TcpStream) -> Result<TcpStream, String> {
    match stream.peer_addr() {
        Ok(peer) if peer.ip().is_loopback() => Ok(stream),
        _ => Err("plain `http` is for this machine only, and the name leads elsewhere".to_owned()),
    }
}

async fn http1_over<S>(stream: S) -> Result<Connection, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaking = http1::handshake(TokioIo::new(stream));
    let (sender, connection) = shaking.await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(Connection::Http1(sender))
}

async fn http2_over<S>(stream: S) -> Result<Connection, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaking = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .handshake(TokioIo::new(stream));
    let (sender, connection) = shaking.await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(Connection::Http2(sender))
}
