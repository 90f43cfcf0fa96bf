//! The card: what a person sees before deciding, in the order in which it argues.

use serde::{Deserialize, Serialize};

use crate::approval::ApprovalDocument;
use crate::effect::Reversibility;
use crate::environment::Environment;
use crate::grant::Spending;
use crate::hold::HoldState;
use crate::ids::{ConnectionId, GrantId, HoldId, PersonId};
use crate::resolved::{Fact, Labelled};
use crate::resource::Resource;
use crate::time::UnixMs;
use crate::untrusted::Untrusted;

/// One hold, for a person. Everything on it was made by the gateway, except what is `Untrusted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The hold.
    pub hold: HoldId,
    /// Verb, object and resolved environment: `destroy volume "postgres-data" in production, staging`.
    pub headline: Untrusted,
    /// The strictest environment that would be reached.
    pub environment: Environment,
    /// What would be touched, one line an effect.
    pub targets: Vec<CardTarget>,
    /// Whether it can be taken back, in a word.
    pub reversibility: Reversibility,
    /// Why it is held.
    pub reason: String,
    /// The exact operation, whole.
    pub operation: Untrusted,
    /// The agent, as registered.
    pub agent: Untrusted,
    /// Its connection.
    pub connection: ConnectionId,
    /// The task, in the words in which it was granted; absent without a grant.
    pub task: Option<Untrusted>,
    /// How far this strays from what the task covers, in a sentence; empty if it does not.
    pub strays: String,
    /// Earlier decisions of the same shape, newest first.
    pub precedent: Vec<String>,
    /// What the agent said it is for. Claimed.
    pub claimed: Option<Untrusted>,
    /// What else the person must know: `advisory`, `solo`.
    pub notices: Vec<String>,
    /// The choices, safest first; the last is what the agent asked.
    pub choices: Vec<Choice>,
    /// When it expires, which means no.
    pub expires: UnixMs,
}

/// One effect on one resource, on a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardTarget {
    /// The effect's word.
    pub effect: String,
    /// The resource.
    pub resource: Untrusted,
    /// What the provider calls it.
    pub name: Option<Untrusted>,
    /// Where, by id, with the label a person gave.
    pub places: Vec<Labelled>,
    /// Counts and further facts.
    pub facts: Vec<Fact>,
    /// Why we say so.
    pub why: String,
}

/// Something a person can approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What the button says.
    pub title: String,
    /// The whole text of what would be sent.
    pub shown: Untrusted,
    /// What is signed.
    pub document: ApprovalDocument,
}

/// One signed answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedApproval {
    /// By whom.
    pub person: PersonId,
    /// When.
    pub at: UnixMs,
    /// Which choice of the card.
    pub choice: usize,
    /// The canonical text of the challenge document.
    pub challenge: String,
    /// The passkey's answer.
    pub assertion: crate::passkey::Assertion,
    /// The public key it verifies with, as COSE bytes in base64url.
    pub public_key: String,
}

/// A hold as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Where it stands.
    pub state: HoldState,
    /// What finds it again.
    pub operation: crate::digest::OperationDigest,
    /// Who asked.
    pub connection: ConnectionId,
    /// Under which grant.
    pub grant: Option<GrantId>,
    /// Where to.
    pub upstream: crate::ids::UpstreamName,
    /// The attempt's bytes, in base64: the same bytes always mean the same.
    pub attempt: String,
    /// What it would spend.
    pub spending: Spending,
    /// What the person sees.
    pub card: Card,
    /// The answers so far.
    pub approvals: Vec<SignedApproval>,
    /// When it came.
    pub created: UnixMs,
    /// When the approval was complete.
    pub approved: Option<UnixMs>,
    /// When it runs, once scheduled.
    pub run_at: Option<UnixMs>,
    /// What became of it, in a line.
    pub outcome: Option<String>,
}

impl Hold {
    /// The choice that was approved, once one was.
    #[must_use]
    pub fn chosen(&self) -> Option<&Choice> {
        self.approvals
            .first()
            .and_then(|approval| self.card.choices.get(approval.choice))
    }

    /// The resources on its card, for lists.
    #[must_use]
    pub fn resources(&self) -> Vec<Resource> {
        let text = |target: &CardTarget| Resource::try_from(target.resource.raw().to_owned()).ok();
        self.card.targets.iter().filter_map(text).collect()
    }
}
