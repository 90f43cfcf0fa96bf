//! Black-box tests: a running stand-in and clients over real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod evidence;
mod forms;
mod reads;
mod writes;
