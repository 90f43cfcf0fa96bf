//! Signing in over real sockets: PostgreSQL's own client and hostile ones at our door, and ourselves at
//! real servers and at lying ones.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

mod door;
mod hostile;
mod house;
mod liars;
mod psql;
mod server;
mod vault;
