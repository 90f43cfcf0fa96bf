//! The accepted upstreams: which host means which, and how to reach them.
//!
//! Nothing here knows a credential. A host that is not registered is never dialled.

mod answer_body;
mod dial;
pub(crate) mod endpoint;
mod pool;
mod table;
mod trust;
pub(crate) mod websocket;

pub(crate) use answer_body::AnswerBody;
pub(crate) use endpoint::Endpoint;
pub(crate) use pool::{Pool, Sending, Sent};
pub(crate) use table::Registered;
pub use table::Upstreams;
