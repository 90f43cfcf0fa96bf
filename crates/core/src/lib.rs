//! The words and rules that every part of Tagout shares.
//!
//! Pure: no IO, no clock, no randomness, no async runtime. What needs one of those is a trait here and
//! is implemented elsewhere. This crate must never know a protocol's details, and must never re-export
//! the seals that guard the making of permits.

pub mod approval;
pub mod canonical;
pub mod card;
pub mod desk;
pub mod digest;
pub mod effect;
pub mod environment;
pub mod grant;
pub mod hold;
pub mod ids;
pub mod operation;
pub mod passkey;
pub mod permit;
pub mod pipeline;
pub mod proposal;
pub mod refusal;
pub mod resolved;
pub mod resource;
pub mod rights;
pub mod session;
pub mod store;
pub mod time;
pub mod untrusted;
pub mod verdict;
