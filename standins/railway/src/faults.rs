//! Faults on demand: what a client must survive.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What goes wrong with a request. WebSocket connections are left alone.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Milliseconds to wait before anything else.
    pub delay_ms: u64,
    /// What is sent instead of the answer.
    pub action: FaultAction,
    /// Whether the operation has its effect although the client gets no proper answer.
    pub after_effect: bool,
    /// Only for requests with this root field; any request if absent.
    pub field: Option<String>,
    /// For how many requests; 1 if absent.
    pub times: u32,
}

/// What is sent instead of the answer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultAction {
    /// The proper answer (use with a delay).
    #[default]
    Answer,
    /// Nothing: the connection is closed.
    Drop,
    /// A bare HTTP status, for example 502.
    Status(u16),
    /// Status 200 and a body that is not JSON.
    Garbage,
}

impl Default for Fault {
    /// A fault that changes nothing, once: set what it is to do.
    fn default() -> Self {
        Self {
            delay_ms: 0,
            action: FaultAction::Answer,
            after_effect: false,
            field: None,
            times: 1,
        }
    }
}

/// Faults in the order they were asked for.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue(VecDeque<Fault>);

impl FaultQueue {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    /// The first fault that applies to a request with these root fields, spent by one.
    pub(crate) fn take(&mut self, root_fields: &[String]) -> Option<Fault> {
        self.0.retain(|fault| fault.times > 0);
        let applies = |f: &&mut Fault| f.field.as_ref().is_none_or(|n| root_fields.contains(n));
        let fault = self.0.iter_mut().find(applies)?;
        fault.times -= 1;
        Some(fault.clone())
    }
}
