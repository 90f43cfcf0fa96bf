//! Writing the record. Nothing here decides; it only sees to it that what must be durable is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tagout_core::canonical::canonical_json;
use tagout_core::permit::{Permit, QueuedRead, Recorded};
use tagout_core::time::Clock;
use tagout_ledger::{Class, Ledger, LedgerError, ReadQueue, Salt};

use crate::leaf::{Leaf, What};

/// The ledger, the queue of reads beside it, and the clock that stamps both.
pub(crate) struct Recorder {
    ledger: Ledger,
    reads: ReadQueue,
    clock: Arc<dyn Clock>,
    /// For each intent whose outcome is not durable: an index that is not above its own.
    open: Mutex<BTreeMap<u64, usize>>,
}

/// An intent that is being recorded, or is recorded and has no outcome yet.
pub(crate) struct Open {
    not_above: u64,
}

/// Reads that may wait to be put into a group.
const READS_WAITING: usize = 65_536;

impl Recorder {
    pub(crate) fn new(ledger: Ledger, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        let stamps = Arc::clone(&clock);
        let clock_ms = Arc::new(move || stamps.now().0);
        let reads = ReadQueue::start(ledger.clone(), clock_ms, READS_WAITING)?;
        Ok(Self {
            ledger,
            reads,
            clock,
            open: Mutex::default(),
        })
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Makes an intent durable, and so turns a permit into one that executors take.
    pub(crate) async fn intent(
        &self,
        permit: Permit,
        leaf: &Leaf,
    ) -> Result<(Recorded<Permit>, Open), LedgerError> {
        let open = self.begin();
        let bytes = leaf.bytes(self.clock.now());
        match self.ledger.record_intent(permit, bytes).await {
            Ok(recorded) => Ok((recorded, open)),
            Err(error) => {
                self.end(&open);
                Err(error)
            }
        }
    }

    fn begin(&self) -> Open {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let not_above = self.ledger.status().durable_size;
        *open.entry(not_above).or_default() += 1;
        Open { not_above }
    }

    /// An intent's outcome and what follows from it are durable. One that never comes here is settled
    /// at the next start.
    pub(crate) fn end(&self, ended: &Open) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&ended.not_above) {
            *count -= 1;
            if *count == 0 {
                open.remove(&ended.not_above);
            }
        }
    }

    /// The index below which every intent has its outcome.
    pub(crate) fn settled_below(&self) -> u64 {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let first = open.keys().next().copied();
        first.unwrap_or_else(|| self.ledger.status().durable_size)
    }

    /// The newest checkpoint as a signed note.
    pub(crate) fn checkpoint_note(&self) -> String {
        self.ledger.checkpoint().note().to_owned()
    }

    /// Queues a read for its group.
    pub(crate) fn read(&self, permit: Permit, what: &What) -> Result<QueuedRead, LedgerError> {
        let asker = what
            .grant
            .as_ref()
            .map_or(what.connection.as_str(), |grant| grant.as_str());
        let record = json!({
            "effects": what.effects.iter().map(|landing| landing.resource.as_str()).collect::<Vec<_>>(),
            "op": permit.operation_id().as_str(),
            "operation": what.operation,
            "upstream": what.upstream,
        });
        self.reads
            .admit(permit, asker, canonical_json(&record).into_bytes())
    }

    /// Makes anything else durable: refusals, outcomes, what people do. Uses the reserved room.
    pub(crate) async fn note(&self, leaf: &Leaf) -> Result<u64, LedgerError> {
        let bytes = leaf.bytes(self.clock.now());
        Ok(self.ledger.append(Class::Refusal, bytes).await?.index)
    }

    /// Makes something that widens authority durable before it takes effect: no reserved room for it.
    pub(crate) async fn widening(&self, leaf: &Leaf) -> Result<u64, LedgerError> {
        let bytes = leaf.bytes(self.clock.now());
        Ok(self.ledger.append(Class::Effect, bytes).await?.index)
    }

    /// Puts an operation's text beside the log, salted so that its name betrays nothing, and gives the
    /// name.
    pub(crate) async fn body(&self, shown: &str) -> Result<String, LedgerError> {
        let salt = hex::encode(Salt::random()?.as_bytes());
        self.put(json!({"salt": salt, "shown": shown})).await
    }

    /// Puts signed documents beside the log. Each carries its hold's random id, which is salt enough.
    pub(crate) async fn documents(&self, texts: &[String]) -> Result<String, LedgerError> {
        self.put(json!({"documents": texts})).await
    }

    /// Blocking IO, so it runs on a thread for that.
    async fn put(&self, body: Value) -> Result<String, LedgerError> {
        let ledger = self.ledger.clone();
        let put = move || ledger.bodies().put(canonical_json(&body).as_bytes());
        let stored = tokio::task::spawn_blocking(put).await;
        let hash = stored.map_err(|error| LedgerError::ReadsRefused(error.to_string()))??;
        Ok(hash.to_string())
    }

    /// The newest checkpoint's text: origin, size and root.
    pub(crate) fn checkpoint_text(&self) -> String {
        self.ledger.checkpoint().checkpoint().to_text()
    }
}
