//! What is sent to the server in one go, and where each answer belongs.
//!
//! Nothing is ever sent without saying here what its answer is and who gets it, so that answers to what
//! the gateway does on its own account can't reach the agent, and none of the agent's is lost.

use std::collections::VecDeque;

use bytes::BytesMut;

use crate::wire::{Frame, write};

/// The gateway's own prepared statements on the server. Agents may not use names that begin so.
pub(crate) const OWN: &str = "__tagout_";
/// `BEGIN READ ONLY`.
pub(crate) const BEGIN_READING: &str = "__tagout_begin_reading";
/// `BEGIN`.
pub(crate) const BEGIN_TRIAL: &str = "__tagout_begin_trial";
/// `COMMIT`.
pub(crate) const COMMIT: &str = "__tagout_commit";

/// Who gets an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The gateway itself; the agent sees nothing of it.
    Own,
    /// The agent.
    Agent,
    /// The agent gets rows at once, and that it is complete only once it is committed.
    KeepBack,
}

/// What ends an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    ParseComplete,
    BindComplete,
    Described,
    Executed,
    Closed,
    /// Closed on the gateway's own account.
    Forgotten,
    /// A simple query is over.
    Ready,
    /// A series of messages is over.
    Synced,
}

/// An answer that is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) until: Until,
    pub(crate) route: Route,
}

/// Bytes for the server, with the answers that they will have.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) bytes: BytesMut,
    pub(crate) expected: VecDeque<Expected>,
}

impl Script {
    fn expect(&mut self, until: Until, route: Route) {
        self.expected.push_back(Expected { until, route });
    }

    /// A simple query of the gateway's own.
    pub(crate) fn own_query(&mut self, sql: &str) -> &mut Self {
        write::query(&mut self.bytes, sql);
        self.expect(Until::Ready, Route::Own);
        self
    }

    /// One of the gateway's prepared statements.
    pub(crate) fn own_prepared(&mut self, name: &str) -> &mut Self {
        write::bind(&mut self.bytes, "", name, &[]);
        self.expect(Until::BindComplete, Route::Own);
        write::execute(&mut self.bytes, "", 0);
        self.expect(Until::Executed, Route::Own);
        self
    }

    /// A simple query of the agent's.
    pub(crate) fn query(&mut self, sql: &str, route: Route) -> &mut Self {
        write::query(&mut self.bytes, sql);
        self.expect(Until::Ready, route);
        self
    }

    /// A message of the agent's, as it came.
    pub(crate) fn frame(&mut self, frame: &Frame, until: Until, route: Route) -> &mut Self {
        self.bytes.extend_from_slice(&frame.bytes);
        let route = if until == Until::Forgotten {
            Route::Own
        } else {
            route
        };
        self.expect(until, route);
        self
    }

    /// The end of a series. What fails only there is an answer to whoever began it.
    pub(crate) fn sync(&mut self, route: Route) -> &mut Self {
        write::sync(&mut self.bytes);
        self.expect(Until::Synced, route);
        self
    }
}
