//! Signing in: agents at the gateway, and the gateway at servers.
//!
//! An agent proves its token, in SCRAM (its user name is its connection's id) or, inside TLS, as a
//! password. The gateway proves a credential that it never sees: the vault answers the server's challenge.
//! No SQL runs while signing in, on either side, so nothing in a first packet can be run by it.

mod agent;
mod backend;
mod cancel;
mod error;
mod scram;
mod server;
mod settings;
mod tls;
mod transport;

pub use self::{
    agent::{Accepted, Arrival, Door, DoorLimits, signed_in},
    backend::{Backend, Row},
    cancel::{CancelKey, CancelTarget, Cancels, Registered},
    error::{AgentError, ServerError},
    server::{Role, ServerAddress, connect},
    settings::{Ceilings, NotAllowed, Setting},
    tls::{AgentTls, ServerTls, TlsError},
    transport::Transport,
};
