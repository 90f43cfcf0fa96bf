//! What goes into the ledger: one shape for each thing that can happen.
//!
//! A leaf never carries an agent's text: that may hold secrets, and a leaf can't be taken back. It carries
//! digests, resolved ids and our own words; the text lies beside the log, by hash, and can expire.

use serde::Serialize;
use tagout_core::canonical::canonical_text;
use tagout_core::digest::{ApprovalDigest, BytesDigest, OperationDigest, PolicyDigest};
use tagout_core::effect::Effect;
use tagout_core::environment::Environment;
use tagout_core::grant::Budget;
use tagout_core::ids::{
    ConnectionId, FreezeId, GrantId, HoldId, OperationId, PersonId, ProposalId, UpstreamName,
};
use tagout_core::passkey::Assertion;
use tagout_core::permit::Basis;
use tagout_core::pipeline::Outcome;
use tagout_core::proposal::Change;
use tagout_core::refusal::RefusalKind;
use tagout_core::rights::Rights;
use tagout_core::time::UnixMs;
use tagout_ledger::MAX_ENTRY_BYTES;

use crate::purses::Charge;

/// One leaf.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub(crate) enum Leaf {
    /// The gateway began to work.
    Started {
        version: &'static str,
        policy: PolicyDigest,
        advisory: Option<String>,
    },
    /// An operation is about to be sent. Durable before its first byte.
    Intent {
        op: OperationId,
        what: What,
        bytes: BytesDigest,
        basis: Basis,
        hold: Option<HoldId>,
        /// What it spends, if it is sent. The record of budgets: the store only sums it up.
        #[serde(skip_serializing_if = "Option::is_none")]
        spent: Option<Charge>,
        /// The name of the body beside the log.
        body: String,
    },
    /// What became of an intent.
    Outcome {
        op: OperationId,
        intent: u64,
        outcome: Outcome,
    },
    /// Something was not done.
    Refused {
        op: OperationId,
        kind: RefusalKind,
        connection: ConnectionId,
        reason: String,
        what: Option<What>,
    },
    /// So many more things were not done, each without a record of its own.
    RefusedMore {
        connection: Option<ConnectionId>,
        count: u64,
    },
    /// Something waits for people.
    Held {
        op: OperationId,
        hold: HoldId,
        what: What,
        choices: Vec<ApprovalDigest>,
        body: String,
    },
    /// A person answered a hold. Everything needed to check the signature is here.
    Judged {
        hold: HoldId,
        signature: Signature,
        /// The documents that were signed lie beside the log.
        body: String,
    },
    /// A hold took a step by itself, or by somebody's hand.
    Stepped {
        hold: HoldId,
        state: &'static str,
        why: String,
    },
    /// A person settled a proposal.
    Settled {
        proposal: ProposalId,
        accepted: bool,
        /// The change; absent where it is too long for a leaf.
        change: Option<Box<Change>>,
        /// The change's canonical text lies beside the log.
        body: String,
        signature: Signature,
    },
    /// A narrower connection was made below another.
    NarrowedConnection {
        connection: ConnectionId,
        parent: ConnectionId,
        rights: Rights,
        budget: Budget,
    },
    /// A narrower grant was made below another.
    NarrowedGrant {
        grant: GrantId,
        parent: GrantId,
        connection: ConnectionId,
        rights: Rights,
        budget: Budget,
        expires: UnixMs,
    },
    /// The first passkey was enrolled.
    Enrolled {
        person: PersonId,
        public_key: String,
    },
    /// Somebody signed in.
    SignedIn { person: PersonId },
    /// Everything was stopped.
    Frozen { freeze: FreezeId, by: String },
    /// Tokens or grants ended.
    Revoked {
        connections: Vec<ConnectionId>,
        grants: Vec<GrantId>,
    },
    /// An agent sent a credential that is not its token.
    Stray {
        connection: Option<ConnectionId>,
        upstream: Option<UpstreamName>,
        place: String,
    },
    /// A grant's budget was used up.
    Tripped { grant: GrantId, effect: Effect },
}

/// An operation, without its text.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct What {
    /// Who asked.
    pub(crate) connection: ConnectionId,
    /// Under which grant.
    pub(crate) grant: Option<GrantId>,
    /// Where to.
    pub(crate) upstream: UpstreamName,
    /// The operation's digest.
    pub(crate) operation: OperationDigest,
    /// Its effects, where they were found to land.
    pub(crate) effects: Vec<Landing>,
    /// What policy said.
    pub(crate) verdict: &'static str,
}

/// One effect and where it lands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Landing {
    pub(crate) effect: Effect,
    pub(crate) resource: String,
    pub(crate) places: Vec<String>,
    pub(crate) environment: Environment,
    pub(crate) members: u64,
}

/// A person's signature with all that is needed to check it offline.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Signature {
    pub(crate) person: PersonId,
    /// The canonical text of the challenge document.
    pub(crate) challenge: String,
    pub(crate) assertion: Assertion,
    pub(crate) public_key: String,
    pub(crate) rp_id: String,
    pub(crate) origin: String,
}

#[derive(Serialize)]
struct Stamped<'a> {
    at: UnixMs,
    #[serde(flatten)]
    leaf: &'a Leaf,
}

impl Leaf {
    /// The leaf's bytes: canonical JSON with the time.
    pub(crate) fn bytes(&self, at: UnixMs) -> Vec<u8> {
        canonical_text(&Stamped { at, leaf: self }).into_bytes()
    }

    /// The same refusal without its details, if it would not fit into the ledger with them.
    pub(crate) fn fitting(mut self, at: UnixMs) -> Self {
        if self.bytes(at).len() > MAX_ENTRY_BYTES
            && let Self::Refused { what, .. } = &mut self
        {
            *what = None;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_one_flat_canonical_object() {
        let leaf = Leaf::SignedIn {
            person: PersonId::from_bits([0; 16]),
        };
        let text = String::from_utf8(leaf.bytes(UnixMs(5))).unwrap();
        assert_eq!(
            text,
            r#"{"at":5,"person":"person_0000000000000000000000","type":"signed_in"}"#
        );
    }
}
