//! Everything about PostgreSQL: the wire protocol on both sides, what statements mean, what they would
//! reach, and measuring what they did before it is committed.
//!
//! This crate never decides: it asks the pipeline that it is given. It never sees a credential: the vault
//! answers the server's challenges. What it does not understand it calls `unknown`.

pub mod catalog;
pub mod refused;
pub mod sign_in;
pub mod understand;
pub mod wire;
