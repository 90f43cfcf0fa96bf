//! What `volumeDelete` does.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the provider treats the delete of a volume.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteMode {
    /// At once, with all backups: the API before the end of April 2026.
    #[default]
    Immediate,
    /// Queued: instances are marked as pending deletion and keep their data and backups.
    Soft,
    /// The answer says queued, but everything is gone at once.
    ClaimsSoft,
}

impl DeleteMode {
    pub(crate) fn claims_delay(self) -> bool {
        self != Self::Immediate
    }
}

impl FromStr for DeleteMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "immediate" => Ok(Self::Immediate),
            "soft" => Ok(Self::Soft),
            "claims-soft" => Ok(Self::ClaimsSoft),
            _ => Err(format!(
                "`{text}` is not one of immediate, soft, claims-soft"
            )),
        }
    }
}
