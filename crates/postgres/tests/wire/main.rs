//! Framing, reading and writing of messages, with whatever bytes may come.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

mod framing;
mod reading;
