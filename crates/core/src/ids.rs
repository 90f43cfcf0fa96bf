//! Identifiers with readable prefixes: `hold_5kQ…`. One registry, so that one kind can't pass for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The characters of ids: double-click selects them whole, and none needs escaping anywhere.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters after the prefix: 22 base-62 digits hold 128 bits.
const DIGITS: usize = 22;

/// Why a text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of this kind; expected `{prefix}` and {DIGITS} letters or digits")]
pub struct NotAnId {
    /// What was given, escaped.
    pub text: String,
    /// What it should begin with.
    pub prefix: &'static str,
}

/// Sixteen bytes as 22 base-62 digits, most significant first.
fn digits(bytes: [u8; 16]) -> String {
    let mut rest = u128::from_be_bytes(bytes);
    let mut out = [b'0'; DIGITS];
    for place in out.iter_mut().rev() {
        let digit = usize::try_from(rest % 62).unwrap_or_default();
        *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
        rest /= 62;
    }
    out.iter().map(|digit| char::from(*digit)).collect()
}

fn is_digits(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// An id from 128 random (or derived) bits. The caller brings the randomness.
            #[must_use]
            pub fn from_bits(bits: [u8; 16]) -> Self {
                Self(format!("{}{}", $prefix, digits(bits)))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                match text.strip_prefix($prefix) {
                    Some(rest) if is_digits(rest) => Ok(Self(text.to_owned())),
                    _ => Err(NotAnId { text: text.escape_debug().to_string(), prefix: $prefix }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }
    )*};
}

ids! {
    /// A connection: one agent in one workspace.
    ConnectionId = "conn_";
    /// A grant: rights for one task.
    GrantId = "grant_";
    /// One attempt of an agent, from the wire to its receipt.
    OperationId = "op_";
    /// A hold.
    HoldId = "hold_";
    /// A person who may approve.
    PersonId = "person_";
    /// A passkey of a person.
    AuthenticatorId = "key_";
    /// Something that would widen authority and waits for a person.
    ProposalId = "prop_";
    /// One passkey ceremony.
    CeremonyId = "cer_";
    /// An order to stop everything.
    FreezeId = "freeze_";
}

/// The name under which an upstream is registered: lower-case letters, digits and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct UpstreamName(String);

/// Why a text can't name an upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` can't name an upstream; use 1 to 40 lower-case letters, digits and `-`")]
pub struct NotAnUpstreamName(pub String);

impl UpstreamName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UpstreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<UpstreamName> for String {
    fn from(name: UpstreamName) -> Self {
        name.0
    }
}

impl FromStr for UpstreamName {
    type Err = NotAnUpstreamName;

    fn from_str(text: &str) -> Result<Self, NotAnUpstreamName> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=40).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnUpstreamName(text.escape_debug().to_string()))
        }
    }
}

impl TryFrom<String> for UpstreamName {
    type Error = NotAnUpstreamName;

    fn try_from(text: String) -> Result<Self, NotAnUpstreamName> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_do_not_mix() {
        for bits in [[0; 16], [255; 16], *b"0123456789abcdef"] {
            let hold = HoldId::from_bits(bits);
            assert_eq!(hold.as_str().len(), HoldId::PREFIX.len() + DIGITS);
            assert_eq!(hold.as_str().parse::<HoldId>(), Ok(hold.clone()));
            assert!(hold.as_str().parse::<GrantId>().is_err());
        }
        assert_ne!(HoldId::from_bits([1; 16]), HoldId::from_bits([2; 16]));
        assert!("hold_short".parse::<HoldId>().is_err());
    }

    #[test]
    fn upstream_names_are_plain() {
        assert!("railway-prod".parse::<UpstreamName>().is_ok());
        for bad in ["", "Railway", "a b", "a/b", &"x".repeat(41)] {
            assert!(bad.parse::<UpstreamName>().is_err(), "{bad}");
        }
    }
}
