//! What policy says of an operation.

use serde::{Deserialize, Serialize};

/// What makes an operation acceptable, cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Safeguard {
    /// Secret fields are taken out of the answer.
    Redact,
    /// Rows or objects are copied before they change.
    BeforeImage,
    /// The provider's or our own soft variant runs instead.
    SoftVariant,
    /// A verified copy outside the target's blast radius first.
    Snapshot,
    /// Run in a transaction of ours, measured before it commits.
    Trial,
    /// Run by the gateway after a while, cancellable until then.
    Delay,
    /// One present person agrees.
    AskOne,
    /// Two present people agree.
    AskTwo,
}

impl Safeguard {
    /// The word used in policies, JSON and on cards.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Redact => "redact",
            Self::BeforeImage => "before_image",
            Self::SoftVariant => "soft_variant",
            Self::Snapshot => "snapshot",
            Self::Trial => "trial",
            Self::Delay => "delay",
            Self::AskOne => "ask_one",
            Self::AskTwo => "ask_two",
        }
    }
}

/// Allow, hold or deny; with what allowing takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// May run now.
    Allow {
        /// What is imposed on the way (never a person or a delay: that is a hold).
        safeguards: Vec<Safeguard>,
        /// The policies that permitted it.
        because: Vec<String>,
    },
    /// May run when people have agreed.
    Hold {
        /// What is imposed besides.
        safeguards: Vec<Safeguard>,
        /// How many people.
        approvals: u8,
        /// How long after the last approval it runs; zero for at once.
        delay_ms: u64,
        /// The policies that would permit it.
        because: Vec<String>,
        /// One sentence for the person: why this is not simply allowed.
        reason: String,
    },
    /// May not run.
    Deny {
        /// One sentence for the agent.
        reason: String,
        /// The nearest thing that would be allowed, if there is one.
        instead: Option<String>,
    },
}

impl Verdict {
    /// Whether anything but a refusal.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::Hold { .. } => "hold",
            Self::Deny { .. } => "deny",
        }
    }
}

/// How strictly an upstream is guarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything passes and is recorded with the verdict it would have had. Redaction, refusal of
    /// stray credentials and freeze stay on.
    Observe,
    /// The policy decides.
    #[default]
    Guard,
    /// As `guard`, and refuses to work where it can be walked round.
    Strict,
}
