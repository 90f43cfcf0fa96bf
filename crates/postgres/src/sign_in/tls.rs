//! TLS on both sides. A server's identity is always verified where TLS is demanded: encryption with
//! somebody unknown is not offered, since it looks like protection and is none.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use tokio_rustls::TlsAcceptor;

/// What is spoken inside TLS.
pub(crate) const ALPN: &[u8] = b"postgresql";

/// Why there is no TLS.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file can't be used.
    #[error("`{file}` can't be used: {reason}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        reason: String,
    },
    /// The parts don't fit.
    #[error("TLS can't be set up: {0}")]
    SetUp(String),
}

fn set_up(error: impl std::fmt::Display) -> TlsError {
    TlsError::SetUp(error.to_string())
}

/// TLS towards agents.
#[derive(Clone)]
pub struct AgentTls {
    pub(crate) acceptor: TlsAcceptor,
    /// The hash of our certificate that clients bind SCRAM to, where its kind is known.
    pub(crate) end_point: Option<Vec<u8>>,
}

impl std::fmt::Debug for AgentTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentTls(…)")
    }
}

impl AgentTls {
    /// TLS with this certificate (ours first, then those that lead to a root) and its key.
    ///
    /// # Errors
    /// [`TlsError`] when they don't fit.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let end_point = chain.first().and_then(|ours| end_point(ours));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(set_up)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(set_up)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            end_point,
        })
    }

    /// The same from PEM texts.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(set_up)?;
        Self::new(chain.map_err(set_up)?, key)
    }
}

/// TLS towards a server.
#[derive(Clone, Debug)]
pub enum ServerTls {
    /// None: `sslmode=disable`.
    Off,
    /// `sslmode=verify-full`: the server's certificate is for its host, and from somebody who is trusted.
    Verified(Arc<ClientConfig>),
}

impl ServerTls {
    /// Trusts this machine's roots, or only the certificates of a PEM file.
    ///
    /// # Errors
    /// [`TlsError`] when the file can't be used.
    pub fn verified(ca_file: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            Some(file) => add_file(&mut roots, file)?,
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(set_up)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self::Verified(Arc::new(config)))
    }
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<(), TlsError> {
    let refused = |reason: String| TlsError::File {
        file: file.display().to_string(),
        reason,
    };
    let found = CertificateDer::pem_file_iter(file).map_err(|error| refused(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused("there is no certificate in it".to_owned()));
    }
    Ok(())
}

/// `tls-server-end-point` (RFC 5929, section 4): a certificate's hash, by the hash function of its own
/// signature, and SHA-256 in the place of MD5 and SHA-1. `None` for kinds whose hash is not known.
pub(crate) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    let (last, before) = signature_kind(certificate)?.split_last()?;
    match (before, last) {
        (ECDSA, 2) | (RSA, 4 | 5 | 11) => Some(Sha256::digest(certificate).to_vec()),
        (ECDSA, 3) | (RSA, 12) => Some(Sha384::digest(certificate).to_vec()),
        (ECDSA, 4) | (RSA, 13) => Some(Sha512::digest(certificate).to_vec()),
        _ => None,
    }
}

/// The object identifier of a certificate's signature: what stands after the part that is signed.
fn signature_kind(certificate: &[u8]) -> Option<&[u8]> {
    let (inside, _) = element(certificate, 0x30)?;
    let (_signed, rest) = element(inside, 0x30)?;
    let (algorithm, _) = element(rest, 0x30)?;
    Some(element(algorithm, 0x06)?.0)
}

/// The content of a DER element with this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = bytes else {
        return None;
    };
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long - 0x80))?;
            let length = digits
                .iter()
                .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificates_hash_is_that_of_its_own_signature() {
        for (kind, length) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(32)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(48)),
            (&rcgen::PKCS_ED25519, None),
        ] {
            let key = rcgen::KeyPair::generate_for(kind).unwrap();
            let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]);
            let certificate = parameters.unwrap().self_signed(&key).unwrap();
            let hash = end_point(certificate.der());
            assert_eq!(hash.map(|hash| hash.len()), length);
            for cut in 0..40 {
                let _ = end_point(&certificate.der()[..cut]);
            }
        }
    }
}
