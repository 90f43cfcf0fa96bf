//! Credentials: used, not handed out.
//!
//! A credential is kept as a reference and read when it is needed, or sealed in the store under a key
//! that lies elsewhere. What comes out is a header for one request whose exact bytes were cleared, for
//! the one host it is bound to. Nothing here logs, prints or serialises a secret.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use tagout_core::ids::UpstreamName;
use tagout_core::operation::Exact;
use tagout_core::permit::{Clearance, Errand};
use tagout_core::pipeline::{AuthorizedHeaders, Later, Vault, VaultError};
use tagout_core::proposal::Upstream;
use tagout_core::session::{Challenge, ChallengeAnswer};
use tagout_core::store::Store;
use zeroize::Zeroizing;

use crate::challenge::answer;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::random::random;
use crate::secret_key::DerivedKey;

/// A credential, wiped when it goes.
type Secret = Zeroizing<Vec<u8>>;

/// Reads credentials by reference, keeps sealed ones, and attaches them to cleared requests.
pub struct EngineVault {
    engine: Arc<Engine>,
    key: DerivedKey,
    /// Credentials in use, by upstream and reference, for as long as the reference stays the same.
    read: Mutex<HashMap<(UpstreamName, String), Arc<Secret>>>,
}

/// Associated data of a sealed secret: what it is, so that rows can't be swapped.
fn bound_to(name: &str) -> Vec<u8> {
    format!("tagout/sealed/v1\0{name}").into_bytes()
}

/// Seals a secret under a name.
///
/// # Errors
/// [`EngineError::Random`] without randomness.
pub fn seal(key: &DerivedKey, name: &str, secret: &[u8]) -> Result<Vec<u8>, EngineError> {
    let nonce: [u8; 24] = random().map_err(EngineError::Random)?;
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    let payload = Payload {
        msg: secret,
        aad: &bound_to(name),
    };
    let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload);
    let sealed = sealed.map_err(|_| EngineError::Random("sealing failed".to_owned()))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// Opens what was sealed under that name; `None` if it was altered, moved or sealed by another key.
#[must_use]
pub fn unseal(key: &DerivedKey, name: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_at_checked(24)?;
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    let payload = Payload {
        msg: sealed,
        aad: &bound_to(name),
    };
    cipher
        .decrypt(XNonce::from_slice(nonce), payload)
        .ok()
        .map(Zeroizing::new)
}

/// The name under which an upstream's own credential is sealed.
#[must_use]
pub fn sealed_name(upstream: &UpstreamName) -> String {
    format!("upstream:{upstream}")
}

impl EngineVault {
    /// The vault of an engine.
    #[must_use]
    pub fn new(engine: Arc<Engine>, key: DerivedKey) -> Self {
        Self {
            engine,
            key,
            read: Mutex::default(),
        }
    }

    async fn header(
        &self,
        clearance: &Clearance,
        exact: &Exact,
        name: &UpstreamName,
        host: &str,
    ) -> Result<AuthorizedHeaders, VaultError> {
        if !clearance.admits(name, exact) {
            return Err(VaultError::OtherBytes);
        }
        let in_force = self.engine.in_force();
        let upstream = in_force.upstream(name);
        let upstream = upstream.ok_or_else(|| VaultError::Missing(name.to_string()))?;
        must_be_at(upstream, host)?;
        if upstream.credential == "none" {
            return Ok(AuthorizedHeaders(Vec::new()));
        }
        let secret = self.secret(upstream).await?;
        Ok(AuthorizedHeaders(vec![header_line(
            &upstream.header,
            &secret,
        )]))
    }

    async fn proof(
        &self,
        clearance: &Clearance,
        name: &UpstreamName,
        host: &str,
        challenge: &Challenge,
    ) -> Result<ChallengeAnswer, VaultError> {
        let signs_in = clearance.errand() == Some(Errand::SignIn);
        // An errand carries no bytes of anybody; what is checked is whose upstream it is for.
        if !(signs_in && clearance.admits(name, &Exact::new(bytes::Bytes::new()))) {
            return Err(VaultError::OtherBytes);
        }
        let in_force = self.engine.in_force();
        let upstream = in_force.upstream(name);
        let upstream = upstream.ok_or_else(|| VaultError::Missing(name.to_string()))?;
        must_be_at(upstream, host)?;
        if upstream.credential == "none" {
            return Err(VaultError::Missing(name.to_string()));
        }
        let secret = self.secret(upstream).await?;
        answer(&secret, challenge).map_err(|reason| VaultError::Unanswerable {
            upstream: name.to_string(),
            reason,
        })
    }

    async fn secret(&self, upstream: &Upstream) -> Result<Arc<Secret>, VaultError> {
        let key = (upstream.name.clone(), upstream.credential.clone());
        if let Some(secret) = self.kept(&key) {
            return Ok(secret);
        }
        let secret = Arc::new(self.follow(upstream).await?);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(key, Arc::clone(&secret));
        Ok(secret)
    }

    fn kept(&self, key: &(UpstreamName, String)) -> Option<Arc<Secret>> {
        self.read
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// Reads a credential from where its reference says.
    async fn follow(&self, upstream: &Upstream) -> Result<Secret, VaultError> {
        let unreadable = |reason: &str| VaultError::Unreadable {
            upstream: upstream.name.to_string(),
            reason: reason.to_owned(),
        };
        let reference = upstream.credential.as_str();
        if reference == "vault:" {
            return self.sealed(&upstream.name).await;
        }
        let found = read_reference(reference).map_err(|reason| unreadable(&reason))?;
        if found.is_empty() {
            return Err(unreadable("it is empty"));
        }
        Ok(found)
    }

    async fn sealed(&self, upstream: &UpstreamName) -> Result<Secret, VaultError> {
        let name = sealed_name(upstream);
        let unreadable = |reason: String| VaultError::Unreadable {
            upstream: upstream.to_string(),
            reason,
        };
        let store: &dyn Store = self.engine.store.as_ref();
        let sealed = store
            .sealed(&name)
            .await
            .map_err(|error| unreadable(error.to_string()))?;
        let sealed = sealed.ok_or_else(|| VaultError::Missing(upstream.to_string()))?;
        let opened = unseal(&self.key, &name, &sealed);
        opened.ok_or_else(|| unreadable("it does not open with this installation's key".to_owned()))
    }
}

impl Vault for EngineVault {
    fn authorize<'a>(
        &'a self,
        clearance: &'a Clearance,
        exact: &'a Exact,
        upstream: &'a UpstreamName,
        host: &'a str,
    ) -> Later<'a, Result<AuthorizedHeaders, VaultError>> {
        Box::pin(self.header(clearance, exact, upstream, host))
    }

    fn answer<'a>(
        &'a self,
        clearance: &'a Clearance,
        upstream: &'a UpstreamName,
        host: &'a str,
        challenge: Challenge,
    ) -> Later<'a, Result<ChallengeAnswer, VaultError>> {
        Box::pin(async move { self.proof(clearance, upstream, host, &challenge).await })
    }

    fn scrub(&self, upstream: &UpstreamName, text: &mut Vec<u8>) -> bool {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = read.iter().filter(|((name, _), _)| name == upstream);
        mine.fold(false, |found, (_, secret)| blank_out(text, secret) || found)
    }
}

/// A credential is used at the host it is for, and nowhere else.
fn must_be_at(upstream: &Upstream, host: &str) -> Result<(), VaultError> {
    if host_of(&upstream.url).is_some_and(|bound| bound.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(VaultError::OtherHost {
        upstream: upstream.name.to_string(),
        host: host.escape_debug().to_string(),
    })
}

/// What a reference points at: `env:NAME`, `file:PATH` or `systemd:NAME`. A final line end is not part
/// of a secret in a file.
///
/// # Errors
/// Why not, in words that carry nothing of the secret.
pub fn read_reference(reference: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let (scheme, rest) = reference.split_once(':').ok_or_else(not_a_reference)?;
    match scheme {
        "env" => std::env::var(rest)
            .map(|value| Zeroizing::new(value.into_bytes()))
            .map_err(|_| format!("environment variable `{rest}` is not set")),
        "file" => read_file(std::path::Path::new(rest)),
        "systemd" => {
            let directory = std::env::var("CREDENTIALS_DIRECTORY").map_err(|_| {
                "`CREDENTIALS_DIRECTORY` is not set; use LoadCredential=".to_owned()
            })?;
            read_file(&std::path::Path::new(&directory).join(rest))
        }
        _ => Err(not_a_reference()),
    }
}

/// Says nothing of what was given: it may be the secret itself, pasted in the wrong place.
fn not_a_reference() -> String {
    "this is not a reference; use `env:NAME`, `file:PATH`, `systemd:NAME` or `vault:`".to_owned()
}

fn read_file(path: &std::path::Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let mut bytes = Zeroizing::new(bytes);
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}

/// `authorization: Bearer` and a secret make `authorization` and `Bearer <secret>`.
fn header_line(template: &str, secret: &[u8]) -> (String, Vec<u8>) {
    let (name, before) = template.split_once(':').unwrap_or((template, ""));
    let before = before.trim();
    let mut value = Vec::with_capacity(before.len() + 1 + secret.len());
    if !before.is_empty() {
        value.extend_from_slice(before.as_bytes());
        value.push(b' ');
    }
    value.extend_from_slice(secret);
    (name.trim().to_ascii_lowercase(), value)
}

/// The host of `https://[user@]host[:port]/…`, without its port.
pub(crate) fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    // A database's address names a role before its host.
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => authority.split(':').next(),
    }
}

/// Overwrites every occurrence of `secret` in `text` with stars of the same length.
fn blank_out(text: &mut [u8], secret: &[u8]) -> bool {
    // Shorter ones would star out ordinary text.
    if secret.len() < 8 {
        return false;
    }
    let mut found = false;
    let mut at = 0;
    while let Some(next) = find(text.get(at..).unwrap_or_default(), secret) {
        let start = at + next;
        if let Some(hit) = text.get_mut(start..start + secret.len()) {
            hit.fill(b'*');
        }
        found = true;
        at = start + secret.len();
    }
    found
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret_key::{InstallationKey, KeyUse};

    fn key(byte: u8) -> DerivedKey {
        InstallationKey::new([byte; 32]).derive(KeyUse::Vault)
    }

    #[test]
    fn sealed_secrets_open_only_in_their_place_and_with_their_key() {
        let sealed = seal(&key(1), "upstream:railway", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        let open = |key: &DerivedKey, name| unseal(key, name, &sealed).map(|found| found.to_vec());
        assert_eq!(open(&key(1), "upstream:railway"), Some(b"secret".to_vec()));
        assert_eq!(open(&key(1), "upstream:github"), None);
        assert_eq!(open(&key(2), "upstream:railway"), None);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(unseal(&key(1), "upstream:railway", &altered), None);
        }
        assert_eq!(unseal(&key(1), "upstream:railway", &sealed[..20]), None);
    }

    #[test]
    fn headers_are_made_from_their_template() {
        for (template, name, value) in [
            ("authorization: Bearer", "authorization", "Bearer s"),
            ("Project-Access-Token", "project-access-token", "s"),
            ("x-api-key:", "x-api-key", "s"),
        ] {
            assert_eq!(
                header_line(template, b"s"),
                (name.to_owned(), value.as_bytes().to_vec())
            );
        }
    }

    #[test]
    fn hosts_are_read_without_ports() {
        for (url, host) in [
            (
                "https://backboard.railway.com/graphql/v2",
                Some("backboard.railway.com"),
            ),
            ("http://127.0.0.1:8080", Some("127.0.0.1")),
            ("http://[::1]:8080/x", Some("::1")),
            (
                "postgres://app@db.example:5432/shop?sslmode=verify-full",
                Some("db.example"),
            ),
            ("postgres://a%40b@[::1]:5432/x", Some("::1")),
            ("https://db.example@elsewhere/", Some("elsewhere")),
            ("https://elsewhere/@db.example", Some("elsewhere")),
            ("nonsense", None),
        ] {
            assert_eq!(host_of(url), host, "{url}");
        }
    }

    #[test]
    fn an_echoed_credential_is_blanked_out() {
        let mut text = b"a secret-token and secret-token".to_vec();
        assert!(blank_out(&mut text, b"secret-token"));
        assert_eq!(text, b"a ************ and ************");
        assert!(!blank_out(&mut text, b"secret-token"));
        assert!(!blank_out(&mut b"a b".to_vec(), b"a"));
    }

    #[test]
    fn references_say_what_is_wrong() {
        assert!(read_reference("plain").is_err());
        for pasted in ["sk_live_123:x", "sk_live_123"] {
            let error = read_reference(pasted).unwrap_err();
            assert!(
                error.contains("env:") && !error.contains("sk_live"),
                "{error}"
            );
        }
        assert!(read_reference("env:TAGOUT_NO_SUCH_VARIABLE").is_err());
    }
}
