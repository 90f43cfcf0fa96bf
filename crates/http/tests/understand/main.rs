//! What requests mean: packs against their own cases, the known incidents, the ordinary work of a week,
//! and rewrites of one request judged by another implementation.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails a test"
)]

mod conditions;
mod explain;
mod incidents;
mod oracle;
mod ordinary;
mod packs;
mod railway;
mod refused;
mod requests;
mod rest;
mod rewrite;
mod rewrites;
mod secrets;
mod variables;
