//! What can go wrong in the engine.

use tagout_core::rights::Wider;
use tagout_core::store::StoreError;
use tagout_ledger::LedgerError;

/// Why the engine could not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The store.
    #[error("the store: {0}")]
    Store(StoreError),
    /// The ledger.
    #[error("the ledger: {0}")]
    Ledger(#[from] LedgerError),
    /// The accepted policies.
    #[error("the accepted policies don't load: {0}")]
    Policy(String),
    /// The system's randomness.
    #[error("{0}")]
    Random(String),
    /// The engine is being shut down.
    #[error("the gateway is shutting down")]
    Gone,
    /// A child that would be wider than its parent.
    #[error(transparent)]
    Wider(#[from] Wider),
    /// There is nothing in force by that id.
    #[error("there is no such {0} in force")]
    NotInForce(&'static str),
    /// A proposal that could never be in force.
    #[error("{0}")]
    Malformed(String),
    /// A fault that a test asked for.
    #[error("a fault was injected at `{0}`")]
    Injected(&'static str),
}
