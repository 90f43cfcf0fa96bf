//! The bounded queue between those who append and the one writer. Nobody ever waits to get in: what does
//! not fit is refused.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{LedgerError, journal::lock};

/// What an entry is for, and so whether it may use the reserved room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Intents and groups of reads: refused first when room runs out.
    Effect,
    /// Refusals, freeze, revocation, sign-in, and the outcome of what has already started: keeps
    /// reserved room.
    Refusal,
}

/// Where an entry went. It is durable when this is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The entry's index.
    pub index: u64,
    /// Size of the durable tree that first held it.
    pub tree_size: u64,
}

/// How soon an entry is to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// At once: somebody waits.
    Now,
    /// With the next entry that is wanted at once, or when it has lingered for a while.
    Soon,
}

pub(crate) struct Pending {
    pub(crate) class: Class,
    pub(crate) urgency: Urgency,
    pub(crate) entry: Vec<u8>,
    /// A body that the entry names, to become durable with it.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) reply: oneshot::Sender<Result<Appended, LedgerError>>,
}

impl Pending {
    pub(crate) fn refuse(self, error: LedgerError) {
        // Whoever asked may have gone away; then nobody needs the answer.
        let _ = self.reply.send(Err(error));
    }

    fn bytes(&self) -> usize {
        self.entry.len() + self.body.as_ref().map_or(0, Vec::len)
    }
}

pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    max_entries: usize,
    max_bytes: usize,
    linger: Duration,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Pending>,
    bytes: usize,
    /// When what waits must go at the latest; `None` while nothing waits.
    due: Option<Instant>,
    /// What was taken last, and may not be durable yet.
    taken: usize,
    closed: Option<LedgerError>,
}

impl Queue {
    pub(crate) fn new(max_entries: usize, max_bytes: usize, linger: Duration) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Condvar::new(),
            max_entries,
            max_bytes,
            linger,
        }
    }

    pub(crate) fn push(&self, pending: Pending) -> Result<(), LedgerError> {
        let mut state = lock(&self.state);
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        if !self.has_room(&state, &pending) {
            return Err(LedgerError::QueueFull);
        }
        state.bytes += pending.bytes();
        let due = match pending.urgency {
            Urgency::Now => Instant::now(),
            Urgency::Soon => Instant::now() + self.linger,
        };
        let sooner = state.due.is_none_or(|before| due < before);
        if sooner {
            state.due = Some(due);
        }
        state.waiting.push_back(pending);
        drop(state);
        if sooner {
            self.arrived.notify_one();
        }
        Ok(())
    }

    fn has_room(&self, state: &State, pending: &Pending) -> bool {
        let allowed = |limit: usize| match pending.class {
            Class::Effect => limit,
            Class::Refusal => limit.saturating_add(limit / 4).max(limit.saturating_add(1)),
        };
        let bytes = state.bytes + pending.bytes();
        state.waiting.len() < allowed(self.max_entries)
            && (bytes <= allowed(self.max_bytes) || state.waiting.is_empty())
    }

    /// Waits for entries and takes as many as fit in `max_bytes`, at least one. `None` when the queue is
    /// closed and empty.
    pub(crate) fn take(&self, max_bytes: usize) -> Option<VecDeque<Pending>> {
        let mut state = self.wait_until_due()?;
        let mut bytes = 0;
        let fitting = state.waiting.iter().take_while(|pending| {
            bytes += pending.bytes() + 2;
            bytes <= max_bytes
        });
        let count = fitting.count().max(1);
        let rest = state.waiting.split_off(count);
        let taken = std::mem::replace(&mut state.waiting, rest);
        state.bytes -= taken.iter().map(Pending::bytes).sum::<usize>();
        state.taken = taken.len();
        if state.waiting.is_empty() {
            state.due = None;
        }
        Some(taken)
    }

    fn wait_until_due(&self) -> Option<MutexGuard<'_, State>> {
        let mut state = lock(&self.state);
        state.taken = 0;
        loop {
            let left = match state.due {
                _ if state.closed.is_some() => Some(Duration::ZERO),
                due => due.map(|due| due.saturating_duration_since(Instant::now())),
            };
            state = match left {
                Some(Duration::ZERO) if state.waiting.is_empty() => return None,
                Some(Duration::ZERO) => return Some(state),
                Some(left) => {
                    let waited = self.arrived.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.arrived.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    /// Entries that wait to become durable.
    pub(crate) fn waiting(&self) -> usize {
        let state = lock(&self.state);
        state.waiting.len() + state.taken
    }

    /// Refuses all further entries with `error`; what waits can still be taken.
    pub(crate) fn close(&self, error: LedgerError) {
        lock(&self.state).closed.get_or_insert(error);
        self.arrived.notify_all();
    }

    /// Closes, and refuses what waits as well.
    pub(crate) fn abandon(&self, error: &LedgerError) {
        self.close(error.clone());
        let mut state = lock(&self.state);
        let waiting = std::mem::take(&mut state.waiting);
        state.bytes = 0;
        state.due = None;
        drop(state);
        waiting
            .into_iter()
            .for_each(|pending| pending.refuse(error.clone()));
    }
}
