//! One agent's connection: HTTP/1.1 or HTTP/2 with limits on everything a client could stretch.

use std::convert::Infallible;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::limits::{
    DRAIN_TIMEOUT, HEAD_TIMEOUT, REQUEST_HEAD_LIMIT_BYTES, REQUEST_HEADERS_LIMIT, STREAMS_LIMIT,
};
use crate::reply::Reply;
use crate::surface::asked::malformed;
use crate::surface::serve::Surface;
use crate::surface::stop::Stop;
use crate::surface::tap::{Heads, tap};
use crate::surface::wire::Wire;

/// The HTTP version that was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.1, also where nothing was agreed on.
    Http1,
    /// HTTP/2, agreed on in the TLS handshake only.
    Http2,
}

/// Serves one connection until it ends, or until the order to stop.
pub(crate) async fn serve<S>(stream: S, version: Version, surface: Surface, wire: Wire)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match version {
        Version::Http1 => serve_http1(stream, surface, wire).await,
        Version::Http2 => serve_http2(stream, surface, wire).await,
    }
}

async fn serve_http1<S>(stream: S, surface: Surface, wire: Wire)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stream, heads) = tap(stream);
    let stop = wire.stop.clone();
    let shared = Arc::new((surface, wire, heads));
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let (surface, wire, heads) = &*shared;
            let response = match refused_outright(&request, heads) {
                Some(reply) => reply.into_response(),
                None => surface.answer(request, wire).await,
            };
            heads.next();
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1_builder()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    until_stopped(stop, connection.as_mut(), |connection| {
        connection.graceful_shutdown()
    })
    .await;
}

async fn serve_http2<S>(stream: S, surface: Surface, wire: Wire)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stop = wire.stop.clone();
    let shared = Arc::new((surface, wire));
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.0.answer(request, &shared.1).await) }
    });
    let mut connection =
        std::pin::pin!(http2_builder().serve_connection(TokioIo::new(stream), service));
    until_stopped(stop, connection.as_mut(), |connection| {
        connection.graceful_shutdown()
    })
    .await;
}

/// The answer to a request whose length was given in two ways.
fn refused_outright(request: &Request<Incoming>, heads: &Heads) -> Option<Reply> {
    let is_clear = heads.has_one_length(request.headers());
    (!is_clear).then(|| *malformed("the length of the body is given in two ways"))
}

pub(crate) fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(REQUEST_HEAD_LIMIT_BYTES)
        .max_headers(REQUEST_HEADERS_LIMIT)
        .half_close(false);
    builder
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_LIMIT)
        .max_header_list_size(u32::try_from(REQUEST_HEAD_LIMIT_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(HEAD_TIMEOUT);
    builder
}

/// Runs a connection; after the order to stop it may finish what it has begun, for a while.
pub(crate) async fn until_stopped<C, E>(
    mut stop: Stop,
    mut connection: std::pin::Pin<&mut C>,
    finish: impl FnOnce(std::pin::Pin<&mut C>),
) where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.ordered() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            finish(connection.as_mut());
            match tokio::time::timeout(DRAIN_TIMEOUT, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an agent's connection broke");
    }
}
