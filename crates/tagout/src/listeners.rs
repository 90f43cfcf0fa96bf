//! Listening: files to TLS, addresses to sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tagout_http::server_config;
use tokio::net::TcpListener;

use crate::config::TlsFiles;

/// Binds, and says what is in the way if that fails.
pub(crate) async fn bind(address: SocketAddr, what: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("can't listen on `{address}` for {what}"))
}

/// TLS from files, if there are any.
pub(crate) fn tls(files: Option<&TlsFiles>) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let Some(files) = files else { return Ok(None) };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(&files.certificates).and_then(Iterator::collect);
    let chain = chain.map_err(|error| anyhow!("`{}`: {error}", files.certificates.display()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key);
    let key = key.map_err(|error| anyhow!("`{}`: {error}", files.key.display()))?;
    Ok(Some(server_config(chain, key)?))
}
