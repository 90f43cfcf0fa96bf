//! Sends what was cleared, once, and makes of the answer what the agent may see.

mod answer;
mod decode;
mod headers;
mod outcome;
mod redact;
mod scrub;
mod send;
mod subscription;
mod whole;

pub(crate) use answer::Expected;
pub(crate) use scrub::Scrubbed;
pub(crate) use send::{Sender, execute, execute_upload, method_of};
pub(crate) use subscription::{is_subscription, subscribe};
pub(crate) use whole::{NotWhole, read_whole};
