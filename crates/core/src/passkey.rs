//! Passkeys: checking what an authenticator signed, with nothing but the bytes.
//!
//! Our own check, because the challenge is ours: it binds the person's touch to one exact operation.
//! Format: W3C Web Authentication Level 2, sections 6 and 7; keys are COSE (RFC 9052), ES256 only.
//! It must never accept what it does not understand, and never look anything up: the caller finds the
//! stored key by the credential's id, which no signature covers. Its tests are in `tests/authenticator`,
//! against an authenticator that shares no code with it.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value as Cbor;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The most bytes taken of any one part; real ones stay below two kilobytes.
const PART_LIMIT_BYTES: usize = 16 * 1024;

/// The longest credential id, in bytes (Web Authentication, section 7.1, step 17).
const CREDENTIAL_LIMIT_BYTES: usize = 1023;

/// The flags of authenticator data (section 6.1).
mod flag {
    pub(super) const USER_PRESENT: u8 = 0x01;
    pub(super) const USER_VERIFIED: u8 = 0x04;
    pub(super) const ATTESTED: u8 = 0x40;
    pub(super) const EXTENSIONS: u8 = 0x80;
}

/// What `navigator.credentials.get` answers, each part in base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// The credential's id.
    pub credential: String,
    /// The authenticator data, as signed.
    pub authenticator_data: String,
    /// The client data, as signed.
    pub client_data: String,
    /// The signature, ASN.1 DER.
    pub signature: String,
}

/// What `navigator.credentials.create` answers, each part in base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The credential's id.
    pub credential: String,
    /// The attestation object, CBOR. The attestation statement is not used.
    pub attestation: String,
    /// The client data.
    pub client_data: String,
}

/// A passkey that was created for us, to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCredential {
    /// The credential's id, base64url.
    pub credential: String,
    /// The public key: the 77 bytes of its one COSE form, base64url.
    pub public_key: String,
    /// The signature counter, to start from.
    pub sign_count: u32,
}

/// A signature that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The signature counter, to store.
    pub sign_count: u32,
}

/// Why an authenticator's answer does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// A part is not base64url, JSON or CBOR of the wanted shape.
    #[error("`{0}` is malformed")]
    Malformed(&'static str),
    /// A creation where a signature was wanted, or the other way round.
    #[error("the client data is not of type `{0}`")]
    WrongType(&'static str),
    /// It answers another challenge.
    #[error("it answers another challenge; begin again")]
    WrongChallenge,
    /// It was made on another page.
    #[error("it was made on another origin than the console's")]
    WrongOrigin,
    /// It was made inside another site's frame.
    #[error("it was made inside another site's frame")]
    CrossOrigin,
    /// The authenticator signed for another relying party.
    #[error("it was made for another relying party")]
    WrongRelyingParty,
    /// Nobody touched the authenticator.
    #[error("nobody was present at the authenticator")]
    NotPresent,
    /// The authenticator did not check who touched it.
    #[error("the authenticator did not verify the person; set a PIN or a fingerprint")]
    NotVerified,
    /// A creation without a key in it.
    #[error("the answer carries no new key")]
    NoKey,
    /// Another kind of key than ES256 on P-256.
    #[error("the key is not ES256 on P-256; use another authenticator")]
    UnsupportedKey,
    /// The key in it belongs to another credential than the answer says.
    #[error("the new key belongs to another credential")]
    OtherCredential,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    BadSignature,
    /// The counter stands still or went back: perhaps the authenticator was copied.
    #[error(
        "the signature counter is {now} after {stored}; the authenticator may have been copied"
    )]
    CounterDidNotGrow {
        /// What was stored.
        stored: u32,
        /// What came.
        now: u32,
    },
}

/// Checks a newly created passkey: made for `challenge`, on exactly `origin` and not in a frame, for
/// `rp_id`, by a present and verified person, with an ES256 key. The attestation statement is not
/// looked at: any maker of authenticators will do.
///
/// # Errors
/// The first [`PasskeyError`] found.
pub fn verify_registration(
    registration: &Registration,
    challenge: &[u8; 32],
    rp_id: &str,
    origin: &str,
) -> Result<NewCredential, PasskeyError> {
    let client_data = decode("client data", &registration.client_data)?;
    check_client_data(&client_data, "webauthn.create", challenge, origin)?;
    let attestation = decode("attestation", &registration.attestation)?;
    let authenticator_data = authenticator_data_of(&attestation)?;
    let parsed = AuthenticatorData::parse(&authenticator_data)?;
    parsed.check(rp_id)?;
    let attested = parsed.attested.ok_or(PasskeyError::NoKey)?;
    if decode("credential", &registration.credential)? != attested.credential {
        return Err(PasskeyError::OtherCredential);
    }
    Ok(NewCredential {
        credential: registration.credential.clone(),
        public_key: URL_SAFE_NO_PAD.encode(attested.key.to_cose()),
        sign_count: parsed.sign_count,
    })
}

/// Checks a signature: made for `challenge`, on exactly `origin` and not in a frame, for `rp_id`, by a
/// present and verified person, with the stored `public_key` (COSE, base64url, as
/// [`verify_registration`] gave it), and by an authenticator whose counter grew beyond
/// `stored_sign_count` (or that doesn't count: both zero).
///
/// # Errors
/// The first [`PasskeyError`] found.
pub fn verify_assertion(
    assertion: &Assertion,
    challenge: &[u8; 32],
    rp_id: &str,
    origin: &str,
    public_key: &str,
    stored_sign_count: u32,
) -> Result<Verified, PasskeyError> {
    decode("credential", &assertion.credential)?;
    let client_data = decode("client data", &assertion.client_data)?;
    check_client_data(&client_data, "webauthn.get", challenge, origin)?;
    let authenticator_data = decode("authenticator data", &assertion.authenticator_data)?;
    let parsed = AuthenticatorData::parse(&authenticator_data)?;
    parsed.check(rp_id)?;
    if parsed.attested.is_some() {
        return Err(PasskeyError::Malformed("authenticator data"));
    }
    let key = Es256Key::from_cose(&decode("public key", public_key)?)?;
    let signature = decode("signature", &assertion.signature)?;
    key.verify(&authenticator_data, &client_data, &signature)?;
    check_counter(stored_sign_count, parsed.sign_count)
}

const fn check_counter(stored: u32, now: u32) -> Result<Verified, PasskeyError> {
    if now > stored || (now == 0 && stored == 0) {
        Ok(Verified { sign_count: now })
    } else {
        Err(PasskeyError::CounterDidNotGrow { stored, now })
    }
}

/// Canonical base64url without padding; anything else is refused, so that one value has one text.
fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, PasskeyError> {
    if text.len() > PART_LIMIT_BYTES {
        return Err(PasskeyError::Malformed(part));
    }
    let bytes = URL_SAFE_NO_PAD.decode(text);
    bytes.map_err(|_| PasskeyError::Malformed(part))
}

/// The members of a JSON object, each at most once: two parsers must not be able to read two things.
struct Members(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object without duplicate members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member occurs twice"));
            }
        }
        Ok(Members(members))
    }
}

impl Members {
    fn text(&self, name: &str) -> Result<&str, PasskeyError> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.ok_or(PasskeyError::Malformed("client data"))
    }
}

/// Section 7.2, steps 10 to 13. Members that are not known here are the browser's own; the format lets
/// browsers add them, and they decide nothing.
fn check_client_data(
    bytes: &[u8],
    kind: &'static str,
    challenge: &[u8; 32],
    origin: &str,
) -> Result<(), PasskeyError> {
    let malformed = |_| PasskeyError::Malformed("client data");
    let members: Members = serde_json::from_slice(bytes).map_err(malformed)?;
    if members.text("type")? != kind {
        return Err(PasskeyError::WrongType(kind));
    }
    if members.text("challenge")? != URL_SAFE_NO_PAD.encode(challenge) {
        return Err(PasskeyError::WrongChallenge);
    }
    if members.text("origin")? != origin {
        return Err(PasskeyError::WrongOrigin);
    }
    match members.0.get("crossOrigin") {
        None | Some(Value::Bool(false)) if !members.0.contains_key("topOrigin") => Ok(()),
        None | Some(Value::Bool(_)) => Err(PasskeyError::CrossOrigin),
        Some(_) => Err(PasskeyError::Malformed("client data")),
    }
}

/// The `authData` of an attestation object (section 6.5.4).
fn authenticator_data_of(attestation: &[u8]) -> Result<Vec<u8>, PasskeyError> {
    const MALFORMED: PasskeyError = PasskeyError::Malformed("attestation");
    let (value, rest) = first_cbor(attestation).ok_or(MALFORMED)?;
    let (Cbor::Map(members), []) = (value, rest) else {
        return Err(MALFORMED);
    };
    let member = |name: &str| only(&members, &Cbor::from(name));
    let well_formed = member("fmt").is_some_and(Cbor::is_text)
        && member("attStmt").is_some_and(Cbor::is_map)
        && members.len() == 3;
    let bytes = member("authData").and_then(Cbor::as_bytes);
    bytes.filter(|_| well_formed).cloned().ok_or(MALFORMED)
}

/// The first CBOR item of `bytes`, and what follows it.
fn first_cbor(bytes: &[u8]) -> Option<(Cbor, &[u8])> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).ok()?;
    Some((value, rest))
}

/// The value under `key`, which must be there exactly once.
fn only<'a>(members: &'a [(Cbor, Cbor)], key: &Cbor) -> Option<&'a Cbor> {
    let mut found = members.iter().filter(|(name, _)| name == key);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// Authenticator data (section 6.1): hash of the relying party's id, flags, counter, and what follows.
struct AuthenticatorData {
    rp_id_hash: [u8; 32],
    flags: u8,
    sign_count: u32,
    attested: Option<Attested>,
}

/// Attested credential data (section 6.5.1), of which the model of the authenticator is not used.
struct Attested {
    credential: Vec<u8>,
    key: Es256Key,
}

const AUTHENTICATOR_DATA: PasskeyError = PasskeyError::Malformed("authenticator data");

impl AuthenticatorData {
    fn parse(bytes: &[u8]) -> Result<Self, PasskeyError> {
        let mut rest = bytes;
        let rp_id_hash = take::<32>(&mut rest)?;
        let [flags] = take::<1>(&mut rest)?;
        let sign_count = u32::from_be_bytes(take::<4>(&mut rest)?);
        let attested = match flags & flag::ATTESTED {
            0 => None,
            _ => Some(Attested::take(&mut rest)?),
        };
        if flags & flag::EXTENSIONS != 0 {
            take_extensions(&mut rest)?;
        }
        if !rest.is_empty() {
            return Err(AUTHENTICATOR_DATA);
        }
        Ok(Self {
            rp_id_hash,
            flags,
            sign_count,
            attested,
        })
    }

    fn check(&self, rp_id: &str) -> Result<(), PasskeyError> {
        if self.rp_id_hash != <[u8; 32]>::from(Sha256::digest(rp_id)) {
            return Err(PasskeyError::WrongRelyingParty);
        }
        if self.flags & flag::USER_PRESENT == 0 {
            return Err(PasskeyError::NotPresent);
        }
        if self.flags & flag::USER_VERIFIED == 0 {
            return Err(PasskeyError::NotVerified);
        }
        Ok(())
    }
}

impl Attested {
    fn take(rest: &mut &[u8]) -> Result<Self, PasskeyError> {
        let _model = take::<16>(rest)?;
        let length = usize::from(u16::from_be_bytes(take::<2>(rest)?));
        if length == 0 || length > CREDENTIAL_LIMIT_BYTES {
            return Err(AUTHENTICATOR_DATA);
        }
        let (credential, after) = rest.split_at_checked(length).ok_or(AUTHENTICATOR_DATA)?;
        let (key, after) = first_cbor(after).ok_or(AUTHENTICATOR_DATA)?;
        *rest = after;
        Ok(Self {
            credential: credential.to_vec(),
            key: Es256Key::from_value(&key)?,
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], PasskeyError> {
    let (head, after) = rest.split_first_chunk().ok_or(AUTHENTICATOR_DATA)?;
    *rest = after;
    Ok(*head)
}

/// Extensions are a CBOR map. None is asked for, so their content decides nothing.
fn take_extensions(rest: &mut &[u8]) -> Result<(), PasskeyError> {
    let (value, after) = first_cbor(rest).ok_or(AUTHENTICATOR_DATA)?;
    *rest = after;
    value.is_map().then_some(()).ok_or(AUTHENTICATOR_DATA)
}

/// A P-256 public key that lies on the curve.
struct Es256Key(VerifyingKey);

impl Es256Key {
    /// COSE (RFC 9053, section 7.1.1): kty 2 (EC2), alg -7 (ES256), crv 1 (P-256), x, y; nothing else.
    fn from_value(value: &Cbor) -> Result<Self, PasskeyError> {
        const UNSUPPORTED: PasskeyError = PasskeyError::UnsupportedKey;
        let members = value.as_map().ok_or(UNSUPPORTED)?;
        let number = |key: i64, wanted: i64| {
            only(members, &Cbor::from(key)).is_some_and(|value| *value == Cbor::from(wanted))
        };
        if members.len() != 5 || !(number(1, 2) && number(3, -7) && number(-1, 1)) {
            return Err(UNSUPPORTED);
        }
        let coordinate = |key: i64| -> Option<[u8; 32]> {
            let bytes = only(members, &Cbor::from(key))?.as_bytes()?;
            bytes.as_slice().try_into().ok()
        };
        let (x, y) = coordinate(-2).zip(coordinate(-3)).ok_or(UNSUPPORTED)?;
        let point = p256::EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
        let key = VerifyingKey::from_encoded_point(&point);
        key.map(Self).map_err(|_| UNSUPPORTED)
    }

    /// Only the form that [`Self::to_cose`] writes.
    fn from_cose(bytes: &[u8]) -> Result<Self, PasskeyError> {
        const MALFORMED: PasskeyError = PasskeyError::Malformed("public key");
        let (value, _) = first_cbor(bytes).ok_or(MALFORMED)?;
        let key = Self::from_value(&value)?;
        if key.to_cose() == bytes {
            Ok(key)
        } else {
            Err(MALFORMED)
        }
    }

    /// The canonical CBOR of the key: 77 bytes.
    fn to_cose(&self) -> Vec<u8> {
        // map(5), 1: 2, 3: -7, -1: 1, -2: bytes(32) …
        let mut cose = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
        let point = self.0.to_encoded_point(false);
        cose.extend(point.x().into_iter().flatten());
        // … -3: bytes(32)
        cose.extend([0x22, 0x58, 0x20]);
        cose.extend(point.y().into_iter().flatten());
        cose
    }

    /// The signature is over the authenticator data and the hash of the client data.
    fn verify(
        &self,
        authenticator_data: &[u8],
        client_data: &[u8],
        signature: &[u8],
    ) -> Result<(), PasskeyError> {
        let signature =
            Signature::from_der(signature).map_err(|_| PasskeyError::Malformed("signature"))?;
        let signed = [authenticator_data, &Sha256::digest(client_data)].concat();
        let verified = self.0.verify(&signed, &signature);
        verified.map_err(|_| PasskeyError::BadSignature)
    }
}
