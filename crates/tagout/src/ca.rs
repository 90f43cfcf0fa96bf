//! The certificate authority of this installation, for agents that come through the forward proxy.
//!
//! Its key is made once and kept sealed; it never lies on the disk in clear. Its certificate is public
//! and names the hosts of the upstreams in force, so that it can't stand in for anything else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tagout_core::store::Sealed as _;
use tagout_engine::{DerivedKey, seal, unseal};
use tagout_http::Authority;

use crate::gateway::Gateway;

/// The name under which the key is sealed.
const SEALED_AS: &str = "agents-ca";

/// The authority, with what its certificate is made from.
pub(crate) struct AgentsCa {
    key_pem: String,
    certificate: PathBuf,
    pub(crate) authority: Arc<Authority>,
}

impl AgentsCa {
    /// Opens the authority of this data folder, or makes it.
    pub(crate) async fn open(
        gateway: &Gateway,
        key: &DerivedKey,
        data: &Path,
    ) -> anyhow::Result<Self> {
        let key_pem = match gateway.store.sealed(SEALED_AS).await? {
            Some(sealed) => read(key, &sealed)?,
            None => create(gateway, key).await?,
        };
        let authority = Arc::new(Authority::new(&key_pem)?);
        let ca = Self {
            key_pem,
            certificate: data.join("agents-ca.pem"),
            authority,
        };
        ca.publish(gateway)?;
        Ok(ca)
    }

    /// Writes the certificate for the hosts that are in force now.
    pub(crate) fn publish(&self, gateway: &Gateway) -> anyhow::Result<()> {
        let certificate =
            Authority::certificate(&self.key_pem, &gateway.adapter.upstreams().hosts())?;
        std::fs::write(&self.certificate, certificate)
            .with_context(|| format!("can't write `{}`", self.certificate.display()))
    }

    /// Where agents find the certificate.
    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }
}

fn read(key: &DerivedKey, sealed: &[u8]) -> anyhow::Result<String> {
    let opened = unseal(key, SEALED_AS, sealed);
    let opened = opened.ok_or_else(|| {
        anyhow!("the agents' authority does not open with this installation's key")
    })?;
    Ok(String::from_utf8(opened.to_vec())?)
}

async fn create(gateway: &Gateway, key: &DerivedKey) -> anyhow::Result<String> {
    let key_pem = Authority::generate_key()?;
    gateway
        .store
        .keep(SEALED_AS, seal(key, SEALED_AS, key_pem.as_bytes())?)
        .await?;
    Ok(key_pem)
}
