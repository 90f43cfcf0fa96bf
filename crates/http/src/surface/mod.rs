//! Where agents come in: listeners, the reading of their requests, and the answers.
//!
//! A surface decides nothing. What it can't read in exactly one way it refuses; what it can, it hands
//! to the pipeline.

mod agree;
mod asked;
mod attempt;
mod authority;
mod connection;
mod credentials;
mod forward;
mod listener;
mod own;
mod peer;
mod route;
mod serve;
mod stop;
mod tap;
mod websocket;
mod wire;

pub use authority::Authority;
pub use forward::serve_forward;
pub use listener::{serve_reverse, server_config};
pub use peer::look_up as look_up_peer;
pub use serve::Surface;
pub use stop::{Stop, StopHandle, stop_signal};
