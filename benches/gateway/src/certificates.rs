//! One throw-away authority and one certificate for `localhost`, for everybody but the gateway's
//! forward proxy and mitmdump, which make their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Where the files lie.
#[derive(Clone)]
pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// Their places in the scratch folder.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self {
            authority: folder.join("authority.pem"),
            chain: folder.join("localhost.pem"),
            key: folder.join("localhost.key"),
        }
    }

    /// Makes and writes them.
    pub(crate) fn make(&self) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate()?;
        // Another name than the authority's, or OpenSSL takes it for one that signed itself.
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()])?;
        leaf.distinguished_name = DistinguishedName::new();
        leaf.distinguished_name
            .push(DnType::CommonName, "localhost");
        let leaf = leaf.signed_by(&leaf_key, &issuer)?;
        std::fs::write(&self.authority, authority.pem())?;
        std::fs::write(&self.chain, leaf.pem())?;
        std::fs::write(&self.key, leaf_key.serialize_pem())?;
        Ok(())
    }

    /// TLS for the gateway's reverse listeners, as the product makes it.
    pub(crate) fn server(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let chain = CertificateDer::pem_file_iter(&self.chain)?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(&self.key)?;
        Ok(tagout_http::server_config(chain, key)?)
    }
}

/// TLS for the load: HTTP/1.1, trusting the authorities in these files.
pub(crate) fn client(authorities: &[PathBuf]) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for file in authorities {
        let read = CertificateDer::pem_file_iter(file);
        for certificate in read.with_context(|| file.display().to_string())? {
            roots.add(certificate?)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
