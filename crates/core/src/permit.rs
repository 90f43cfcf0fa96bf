//! Proof that one exact operation may run once.
//!
//! A permit can be made only by the engine and recorded only by the ledger: both constructors take a
//! seal that other crates can't get. Nothing here is `Clone`; each value is consumed by the next step.

use serde::{Deserialize, Serialize};

use crate::digest::{BytesDigest, OperationDigest, PolicyDigest};
use crate::ids::{HoldId, OperationId, UpstreamName};
use crate::operation::Exact;

/// On what ground an operation may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The policy allows it as it is.
    Policy(PolicyDigest),
    /// People approved this hold under that policy.
    Approval(HoldId, PolicyDigest),
    /// The upstream is only observed; the verdict would have been this.
    Observed(String),
}

/// One exact operation may run once.
#[derive(Debug)]
pub struct Permit {
    operation_id: OperationId,
    upstream: UpstreamName,
    operation: OperationDigest,
    bytes: BytesDigest,
    basis: Basis,
}

impl Permit {
    /// Mints a permit for exactly these bytes. Only the engine can.
    #[must_use]
    pub const fn mint(
        _seal: tagout_seal::EngineSeal,
        operation_id: OperationId,
        upstream: UpstreamName,
        operation: OperationDigest,
        bytes: BytesDigest,
        basis: Basis,
    ) -> Self {
        Self {
            operation_id,
            upstream,
            operation,
            bytes,
            basis,
        }
    }

    /// The same for another attempt at the same operation. Only the engine can.
    #[must_use]
    pub fn for_operation(self, _seal: tagout_seal::EngineSeal, operation_id: OperationId) -> Self {
        Self {
            operation_id,
            ..self
        }
    }

    /// The attempt it belongs to.
    #[must_use]
    pub const fn operation_id(&self) -> &OperationId {
        &self.operation_id
    }

    /// The upstream it is for.
    #[must_use]
    pub const fn upstream(&self) -> &UpstreamName {
        &self.upstream
    }

    /// The operation's digest.
    #[must_use]
    pub const fn operation(&self) -> OperationDigest {
        self.operation
    }

    /// The digest of the exact bytes.
    #[must_use]
    pub const fn bytes(&self) -> BytesDigest {
        self.bytes
    }

    /// On what ground.
    #[must_use]
    pub const fn basis(&self) -> &Basis {
        &self.basis
    }
}

/// A permit whose intent is durable in the ledger.
#[derive(Debug)]
pub struct Recorded<P> {
    permit: P,
    leaf: u64,
}

impl<P> Recorded<P> {
    /// Says that the intent of `permit` is durable as leaf `leaf`. Only the ledger can.
    #[must_use]
    pub const fn new(_seal: tagout_seal::LedgerSeal, permit: P, leaf: u64) -> Self {
        Self { permit, leaf }
    }

    /// What was permitted.
    #[must_use]
    pub const fn permit(&self) -> &P {
        &self.permit
    }

    /// The index of the ledger's leaf that holds the intent.
    #[must_use]
    pub const fn leaf(&self) -> u64 {
        self.leaf
    }
}

/// A read that is queued for its group's record.
#[derive(Debug)]
pub struct QueuedRead(Permit);

impl QueuedRead {
    /// Says that the read is in the ledger's queue. Only the ledger can.
    #[must_use]
    pub const fn new(_seal: tagout_seal::LedgerSeal, permit: Permit) -> Self {
        Self(permit)
    }
}

/// What the gateway itself may do on the way, without an agent's operation: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errand {
    /// Ask the upstream where a resource lives, or what would go with it.
    LookUp,
    /// Ask the upstream whether what should have happened has happened.
    Verify,
    /// Ask the upstream whether it answers at all.
    Probe,
    /// Open a session at the upstream, in which nothing runs yet.
    SignIn,
}

/// Leave to send one errand of the gateway's own to one upstream.
#[derive(Debug)]
pub struct ErrandPermit {
    upstream: UpstreamName,
    errand: Errand,
}

impl ErrandPermit {
    /// Gives leave. Only the engine can, which counts them against the provider's limits.
    #[must_use]
    pub const fn mint(
        _seal: tagout_seal::EngineSeal,
        upstream: UpstreamName,
        errand: Errand,
    ) -> Self {
        Self { upstream, errand }
    }
}

/// These exact bytes may run in a transaction of the gateway's own, which it takes another permit to commit.
#[derive(Debug)]
pub struct TrialPermit {
    upstream: UpstreamName,
    bytes: BytesDigest,
}

impl TrialPermit {
    /// Gives leave. Only the engine can.
    #[must_use]
    pub const fn mint(
        _seal: tagout_seal::EngineSeal,
        upstream: UpstreamName,
        bytes: BytesDigest,
    ) -> Self {
        Self { upstream, bytes }
    }
}

/// What an executor takes before it sends anything upstream.
#[derive(Debug)]
pub enum Clearance {
    /// A read, recorded in a group.
    Read(QueuedRead),
    /// Anything else: its intent is durable.
    Effect(Recorded<Permit>),
    /// A trial: nothing of it is in effect until something else is committed.
    Trial(TrialPermit),
    /// An errand of the gateway's own.
    Errand(ErrandPermit),
}

impl Clearance {
    /// Whether these exact bytes may go to this upstream. Checked by whoever attaches the credential,
    /// over the bytes that it is about to send. Errands are composed by us and carry no agent's bytes.
    #[must_use]
    pub fn admits(&self, upstream: &UpstreamName, exact: &Exact) -> bool {
        match self {
            Self::Read(QueuedRead(permit)) => permit.is_for(upstream, exact),
            Self::Effect(recorded) => recorded.permit.is_for(upstream, exact),
            Self::Trial(trial) => &trial.upstream == upstream && trial.bytes == exact.digest(),
            Self::Errand(errand) => &errand.upstream == upstream,
        }
    }

    /// What the gateway does here on its own account, if that is what it is.
    #[must_use]
    pub const fn errand(&self) -> Option<Errand> {
        match self {
            Self::Errand(errand) => Some(errand.errand),
            Self::Read(_) | Self::Effect(_) | Self::Trial(_) => None,
        }
    }
}

impl Permit {
    fn is_for(&self, upstream: &UpstreamName, exact: &Exact) -> bool {
        &self.upstream == upstream && self.bytes == exact.digest()
    }
}
