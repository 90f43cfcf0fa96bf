//! Proofs of who is calling, below every other crate.
//!
//! Rust has no "public to these two crates only". A constructor that takes one of these seals can be
//! called only by a crate that depends on `tagout-seal`, and the test of crate edges lets nobody but
//! `core`, `engine` and `ledger` do that. So a protocol crate cannot mint a permit, and nobody but the
//! ledger can say that something was recorded. `core` must never re-export these types.

/// Held by the engine: the right to turn a verdict or an approval into a permit.
#[derive(Debug)]
pub struct EngineSeal(());

/// Held by the ledger: the right to say that a permit's intent is durable.
#[derive(Debug)]
pub struct LedgerSeal(());

impl EngineSeal {
    /// The engine's proof. Calling this from any other crate is what the edge test forbids.
    #[expect(
        clippy::new_without_default,
        reason = "a default could be inferred without naming the seal, and so minted anywhere"
    )]
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl LedgerSeal {
    /// The ledger's proof. Calling this from any other crate is what the edge test forbids.
    #[expect(
        clippy::new_without_default,
        reason = "a default could be inferred without naming the seal, and so minted anywhere"
    )]
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}
