//! A small real server that plays Railway as it was in April 2026: its public GraphQL interface over
//! a seeded state, with real effects. For demonstrations and tests.
//!
//! It must never share code with what it is used to test: its GraphQL engine, its HTTP handling and
//! its idea of what an operation does are its own. It keeps nothing on disk, calls nobody and runs
//! no command.
//!
//! What is not known of the provider is decided for the worse, so that a guard is tested against
//! it: GET may mutate, batches work, `volumeInstanceUpdate` honours a delete state, null in a patch
//! deletes. A service's volumes outlive it, without a service. A change set is taken to have the
//! shape of a patch. A project that is scheduled for deletion has its `deletedAt` set.

mod admin;
mod args;
mod error;
mod faults;
mod record;
mod schema;
pub mod seed;
mod server;
mod state;
mod transport;

pub use error::StandinError;
pub use faults::{Fault, FaultAction};
pub use record::{Kind, Record};
pub use server::{Config, Running, Standin};
pub use state::{DeleteMode, State};
