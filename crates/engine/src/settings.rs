//! What the composition root tells the engine.

use crate::rate::Rate;

/// Limits and addresses. Every limit is here, with the reason for its default.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The relying party's id: the console's host name, fixed at `init`.
    pub rp_id: String,
    /// The console's exact origin: `https://tagout.example:8443`.
    pub origin: String,
    /// Why the guard is only advisory, if it is: an agent that shares our user id can read our memory.
    pub advisory: Option<String>,
    /// The user id we run as; a peer with the same one is only advised.
    pub own_uid: Option<u32>,
    /// How long a held request waits on the wire for a person: less than what clients give up after.
    pub wait_on_wire_ms: u64,
    /// Attempts of one connection: far above what an agent does, far below what hurts an upstream.
    pub attempts: Rate,
    /// Statements of one connection's sessions that are judged anew: a database takes more than a provider's
    /// API, and an ORM says one thing in many statements.
    pub statements: Rate,
    /// Look-ups at one upstream: Railway's smallest plan lets us ask ten a second.
    pub look_ups: Rate,
    /// Look-ups that one connection may cause, so that it can't use up everybody's.
    pub look_ups_each: Rate,
    /// Refusals of one connection that get a record of their own; more are recorded as a number.
    pub refusals: Rate,
    /// Holds of one connection that may wait: a person reads no more.
    pub holds_waiting: usize,
    /// Open proposals.
    pub proposals_waiting: usize,
    /// Open proposals that one connection made.
    pub asked_waiting: usize,
}

impl Settings {
    /// The defaults for a console at this origin.
    #[must_use]
    pub fn new(rp_id: impl Into<String>, origin: impl Into<String>) -> Self {
        Self {
            rp_id: rp_id.into(),
            origin: origin.into(),
            advisory: None,
            own_uid: None,
            wait_on_wire_ms: 25_000,
            attempts: Rate {
                burst: 2_000,
                per_second: 1_000,
            },
            statements: Rate {
                burst: 50_000,
                per_second: 20_000,
            },
            look_ups: Rate {
                burst: 20,
                per_second: 5,
            },
            look_ups_each: Rate {
                burst: 20,
                per_second: 4,
            },
            refusals: Rate {
                burst: 200,
                per_second: 5,
            },
            holds_waiting: 50,
            proposals_waiting: 100,
            asked_waiting: 5,
        }
    }
}
