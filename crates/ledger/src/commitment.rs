//! Salted commitments: a leaf can say "this value" without giving it away, and without letting anyone
//! try out likely values. The salt lies in the body, so when the body goes, the commitment opens to
//! nobody any more.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::LedgerError;

/// Thirty-two random bytes that make one body's commitments unguessable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// A salt from known bytes, such as those read from a body.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A fresh salt from the operating system.
    ///
    /// # Errors
    /// [`LedgerError::Io`] when the system has no randomness to give.
    pub fn random() -> Result<Self, LedgerError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| LedgerError::Io {
            doing: "draw a salt from",
            path: "the system's random numbers".to_owned(),
            kind: std::io::ErrorKind::Other,
            message: error.to_string(),
        })?;
        Ok(Self(bytes))
    }

    /// The bytes, to be kept in the body and nowhere else.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The commitment to a value: `HMAC-SHA256(salt, value)`.
    #[must_use]
    pub fn commit(&self, value: &[u8]) -> [u8; 32] {
        self.mac(value).finalize().into_bytes().into()
    }

    /// Whether a commitment is to this value. Takes the same time for every wrong one.
    #[must_use]
    pub fn opens(&self, commitment: &[u8; 32], value: &[u8]) -> bool {
        self.mac(value).verify_slice(commitment).is_ok()
    }

    fn mac(&self, value: &[u8]) -> Hmac<Sha256> {
        // A 32-byte key fits in the block, and is used as it is.
        let mut block = [0; 64];
        block
            .iter_mut()
            .zip(self.0)
            .for_each(|(to, from)| *to = from);
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
        mac.update(value);
        mac
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}
