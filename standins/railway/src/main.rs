//! `standin-railway`: the stand-in as a program.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use standin_railway::{Config, DeleteMode, Running, Standin, StandinError, seed};
use tokio::signal::unix::{SignalKind, signal};

/// Plays Railway's API. Prints one line of JSON with its addresses and ids, then serves until
/// SIGTERM or SIGINT.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to serve GraphQL
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to serve /inventory, /digest, /requests, /fault and /reset
    #[arg(long, default_value = "127.0.0.1:0")]
    admin: SocketAddr,
    /// The account token to accept
    #[arg(long, default_value = seed::ACCOUNT_TOKEN)]
    token: String,
    /// immediate, soft or claims-soft
    #[arg(long, default_value = "immediate")]
    delete_mode: DeleteMode,
    /// PEM file with the certificate chain
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the private key
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(Arc::new(tls(certificate, key)?)),
        _ => None,
    };
    let running = Standin::spawn(Config {
        listen: arguments.listen,
        admin: arguments.admin,
        token: arguments.token,
        delete_mode: arguments.delete_mode,
        tls,
    })
    .await?;
    writeln!(std::io::stdout(), "{}", announcement(&running))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.shutdown().await;
    Ok(())
}

fn announcement(running: &Running) -> Value {
    json!({
        "graphql": running.graphql_addr.to_string(),
        "admin": running.admin_addr.to_string(),
        "project": seed::PROJECT,
        "production": seed::PRODUCTION,
        "staging": seed::STAGING,
        "prEnvironment": seed::PR_ENVIRONMENT,
        "apiService": seed::API_SERVICE,
        "postgresService": seed::POSTGRES_SERVICE,
        "postgresVolume": seed::POSTGRES_VOLUME,
        "productionVolumeInstance": seed::PRODUCTION_VOLUME_INSTANCE,
        "stagingVolumeInstance": seed::STAGING_VOLUME_INSTANCE,
        "productionBackups": seed::PRODUCTION_BACKUPS,
        "stagingBackup": seed::STAGING_BACKUP,
        "bucket": seed::BUCKET,
        "customDomain": seed::CUSTOM_DOMAIN,
        "blogProject": seed::BLOG_PROJECT,
        "blogVolume": seed::BLOG_VOLUME,
    })
}

fn tls(certificate: &Path, key: &Path) -> Result<rustls::ServerConfig, StandinError> {
    let failed = |path: &Path, cause: String| StandinError::Tls {
        path: path.display().to_string(),
        cause,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| failed(certificate, e.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| failed(key, e.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(chain, secret)
        })
        .map_err(|e| failed(certificate, e.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
