//! The reverse mode's listener: agents speak to us as if we were the upstream.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::error::HttpError;
use crate::limits::{CONNECTIONS_LIMIT, HANDSHAKE_TIMEOUT, STOP_TIMEOUT};
use crate::surface::connection::{self, Version};
use crate::surface::peer;
use crate::surface::serve::Surface;
use crate::surface::stop::Stop;
use crate::surface::wire::Wire;

/// TLS for an agent listener, HTTP/2 offered before HTTP/1.1.
///
/// # Errors
/// [`HttpError::Certificates`] when key and certificates don't go together.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| HttpError::Certificates {
        file: "agent listener".to_owned(),
        reason: error.to_string(),
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves agents on `listener`, with TLS or, where `tls` is none, without (for listeners on this
/// machine only: the token would be in the clear). Returns when `stop` was ordered and every
/// connection has ended.
pub async fn serve_reverse(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    surface: Surface,
    stop: Stop,
) {
    let acceptor = tls.map(TlsAcceptor::from);
    accept_all(listener, stop, move |stream, wire| {
        let (surface, acceptor) = (surface.clone(), acceptor.clone());
        async move {
            match acceptor {
                None => connection::serve(stream, Version::Http1, surface, wire).await,
                Some(acceptor) => serve_tls(stream, &acceptor, surface, wire).await,
            }
        }
    })
    .await;
}

/// Shakes hands, and serves the version that was agreed on.
pub(crate) async fn serve_tls<S>(stream: S, acceptor: &TlsAcceptor, surface: Surface, wire: Wire)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let shaking = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
    let Ok(Ok(stream)) = shaking else {
        tracing::debug!(peer = %wire.peer.address, "an agent's TLS handshake failed");
        return;
    };
    let session = stream.get_ref().1;
    let version = if session.alpn_protocol() == Some(b"h2") {
        Version::Http2
    } else {
        Version::Http1
    };
    let wire = Wire {
        tls: true,
        sni: session.server_name().map(str::to_owned),
        ..wire
    };
    connection::serve(stream, version, surface, wire).await;
}

/// Accepts connections up to the limit, until the order to stop; then waits for all to end.
pub(crate) async fn accept_all<F, S>(listener: TcpListener, mut stop: Stop, serve: S)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream, Wire) -> F + Clone + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_LIMIT));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            biased;
            () = stop.ordered() => break,
            next = next => next,
        };
        // The semaphore is never closed.
        let Ok(place) = place else { return };
        match accepted {
            Ok((stream, from)) => {
                let (serve, stop) = (serve.clone(), stop.clone());
                tokio::spawn(async move {
                    let wire = wire(&stream, from, stop, place).await;
                    serve(stream, wire).await;
                });
            }
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    let all = u32::try_from(CONNECTIONS_LIMIT).unwrap_or(u32::MAX);
    // Every place is free again when nothing runs any more.
    if tokio::time::timeout(STOP_TIMEOUT, places.acquire_many(all))
        .await
        .is_err()
    {
        tracing::warn!("some attempts were still running when the listener stopped");
    }
}

async fn wire(
    stream: &TcpStream,
    from: SocketAddr,
    stop: Stop,
    place: OwnedSemaphorePermit,
) -> Wire {
    let _ = stream.set_nodelay(true);
    let peer = match stream.local_addr() {
        Ok(local) => peer::look_up(from, local).await,
        Err(_) => tagout_core::pipeline::Peer {
            address: from,
            uid: None,
        },
    };
    Wire {
        peer,
        tls: false,
        sni: None,
        tunnel: None,
        stop,
        place: Arc::new(place),
    }
}

/// Running out of descriptors is no reason to stop, nor to spin.
async fn pause_after(error: &std::io::Error) {
    tracing::warn!(%error, "an agent's connection could not be accepted");
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
}
