//! A passkey authenticator in software, for tests and the demo: it plays the person who touches a key.
//!
//! Independent of the product's own check: it writes the formats of Web Authentication Level 2 by hand,
//! so that a mistake in one is not repeated in the other. It must never be linked into the product.
//! What a browser and an authenticator do together is done here in one step, and each part can be
//! bent ([`Bend`]) to see it refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value as Cbor;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The person touched the authenticator.
pub const USER_PRESENT: u8 = 0x01;
/// The authenticator checked who touched it.
pub const USER_VERIFIED: u8 = 0x04;
/// The data carries a new key.
pub const ATTESTED: u8 = 0x40;
/// The data carries extensions.
pub const EXTENSIONS: u8 = 0x80;

/// Why a software key could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticatorError {
    /// The system gave no randomness.
    #[error("no randomness: {0}")]
    NoRandomness(String),
    /// 32 bytes that are no private key (a chance of one in 2^32 for random ones).
    #[error("these bytes are no P-256 private key")]
    NotAKey,
}

/// One P-256 passkey with its counter.
#[derive(Clone, Debug)]
pub struct SoftAuthenticator {
    key: SigningKey,
    credential: Vec<u8>,
    /// The signature counter; each signature adds one. Zero with [`Self::counts`] off stays zero.
    pub sign_count: u32,
    /// Whether it counts at all. Synchronised passkeys don't.
    pub counts: bool,
    /// The flags it sets, besides [`ATTESTED`].
    pub flags: u8,
}

/// The browser's half: what goes into the client data, and how it may lie.
#[derive(Clone, Debug)]
pub struct Page {
    /// The relying party's id.
    pub rp_id: String,
    /// The page's origin.
    pub origin: String,
    /// What to bend.
    pub bend: Bend,
}

/// What a test bends in an otherwise correct answer.
#[derive(Clone, Debug, Default)]
pub struct Bend {
    /// Another `type` in the client data.
    pub kind: Option<String>,
    /// A `crossOrigin` member.
    pub cross_origin: Option<Value>,
    /// The whole client data, instead of what follows from the page.
    pub client_data: Option<Vec<u8>>,
    /// The key's COSE map, instead of the true one.
    pub cose: Option<Cbor>,
    /// Bytes after the authenticator data.
    pub trailing: Vec<u8>,
}

/// What `navigator.credentials.create` answers: the parts the product's `Registration` has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The credential's id.
    pub credential: Vec<u8>,
    /// The attestation object.
    pub attestation: Vec<u8>,
    /// The client data.
    pub client_data: Vec<u8>,
}

/// What `navigator.credentials.get` answers: the parts the product's `Assertion` has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The credential's id.
    pub credential: Vec<u8>,
    /// The authenticator data.
    pub authenticator_data: Vec<u8>,
    /// The client data.
    pub client_data: Vec<u8>,
    /// The signature, DER.
    pub signature: Vec<u8>,
}

impl Page {
    /// An honest page.
    #[must_use]
    pub fn new(rp_id: &str, origin: &str) -> Self {
        Self {
            rp_id: rp_id.to_owned(),
            origin: origin.to_owned(),
            bend: Bend::default(),
        }
    }

    /// The same page with something bent.
    #[must_use]
    pub fn bent(&self, bend: Bend) -> Self {
        Self {
            bend,
            ..self.clone()
        }
    }

    fn client_data(&self, kind: &str, challenge: &[u8]) -> Vec<u8> {
        if let Some(bytes) = &self.bend.client_data {
            return bytes.clone();
        }
        let cross_origin = self.bend.cross_origin.clone();
        json!({
            "type": self.bend.kind.as_deref().unwrap_or(kind),
            "challenge": URL_SAFE_NO_PAD.encode(challenge),
            "origin": self.origin,
            "crossOrigin": cross_origin.unwrap_or(Value::Bool(false)),
        })
        .to_string()
        .into_bytes()
    }
}

impl SoftAuthenticator {
    /// A new random key that counts and verifies its person.
    ///
    /// # Errors
    /// [`AuthenticatorError`] without randomness.
    pub fn new() -> Result<Self, AuthenticatorError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|error| AuthenticatorError::NoRandomness(error.to_string()))?;
        Self::from_secret(&secret)
    }

    /// The key with this private scalar, big-endian.
    ///
    /// # Errors
    /// [`AuthenticatorError::NotAKey`] for zero and what is beyond the curve's order.
    pub fn from_secret(secret: &[u8; 32]) -> Result<Self, AuthenticatorError> {
        let key = SigningKey::from_bytes(secret.into()).map_err(|_| AuthenticatorError::NotAKey)?;
        let public = key.verifying_key().to_encoded_point(true);
        Ok(Self {
            credential: Sha256::digest(public.as_bytes()).to_vec(),
            key,
            sign_count: 0,
            counts: true,
            flags: USER_PRESENT | USER_VERIFIED,
        })
    }

    /// The credential's id.
    #[must_use]
    pub fn credential(&self) -> &[u8] {
        &self.credential
    }

    /// The public key as COSE bytes.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        cbor(&self.cose())
    }

    /// Creates the passkey on a page.
    #[must_use]
    pub fn create(&mut self, page: &Page, challenge: &[u8]) -> Created {
        let mut data = self.data(page, self.flags | ATTESTED);
        data.extend([0; 16]);
        let length = u16::try_from(self.credential.len()).unwrap_or(u16::MAX);
        data.extend(length.to_be_bytes());
        data.extend(&self.credential);
        data.extend(cbor(&page.bend.cose.clone().unwrap_or_else(|| self.cose())));
        data.extend(&page.bend.trailing);
        Created {
            credential: self.credential.clone(),
            attestation: attestation(data),
            client_data: page.client_data("webauthn.create", challenge),
        }
    }

    /// Signs on a page.
    #[must_use]
    pub fn sign(&mut self, page: &Page, challenge: &[u8]) -> Signed {
        let mut authenticator_data = self.data(page, self.flags);
        authenticator_data.extend(&page.bend.trailing);
        let client_data = page.client_data("webauthn.get", challenge);
        let signed = [&authenticator_data[..], &Sha256::digest(&client_data)].concat();
        let signature: Signature = self.key.sign(&signed);
        Signed {
            credential: self.credential.clone(),
            authenticator_data,
            client_data,
            signature: signature.to_der().as_bytes().to_vec(),
        }
    }

    fn data(&mut self, page: &Page, flags: u8) -> Vec<u8> {
        if self.counts {
            self.sign_count = self.sign_count.saturating_add(1);
        }
        let mut data = Sha256::digest(&page.rp_id).to_vec();
        data.push(flags);
        data.extend(self.sign_count.to_be_bytes());
        data
    }

    fn cose(&self) -> Cbor {
        let point = self.key.verifying_key().to_encoded_point(false);
        let coordinate =
            |part: Option<&p256::FieldBytes>| part.map(|bytes| bytes.to_vec()).unwrap_or_default();
        Cbor::Map(vec![
            (1.into(), 2.into()),
            (3.into(), (-7).into()),
            ((-1).into(), 1.into()),
            ((-2).into(), Cbor::Bytes(coordinate(point.x()))),
            ((-3).into(), Cbor::Bytes(coordinate(point.y()))),
        ])
    }
}

/// The attestation object around authenticator data, of format `none`.
#[must_use]
pub fn attestation(authenticator_data: Vec<u8>) -> Vec<u8> {
    cbor(&Cbor::Map(vec![
        ("fmt".into(), "none".into()),
        ("attStmt".into(), Cbor::Map(Vec::new())),
        ("authData".into(), Cbor::Bytes(authenticator_data)),
    ]))
}

/// The bytes of a CBOR value. Writing to memory can't fail.
#[must_use]
pub fn cbor(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(value, &mut bytes);
    debug_assert!(written.is_ok(), "memory can be written");
    bytes
}

/// Base64url without padding.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
