//! Everything about PostgreSQL: the wire protocol on both sides, what statements mean, what they would
//! reach, and measuring what they did before it is committed.
//!
//! This crate never decides: it asks the pipeline that it is given. It never sees a credential: the vault
//! answers the server's challenges. What it does not understand it calls `unknown`.

mod adapter;
pub mod catalog;
pub mod endpoint;
pub mod error;
mod operator;
pub mod refused;
mod session;
pub mod sign_in;
mod surface;
pub mod understand;
pub mod unit;
pub mod wire;

pub use adapter::{AtTheDoor, Committed, SessionAdapter};
pub use endpoint::strip_scheme;
pub use surface::{Opener, PostgresSurface, serve};
