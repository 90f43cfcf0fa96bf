//! The certificate authority of one installation, with which the forward proxy stands in for the hosts
//! of registered upstreams.
//!
//! Its certificate names the hosts that it may be believed for, so that even a stolen key can't stand in
//! for a bank. The key comes in from outside and is never written by this crate; leaves live for a day
//! and only in memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};

use crate::error::HttpError;
use crate::surface::listener::server_config;

/// How long an authority's certificate is valid. Whoever renews it keeps the key.
const AUTHORITY_LIFE: Duration = Duration::from_hours(365 * 24);

/// How long a leaf is valid. It is renewed at half of that.
const LEAF_LIFE: Duration = Duration::from_hours(24);

/// Clocks of agents may be behind ours.
const CLOCK_SLACK: Duration = Duration::from_hours(1);

/// Makes leaves for hosts.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    leaf_key: KeyPair,
    leaves: Mutex<HashMap<String, Leaf>>,
}

struct Leaf {
    config: Arc<ServerConfig>,
    since: Instant,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(…)")
    }
}

impl Authority {
    /// A new key for an authority, PKCS#8 in PEM. Keep it sealed.
    ///
    /// # Errors
    /// [`HttpError::Certificates`] when there is no randomness.
    pub fn generate_key() -> Result<String, HttpError> {
        KeyPair::generate()
            .map(|key| key.serialize_pem())
            .map_err(refused)
    }

    /// The certificate that agents are to trust, PEM: for `hosts` only, valid for a year from now. The
    /// same key gives certificates of the same name, so that a new list of hosts is a new certificate
    /// and not a new authority.
    ///
    /// # Errors
    /// [`HttpError::Certificates`] for a key that is none, or a host that can't stand in a certificate.
    pub fn certificate(key_pem: &str, hosts: &[String]) -> Result<String, HttpError> {
        let key = KeyPair::from_pem(key_pem).map_err(refused)?;
        let mut params = authority_params(&key);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.name_constraints = Some(constraints(hosts));
        limit_to(&mut params, AUTHORITY_LIFE);
        params
            .self_signed(&key)
            .map(|certificate| certificate.pem())
            .map_err(refused)
    }

    /// The authority with this key.
    ///
    /// # Errors
    /// [`HttpError::Certificates`] for a key that is none.
    pub fn new(key_pem: &str) -> Result<Self, HttpError> {
        let key = KeyPair::from_pem(key_pem).map_err(refused)?;
        let params = authority_params(&key);
        Ok(Self {
            issuer: Issuer::new(params, key),
            leaf_key: KeyPair::generate().map_err(refused)?,
            leaves: Mutex::default(),
        })
    }

    /// TLS that stands in for `host` (no port), made once and kept.
    pub(crate) fn stand_in(&self, host: &str) -> Result<Arc<ServerConfig>, HttpError> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = leaves
            .get(host)
            .filter(|leaf| leaf.since.elapsed() < LEAF_LIFE / 2)
        {
            return Ok(Arc::clone(&leaf.config));
        }
        let config = self.make(host)?;
        let leaf = Leaf {
            config: Arc::clone(&config),
            since: Instant::now(),
        };
        leaves.insert(host.to_owned(), leaf);
        Ok(config)
    }

    fn make(&self, host: &str) -> Result<Arc<ServerConfig>, HttpError> {
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let mut params = CertificateParams::new(vec![name]).map_err(refused)?;
        params.distinguished_name = DistinguishedName::new();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        limit_to(&mut params, LEAF_LIFE);
        let certificate = params
            .signed_by(&self.leaf_key, &self.issuer)
            .map_err(refused)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der()));
        server_config(vec![certificate.der().clone()], key)
    }
}

/// What is the same for every certificate of one key. The name holds the key's fingerprint, so that two
/// installations are never taken for one.
fn authority_params(key: &KeyPair) -> CertificateParams {
    let fingerprint = Sha256::digest(key.public_key_raw());
    let short: String = fingerprint
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Tagout installation {short}"));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A name that is never anybody's (RFC 2606).
const NOBODY: &str = "invalid";

/// These hosts and no others. A constraint on names says nothing about addresses, and the other way
/// round; and where none is permitted, all are. So both kinds are always constrained.
fn constraints(hosts: &[String]) -> NameConstraints {
    let mut permitted: Vec<GeneralSubtree> = hosts.iter().map(|host| subtree(host)).collect();
    let is_name = |subtree: &GeneralSubtree| matches!(subtree, GeneralSubtree::DnsName(_));
    let any_address = permitted.iter().any(|subtree| !is_name(subtree));
    if !permitted.iter().any(is_name) {
        permitted.push(GeneralSubtree::DnsName(NOBODY.to_owned()));
    }
    let all_addresses = [
        CidrSubnet::V4([0; 4], [0; 4]),
        CidrSubnet::V6([0; 16], [0; 16]),
    ];
    let excluded = if any_address {
        Vec::new()
    } else {
        all_addresses.map(GeneralSubtree::IpAddress).to_vec()
    };
    NameConstraints {
        permitted_subtrees: permitted,
        excluded_subtrees: excluded,
    }
}

fn subtree(host: &str) -> GeneralSubtree {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            GeneralSubtree::IpAddress(CidrSubnet::V4(address.octets(), [255; 4]))
        }
        Ok(IpAddr::V6(address)) => {
            GeneralSubtree::IpAddress(CidrSubnet::V6(address.octets(), [255; 16]))
        }
        Err(_) => GeneralSubtree::DnsName(bare.to_owned()),
    }
}

/// Valid from a little ago until `life` from now.
fn limit_to(params: &mut CertificateParams, life: Duration) {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = date_time_ymd(1970, 1, 1) + since_epoch;
    params.not_before = now - CLOCK_SLACK;
    params.not_after = now + life;
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` wants"
)]
fn refused(error: rcgen::Error) -> HttpError {
    HttpError::Certificates {
        file: "interception authority".to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{ClientConfig, RootCertStore};
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, ServerName};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    /// Whether a client that trusts the authority for `hosts` believes that it speaks to `host`.
    async fn is_believed(hosts: &[&str], host: &str) -> bool {
        let key = Authority::generate_key().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let pem = Authority::certificate(&key, &hosts).unwrap();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stand_in = Authority::new(&key).unwrap().stand_in(host).unwrap();
        let (client, server) = tokio::io::duplex(64 * 1024);
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, client);
        let (connected, _) = tokio::join!(connecting, TlsAcceptor::from(stand_in).accept(server));
        connected.is_ok()
    }

    #[tokio::test]
    async fn it_is_believed_for_its_hosts_only() {
        for (hosts, host, believed) in [
            (&["api.example"][..], "api.example", true),
            (&["api.example", "127.0.0.1"], "127.0.0.1", true),
            (&["api.example", "127.0.0.1"], "127.0.0.2", false),
            (&["api.example"], "bank.example", false),
            (&["api.example"], "127.0.0.1", false),
            (&["127.0.0.1"], "bank.example", false),
            (&["127.0.0.1"], "127.0.0.1", true),
            (&[], "bank.example", false),
            (&[], "127.0.0.1", false),
        ] {
            assert_eq!(is_believed(hosts, host).await, believed, "{hosts:?} {host}");
        }
    }
}
