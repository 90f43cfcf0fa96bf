//! Signed notes, as <https://c2sp.org/signed-note> defines them, with Ed25519 keys (signature type 1).
//!
//! Key strings are those of Go's `golang.org/x/mod/sumdb/note`, so that its tools can check our logs:
//! `name+hash+base64` for a verifier and `PRIVATE+KEY+name+hash+base64` for a signer.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::LedgerError;

/// The type byte of a plain Ed25519 signature.
const ED25519: u8 = 1;
/// A note never needs more than this.
const NOTE_LIMIT_BYTES: usize = 64 * 1024;
const SIGNATURE_LINE: &str = "\u{2014} ";

/// A key that signs notes under a name. The name of a log's key is its origin.
#[derive(Clone)]
pub struct NoteSigner {
    key: SigningKey,
    verifier: NoteVerifier,
}

/// A key that checks notes.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl NoteSigner {
    /// A signer from a 32-byte Ed25519 seed.
    ///
    /// # Errors
    /// [`LedgerError::MalformedKey`] when the name is empty or has spaces, `+` or control characters.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, LedgerError> {
        let key = SigningKey::from_bytes(seed);
        let verifier = NoteVerifier::new(name, key.verifying_key())?;
        Ok(Self { key, verifier })
    }

    /// Parses `PRIVATE+KEY+name+hash+base64`.
    ///
    /// # Errors
    /// [`LedgerError::MalformedKey`].
    pub fn parse(text: &str) -> Result<Self, LedgerError> {
        let rest = text
            .strip_prefix("PRIVATE+KEY+")
            .ok_or(LedgerError::MalformedKey(
                "it does not begin with `PRIVATE+KEY+`",
            ))?;
        let (name, hash, seed) = parse_key_parts(rest)?;
        let signer = Self::from_seed(name, &seed)?;
        signer.verifier.expect_hash(hash)?;
        Ok(signer)
    }

    /// `PRIVATE+KEY+name+hash+base64`: a secret.
    #[must_use]
    pub fn to_secret_string(&self) -> String {
        let id = hex::encode(self.verifier.id);
        format!(
            "PRIVATE+KEY+{}+{id}+{}",
            self.verifier.name,
            encode_key(&self.key.to_bytes())
        )
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub const fn verifier(&self) -> &NoteVerifier {
        &self.verifier
    }

    /// Signs a text (which must end in a newline) into a note.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut blob = self.verifier.id.to_vec();
        blob.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!(
            "{text}\n{SIGNATURE_LINE}{} {}\n",
            self.verifier.name,
            STANDARD.encode(blob)
        )
    }

    /// Signs bytes that can never be a note: the caller's domain begins with a zero byte, which notes
    /// must not contain.
    pub(crate) fn sign_non_note(&self, message: &[u8]) -> [u8; 64] {
        debug_assert_eq!(message.first(), Some(&0));
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.verifier)
    }
}

impl NoteVerifier {
    fn new(name: &str, key: VerifyingKey) -> Result<Self, LedgerError> {
        check_name(name)?;
        let mut hasher = Sha256::new();
        hasher.update(name);
        hasher.update([b'\n', ED25519]);
        hasher.update(key.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
        Ok(Self {
            name: name.to_owned(),
            id: [a, b, c, d],
            key,
        })
    }

    /// Parses `name+hash+base64`.
    ///
    /// # Errors
    /// [`LedgerError::MalformedKey`].
    pub fn parse(text: &str) -> Result<Self, LedgerError> {
        let (name, hash, key) = parse_key_parts(text)?;
        let key = VerifyingKey::from_bytes(&key)
            .map_err(|_| LedgerError::MalformedKey("not an Ed25519 public key"))?;
        let verifier = Self::new(name, key)?;
        verifier.expect_hash(hash)?;
        Ok(verifier)
    }

    /// The key's name; for a log its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks the note's signature by this key and gives the text, with its final newline. Signatures
    /// by other keys (witnesses) are ignored.
    ///
    /// # Errors
    /// [`LedgerError::MalformedNote`] or [`LedgerError::BadSignature`].
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, LedgerError> {
        let (text, signatures) = split_note(note)?;
        let mut verified = false;
        for line in signatures.lines() {
            let (name, blob) = parse_signature_line(line)?;
            let Some((id, signature)) = blob.split_first_chunk::<4>() else {
                return Err(LedgerError::MalformedNote("a signature is too short"));
            };
            if name == self.name && *id == self.id {
                self.check(text.as_bytes(), signature)?;
                verified = true;
            }
        }
        if verified {
            Ok(text)
        } else {
            Err(self.bad_signature())
        }
    }

    pub(crate) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), LedgerError> {
        let signature = Signature::from_slice(signature).map_err(|_| self.bad_signature())?;
        self.key
            .verify_strict(message, &signature)
            .map_err(|_| self.bad_signature())
    }

    fn bad_signature(&self) -> LedgerError {
        LedgerError::BadSignature(self.name.clone())
    }

    fn expect_hash(&self, hash: &str) -> Result<(), LedgerError> {
        if hex::encode(self.id) == hash {
            return Ok(());
        }
        Err(LedgerError::MalformedKey(
            "the hash does not fit the name and key",
        ))
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = encode_key(self.key.as_bytes());
        write!(f, "{}+{}+{key}", self.name, hex::encode(self.id))
    }
}

impl fmt::Debug for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteVerifier({self})")
    }
}

fn check_name(name: &str) -> Result<(), LedgerError> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.contains(forbidden) {
        return Err(LedgerError::MalformedKey(
            "a name must be non-empty, without spaces or `+`",
        ));
    }
    Ok(())
}

fn encode_key(key: &[u8; 32]) -> String {
    let mut typed = vec![ED25519];
    typed.extend_from_slice(key);
    STANDARD.encode(typed)
}

/// Splits `name+hash+base64(type || 32 bytes)`.
fn parse_key_parts(text: &str) -> Result<(&str, &str, [u8; 32]), LedgerError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(LedgerError::MalformedKey("a part is missing"));
    };
    let bytes = STANDARD
        .decode(key)
        .map_err(|_| LedgerError::MalformedKey("not base64"))?;
    match bytes.split_first() {
        Some((&ED25519, key)) => key
            .try_into()
            .map(|key| (name, hash, key))
            .map_err(|_| LedgerError::MalformedKey("the key does not have 32 bytes")),
        _ => Err(LedgerError::MalformedKey("not an Ed25519 key (type 1)")),
    }
}

/// Splits a note at its last empty line into the text and the signature lines.
fn split_note(note: &str) -> Result<(&str, &str), LedgerError> {
    if note.len() > NOTE_LIMIT_BYTES {
        return Err(LedgerError::MalformedNote("too long"));
    }
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(LedgerError::MalformedNote("it contains control characters"));
    }
    let blank = note
        .rfind("\n\n")
        .ok_or(LedgerError::MalformedNote("no signatures"))?;
    let (text, signatures) = note.split_at(blank + 1);
    let signatures = signatures.strip_prefix('\n').unwrap_or_default();
    if !signatures.ends_with('\n') {
        return Err(LedgerError::MalformedNote("no newline at the end"));
    }
    Ok((text, signatures))
}

fn parse_signature_line(line: &str) -> Result<(&str, Vec<u8>), LedgerError> {
    let (name, blob) = line
        .strip_prefix(SIGNATURE_LINE)
        .and_then(|rest| rest.split_once(' '))
        .ok_or(LedgerError::MalformedNote(
            "a signature line has the wrong form",
        ))?;
    let blob = STANDARD
        .decode(blob)
        .map_err(|_| LedgerError::MalformedNote("a signature is not base64"))?;
    Ok((name, blob))
}
