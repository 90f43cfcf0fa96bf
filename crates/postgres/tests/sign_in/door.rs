//! TLS from the first byte on, and SCRAM that is bound to it.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tagout_postgres::sign_in::DoorLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::house::{House, Papers, connection};

/// What is answered to a first packet inside TLS, which is begun at once.
async fn directly(house: &House, papers: &Papers, alpn: &[&str], inside: &[u8]) -> Vec<u8> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(papers.ca.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let socket = TcpStream::connect(house.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connected = TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await;
    let Ok(mut stream) = connected else {
        return Vec::new();
    };
    let mut heard = vec![0; 64];
    if stream.write_all(inside).await.is_err() {
        return Vec::new();
    }
    let length = stream.read(&mut heard).await.unwrap_or(0);
    heard.truncate(length);
    heard
}

#[tokio::test]
async fn tls_can_come_first_if_it_says_what_is_inside() {
    let papers = Papers::new();
    let house = House::open(Some(papers.tls()), DoorLimits::default()).await;
    let body = format!("\0\u{3}\0\0user\0{}\0\0", connection());
    let startup = [
        &[0, 0, 0, u8::try_from(body.len() + 4).unwrap()][..],
        body.as_bytes(),
    ]
    .concat();
    let heard = directly(&house, &papers, &["postgresql"], &startup).await;
    let mechanisms = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
    assert!(heard.ends_with(mechanisms), "{heard:?}");
    // What else could be meant for somebody else (RFC 7301; ALPACA) is not taken.
    for alpn in [&[][..], &["http/1.1"]] {
        let heard = directly(&house, &papers, alpn, &startup).await;
        assert_eq!(heard, b"", "{alpn:?}");
    }
    // Nor is TLS inside TLS.
    let again = b"\0\0\0\x08\x04\xd2\x16\x2f";
    let heard = directly(&house, &papers, &["postgresql"], again).await;
    assert_eq!(heard.first(), Some(&b'E'));
}
