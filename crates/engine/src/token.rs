//! Tokens: the only secret an agent ever holds.
//!
//! `tgo_` + 22 digits of the connection's id + 27 digits of secret + 6 digits of checksum, all base 62.
//! The secret is derived from the connection's id, so nothing that opens a door is ever stored; the
//! checksum lets scanners and typing mistakes be told from real tokens without a look-up.

use subtle::ConstantTimeEq as _;
use tagout_core::ids::ConnectionId;

use crate::secret_key::DerivedKey;

const PREFIX: &str = "tgo_";
const ID_DIGITS: usize = 22;
/// 160 bits.
const SECRET_DIGITS: usize = 27;
const CHECK_DIGITS: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A token's two halves, checked for form only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// Whose it claims to be.
    pub(crate) connection: ConnectionId,
    secret: String,
}

/// The token of a connection in its current version.
#[must_use]
pub(crate) fn token_of(key: &DerivedKey, connection: &ConnectionId, version: u32) -> String {
    let id = connection.as_str().trim_start_matches(ConnectionId::PREFIX);
    let body = format!("{PREFIX}{id}{}", secret_of(key, connection, version));
    let check = checksum(&body);
    body + &check
}

/// Reads a token's form; `None` if it is not one, or mistyped.
#[must_use]
pub(crate) fn parse(text: &str) -> Option<Parsed> {
    if text.len() != PREFIX.len() + ID_DIGITS + SECRET_DIGITS + CHECK_DIGITS || !text.is_ascii() {
        return None;
    }
    let (body, check) = text.split_at(text.len() - CHECK_DIGITS);
    let (id, secret) = body.strip_prefix(PREFIX)?.split_at(ID_DIGITS);
    if checksum(body) != check {
        return None;
    }
    let connection = format!("{}{id}", ConnectionId::PREFIX).parse().ok()?;
    Some(Parsed {
        connection,
        secret: secret.to_owned(),
    })
}

impl Parsed {
    /// Whether the secret is that of this version of the connection; in constant time.
    #[must_use]
    pub(crate) fn opens(&self, key: &DerivedKey, version: u32) -> bool {
        let right = secret_of(key, &self.connection, version);
        right.as_bytes().ct_eq(self.secret.as_bytes()).into()
    }
}

fn secret_of(key: &DerivedKey, connection: &ConnectionId, version: u32) -> String {
    let hash = key.hash(&[
        b"connection",
        connection.as_str().as_bytes(),
        &version.to_be_bytes(),
    ]);
    base62(hash.get(..20).unwrap_or(&hash), SECRET_DIGITS)
}

fn checksum(body: &str) -> String {
    base62(
        &crc32fast::hash(body.as_bytes()).to_be_bytes(),
        CHECK_DIGITS,
    )
}

/// Big-endian bytes in base 62, with leading zeros up to `width` digits.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits: Vec<char> = (0..width).map(|_| next_digit(&mut number)).collect();
    digits.reverse();
    digits.into_iter().collect()
}

/// Divides the number by 62 in place and gives the digit of the remainder.
fn next_digit(number: &mut [u8]) -> char {
    let mut rest: u32 = 0;
    for byte in number.iter_mut() {
        let value = rest * 256 + u32::from(*byte);
        *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
        rest = value % 62;
    }
    let digit = usize::try_from(rest).ok().and_then(|at| ALPHABET.get(at));
    char::from(digit.copied().unwrap_or(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret_key::{InstallationKey, KeyUse};

    fn key(byte: u8) -> DerivedKey {
        InstallationKey::new([byte; 32]).derive(KeyUse::Tokens)
    }

    #[test]
    fn a_token_opens_its_connection_in_its_version_only() {
        let connection = ConnectionId::from_bits([9; 16]);
        let token = token_of(&key(1), &connection, 3);
        assert_eq!(token.len(), 59);
        assert!(
            token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        );
        let parsed = parse(&token).unwrap();
        assert_eq!(parsed.connection, connection);
        assert!(parsed.opens(&key(1), 3));
        assert!(!parsed.opens(&key(1), 4));
        assert!(!parsed.opens(&key(2), 3));
    }

    #[test]
    fn any_changed_character_is_noticed_without_a_look_up() {
        let token = token_of(&key(1), &ConnectionId::from_bits([9; 16]), 0);
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(parse(&String::from_utf8(bytes).unwrap()), None, "{at}");
        }
        for bad in ["", "tgo_", "tgo_é", &token[1..], &format!("{token}0")] {
            assert_eq!(parse(bad), None);
        }
    }
}
