//! The installation's one secret, and the keys derived from it.
//!
//! It never lies beside the data: the composition root reads it from a reference (a file elsewhere, a
//! systemd credential, the environment) and hands it in. It must never be printed or serialised.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes from which every other key of this installation follows.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct InstallationKey([u8; 32]);

/// A key for one use.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DerivedKey([u8; 32]);

/// What a derived key is for. Each use has its own label, so that no key serves two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Agents' tokens.
    Tokens,
    /// The ledger's signing seed.
    Ledger,
    /// Sealing what the vault keeps.
    Vault,
    /// Signing webhooks.
    Notices,
}

impl KeyUse {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Tokens => b"tagout/key/tokens/v1",
            Self::Ledger => b"tagout/key/ledger/v1",
            Self::Vault => b"tagout/key/vault/v1",
            Self::Notices => b"tagout/key/notices/v1",
        }
    }
}

impl InstallationKey {
    /// Takes the secret.
    #[must_use]
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The key for one use.
    #[must_use]
    pub fn derive(&self, key_use: KeyUse) -> DerivedKey {
        DerivedKey(keyed_hash(&self.0, &[key_use.label()]))
    }
}

impl DerivedKey {
    /// The raw key, for the one algorithm that it is for.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `HMAC-SHA256` over the parts, each preceded by its length, so that parts can't run together.
    #[must_use]
    pub fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        keyed_hash(&self.0, parts)
    }
}

impl std::fmt::Debug for InstallationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InstallationKey(…)")
    }
}

impl std::fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DerivedKey(…)")
    }
}

fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length, so this can't fail; an all-zero answer would open nothing.
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_has_its_own_key() {
        let key = InstallationKey::new([7; 32]);
        let uses = [
            KeyUse::Tokens,
            KeyUse::Ledger,
            KeyUse::Vault,
            KeyUse::Notices,
        ];
        let mut keys: Vec<_> = uses.iter().map(|each| *key.derive(*each).bytes()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), uses.len());
        assert_eq!(
            format!("{key:?} {:?}", key.derive(KeyUse::Vault)),
            "InstallationKey(…) DerivedKey(…)"
        );
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = InstallationKey::new([7; 32]).derive(KeyUse::Tokens);
        assert_ne!(key.hash(&[b"ab", b"c"]), key.hash(&[b"a", b"bc"]));
    }
}
