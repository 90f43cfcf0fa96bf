//! PostgreSQL's wire protocol, version 3 (3.0 and 3.2), on both sides: framing, reading and writing of
//! messages. <https://www.postgresql.org/docs/18/protocol.html>.
//!
//! Pure but for [`Frames`], which reads. It knows nothing of who speaks and of what statements mean, and
//! never answers by itself. Both sides are hostile: no length is believed, no shape but the documented one
//! is read, and nothing here panics.

mod fields;
mod frame;
mod malformed;
mod report;
mod startup;

pub mod client;
pub mod server;
pub mod write;

pub use {
    fields::{Formats, Oids, Values},
    frame::{Arrived, Frame, FrameError, Frames, Header, Limits},
    malformed::Malformed,
    report::Report,
    startup::{FirstPacket, Startup},
};
