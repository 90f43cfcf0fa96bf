//! HTTP between agents and upstreams: understanding requests, looking up what they would reach, sending
//! what was cleared, and the surfaces on which agents come in.
//!
//! The way of a request: [`Surface`] reads it in exactly one way and takes its token off; the pipeline
//! decides; [`HttpAdapter`] classifies, resolves and executes. This crate never decides, never mints a
//! permit, and never sees a credential outside of the moment in which a request is sent.

mod adapter;
mod error;
mod execute;
mod limits;
mod message;
mod refused;
mod reply;
mod resolve;
mod surface;
pub mod understand;
mod upload;
mod upstream;

pub use adapter::HttpAdapter;
pub use error::HttpError;
pub use limits::REQUEST_BODY_LIMIT_BYTES;
pub use reply::{BrokenOff, Reply, ReplyBody};
pub use surface::{
    Authority, Stop, StopHandle, Surface, look_up_peer, serve_forward, serve_reverse,
    server_config, stop_signal,
};
pub use upstream::Upstreams;
