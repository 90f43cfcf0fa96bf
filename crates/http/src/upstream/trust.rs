//! Which certificate authorities are believed for an upstream.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::error::HttpError;

/// The system's authorities, and those in `ca_file`. HTTP/2 is offered before HTTP/1.1.
pub(crate) fn client_config(ca_file: Option<&str>) -> Result<Arc<ClientConfig>, HttpError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        add_file(&mut roots, file)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused("TLS versions", &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn add_file(roots: &mut RootCertStore, file: &str) -> Result<(), HttpError> {
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(|error| refused(file, &error))?;
    let mut any = false;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| refused(file, &error))?;
        roots
            .add(certificate)
            .map_err(|error| refused(file, &error))?;
        any = true;
    }
    if any {
        Ok(())
    } else {
        Err(refused(file, &"no certificate in it"))
    }
}

fn refused(file: &str, reason: &dyn std::fmt::Display) -> HttpError {
    HttpError::Certificates {
        file: file.escape_debug().to_string(),
        reason: reason.to_string(),
    }
}
