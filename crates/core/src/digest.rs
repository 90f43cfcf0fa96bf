//! The digests that name operations and approvals.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{canonical_json, prefixed_hash};
use crate::ids::UpstreamName;

macro_rules! digests {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name([u8; 32]);

        impl $name {
            /// The prefix under which this digest is taken.
            pub const PREFIX: &'static str = $prefix;

            /// The digest of bytes, under this kind's prefix.
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                Self(prefixed_hash(Self::PREFIX, bytes))
            }

            /// The raw 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first 12 hexadecimal digits, for people to compare.
            #[must_use]
            pub fn short(&self) -> String {
                hex::encode(self.0).chars().take(12).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> Self {
                digest.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = hex::FromHexError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes)?;
                Ok(Self(bytes))
            }
        }
    )*};
}

digests! {
    /// The exact bytes that would be sent upstream. Checked again just before they are sent.
    BytesDigest, "tagout/bytes/v1";
    /// Finds a hold again: who asks (grant or connection), upstream, canonical operation.
    OperationDigest, "tagout/operation/v1";
    /// What a person signs: the canonical text of an approval document.
    ApprovalDigest, "tagout/approval/v1";
    /// A version of a policy set: its text and schema.
    PolicyDigest, "tagout/policy/v1";
    /// What a proposal would change, whole.
    ProposalDigest, "tagout/proposal/v1";
}

impl OperationDigest {
    /// The digest of a canonical operation asked for by `asker` (the id of a grant, or of the
    /// connection where no grant is used) on `upstream`.
    #[must_use]
    pub fn of_operation(asker: &str, upstream: &UpstreamName, canonical: &Value) -> Self {
        // The members in their canonical order, without a copy of the operation.
        let text = |value: &str| Value::from(value).to_string();
        let whole = format!(
            r#"{{"asker":{},"operation":{},"upstream":{}}}"#,
            text(asker),
            canonical_json(canonical),
            text(upstream.as_str())
        );
        Self::of(whole.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_operation_is_found_by_meaning_and_asker() {
        let upstream: UpstreamName = "railway".parse().unwrap();
        let digest =
            |asker: &str, value: Value| OperationDigest::of_operation(asker, &upstream, &value);
        let one = digest("grant_a", json!({"x": 1, "y": 2}));
        assert_eq!(one, digest("grant_a", json!({"y": 2, "x": 1})));
        let whole =
            json!({"upstream": "railway", "operation": {"y": 2, "x": 1}, "asker": "grant_a"});
        assert_eq!(one, OperationDigest::of(canonical_json(&whole).as_bytes()));
        assert_ne!(one, digest("grant_b", json!({"x": 1, "y": 2})));
        assert_ne!(one, digest("grant_a", json!({"x": 1, "y": 3})));
    }

    #[test]
    fn digests_round_trip_as_hex() {
        let digest = BytesDigest::of(b"x");
        let text = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<BytesDigest>(&text).unwrap(), digest);
        assert!(serde_json::from_str::<BytesDigest>("\"abc\"").is_err());
    }
}
