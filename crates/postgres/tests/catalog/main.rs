//! What statements reach, on a real PostgreSQL server.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

mod hidden;
mod measuring;
mod ordinary;
mod resolving;
mod scene;
mod written;
