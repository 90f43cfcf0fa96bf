//! One POST: HTTPS, or plain HTTP to this machine.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::Uri;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Posts, and checks whom it talks to by the system's certificates.
pub(crate) struct Poster(TlsConnector);

impl Poster {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(crate) async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> anyhow::Result<()> {
        let uri: Uri = url.parse().context("the address is not one")?;
        let host = uri
            .host()
            .ok_or_else(|| anyhow!("the address names no host"))?
            .to_owned();
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let request = request(&uri, headers, body)?;
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        if secure {
            let name = ServerName::try_from(host)?;
            return send(self.0.connect(name, stream).await?, request).await;
        }
        ensure!(
            stream.peer_addr()?.ip().is_loopback(),
            "plain HTTP goes to this machine only"
        );
        send(stream, request).await
    }
}

fn request(
    uri: &Uri,
    headers: &[(&str, &str)],
    body: String,
) -> anyhow::Result<Request<Full<Bytes>>> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri
        .authority()
        .map(|authority| authority.as_str())
        .unwrap_or_default();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(request.body(Full::new(Bytes::from(body)))?)
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let serving = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    serving.abort();
    let status = answer.status();
    if !status.is_success() {
        bail!("the receiver answered {status}");
    }
    Ok(())
}
