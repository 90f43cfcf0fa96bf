//! What one agent may use up: look-ups at an upstream, and room in the ledger.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tagout_core::ids::{ConnectionId, UpstreamName};
use tagout_core::permit::{Clearance, Errand, ErrandPermit};
use tagout_core::pipeline::{Errands, Throttled};
use tagout_seal::EngineSeal;

use crate::engine::Engine;
use crate::leaf::Leaf;
use crate::rate::{Buckets, Rate};

/// Numbers of unrecorded refusals are put into the ledger this often.
const COUNTED_EVERY_MS: u64 = 10_000;

/// The errands that one connection causes.
pub(crate) struct ErrandsOf<'a> {
    engine: &'a Engine,
    connection: &'a ConnectionId,
    /// Whether one was refused, so that what was found is not all there is.
    throttled: AtomicBool,
}

impl<'a> ErrandsOf<'a> {
    pub(crate) const fn new(engine: &'a Engine, connection: &'a ConnectionId) -> Self {
        Self {
            engine,
            connection,
            throttled: AtomicBool::new(false),
        }
    }

    pub(crate) fn were_throttled(&self) -> bool {
        self.throttled.load(Ordering::Relaxed)
    }

    fn take(&self, upstream: &UpstreamName) -> Result<(), u64> {
        let now_ms = self.engine.clock.monotonic_ms();
        self.engine.look_ups_each.take(self.connection, now_ms)?;
        self.engine.look_ups.take(upstream, now_ms)
    }
}

impl Errands for ErrandsOf<'_> {
    fn leave(&self, upstream: &UpstreamName, errand: Errand) -> Result<Clearance, Throttled> {
        if self.take(upstream).is_err() {
            self.throttled.store(true, Ordering::Relaxed);
            return Err(Throttled);
        }
        Ok(Clearance::Errand(ErrandPermit::mint(
            EngineSeal::new(),
            upstream.clone(),
            errand,
        )))
    }
}

/// The errands of an operator at the command line: looking, at the upstream's rate.
pub struct OperatorErrands<'a>(&'a Engine);

impl Engine {
    /// Leave for an operator's look-ups.
    #[must_use]
    pub const fn operator_errands(&self) -> OperatorErrands<'_> {
        OperatorErrands(self)
    }
}

impl Errands for OperatorErrands<'_> {
    fn leave(&self, upstream: &UpstreamName, errand: Errand) -> Result<Clearance, Throttled> {
        let taken = self.0.look_ups.take(upstream, self.0.clock.monotonic_ms());
        taken.map_err(|_| Throttled)?;
        let permit = ErrandPermit::mint(EngineSeal::new(), upstream.clone(), errand);
        Ok(Clearance::Errand(permit))
    }
}

/// Refusals that are only counted, by connection; `None` for those without a token.
pub(crate) struct Unrecorded {
    buckets: Buckets<Option<ConnectionId>>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    of: HashMap<Option<ConnectionId>, u64>,
    since_ms: u64,
}

impl Unrecorded {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            buckets: Buckets::new(rate),
            counts: Mutex::default(),
        }
    }

    /// Whether a refusal gets a record of its own; otherwise it is counted.
    fn admits(&self, connection: Option<&ConnectionId>, now_ms: u64) -> bool {
        let key = connection.cloned();
        let admitted = self.buckets.take(&key, now_ms).is_ok();
        if !admitted {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.of.entry(key).or_default() += 1;
        }
        admitted
    }

    /// The numbers, if it is time to record them.
    fn take(&self, now_ms: u64) -> HashMap<Option<ConnectionId>, u64> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.of.is_empty() || now_ms.saturating_sub(counts.since_ms) < COUNTED_EVERY_MS {
            return HashMap::new();
        }
        counts.since_ms = now_ms;
        std::mem::take(&mut counts.of)
    }
}

impl Engine {
    /// Records something that an agent caused and that did not happen, unless it caused too many of
    /// them: those are counted, so that nobody fills the ledger by being refused.
    pub(crate) async fn note_refusal(&self, connection: Option<&ConnectionId>, leaf: &Leaf) {
        if !self
            .unrecorded
            .admits(connection, self.clock.monotonic_ms())
        {
            return;
        }
        if let Err(error) = self.record.note(leaf).await {
            tracing::error!(%error, "a refusal could not be recorded");
        }
    }

    /// Records how many refusals have no record of their own.
    pub(crate) async fn note_unrecorded(&self) {
        for (connection, count) in self.unrecorded.take(self.clock.monotonic_ms()) {
            let leaf = Leaf::RefusedMore { connection, count };
            if let Err(error) = self.record.note(&leaf).await {
                tracing::error!(%error, "a number of refusals could not be recorded");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_quota_refusals_are_only_counted() {
        let quota = Unrecorded::new(Rate {
            burst: 2,
            per_second: 1,
        });
        let id = ConnectionId::from_bits([1; 16]);
        let admitted = (0..10).filter(|_| quota.admits(Some(&id), 20_000)).count();
        assert_eq!(admitted, 2);
        assert!(quota.admits(None, 20_000));
        assert_eq!(quota.take(5_000), HashMap::new());
        assert_eq!(quota.take(20_000), [(Some(id), 8)].into());
        assert_eq!(quota.take(40_000), HashMap::new());
    }
}
