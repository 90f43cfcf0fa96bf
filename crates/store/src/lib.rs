//! Durable state: holds, authority, budgets and sealed secrets, behind the traits of
//! [`tagout_core::store`].
//!
//! One backend so far, SQLite, and everything that knows it is under `sqlite/`. What any backend must
//! do is in `life` (rules that need no database) and in `conformance` (tests over the traits). This
//! crate must never decide who may do what; it only keeps what was decided, and keeps it whole.

mod life;
mod sqlite;

#[cfg(test)]
mod conformance;

pub use sqlite::SqliteStore;
