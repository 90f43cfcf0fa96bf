//! Writing the record. Nothing here decides; it only sees to it that what must be durable is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::json;
use tagout_core::canonical::canonical_json;
use tagout_core::digest::OperationDigest;
use tagout_core::ids::{OperationId, UpstreamName};
use tagout_core::permit::{Permit, QueuedRead, Recorded};
use tagout_core::time::Clock;
use tagout_ledger::{Append, BodyHash, Class, Ledger, LedgerError, ReadQueue, Salt};

use crate::judge::Judged;
use crate::leaf::Leaf;

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

/// An operation's text as it lies beside the log: salted, so that its name betrays nothing.
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// The text of an operation with a new salt.
    pub(crate) fn of(shown: &str) -> Result<Self, LedgerError> {
        let salt = hex::encode(Salt::random()?.as_bytes());
        let body = canonical_json(&json!({"salt": salt, "shown": shown}));
        Ok(Self(body.into_bytes()))
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        BodyHash::of(&self.0).to_string()
    }
}

/// One read. Its members stand in their canonical order, so that writing it down takes no sorting.
#[derive(Serialize)]
struct ReadRecord<'a> {
    effects: Vec<String>,
    op: &'a OperationId,
    operation: OperationDigest,
    upstream: &'a UpstreamName,
}

impl ReadRecord<'_> {
    fn bytes(&self) -> Vec<u8> {
        // Plain text members only: there is nothing that could not be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
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

    /// Makes an intent durable together with its text, and so turns a permit into one that executors take.
    pub(crate) async fn intent(
        &self,
        permit: Permit,
        leaf: &Leaf,
        text: Text,
    ) -> Result<(Recorded<Permit>, Open), LedgerError> {
        let open = self.begin();
        let bytes = leaf.bytes(self.clock.now());
        let recorded = self.ledger.record_intent(permit, bytes, Some(text.0));
        match recorded.await {
            Ok(recorded) => Ok((recorded, open)),
            Err(error) => {
                self.end(&open);
                Err(error)
            }
        }
    }

    fn begin(&self) -> Open {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let not_above = self.ledger.durable_size();
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
        first.unwrap_or_else(|| self.ledger.durable_size())
    }

    /// The newest checkpoint as a signed note.
    pub(crate) fn checkpoint_note(&self) -> String {
        self.ledger.checkpoint().note().to_owned()
    }

    /// Queues a read for its group.
    pub(crate) fn read(&self, permit: Permit, judged: &Judged) -> Result<QueuedRead, LedgerError> {
        let effects = judged.questions.iter();
        let record = ReadRecord {
            effects: effects.map(|asked| asked.resource.to_string()).collect(),
            op: permit.operation_id(),
            operation: judged.digest,
            upstream: &judged.upstream.name,
        };
        let record = record.bytes();
        self.reads.admit(permit, judged.standing.asker(), record)
    }

    /// Makes something durable that nobody waits for: it goes with whatever is next.
    pub(crate) fn note_soon(&self, leaf: &Leaf) -> Append {
        let bytes = leaf.bytes(self.clock.now());
        self.ledger.append_soon(Class::Refusal, bytes)
    }

    /// Makes anything else durable: refusals, outcomes, what people do. Uses the reserved room.
    pub(crate) async fn note(&self, leaf: &Leaf) -> Result<u64, LedgerError> {
        Ok(self.note_at_once(leaf).await?.index)
    }

    /// The same, in its place in the ledger already when this returns.
    pub(crate) fn note_at_once(&self, leaf: &Leaf) -> Append {
        let bytes = leaf.bytes(self.clock.now());
        self.ledger.append(Class::Refusal, bytes)
    }

    /// Makes something that widens authority durable before it takes effect: no reserved room for it.
    pub(crate) async fn widening(&self, leaf: &Leaf) -> Result<u64, LedgerError> {
        let bytes = leaf.bytes(self.clock.now());
        Ok(self.ledger.append(Class::Effect, bytes).await?.index)
    }

    /// Puts an operation's text beside the log and gives its name.
    pub(crate) async fn body(&self, shown: &str) -> Result<String, LedgerError> {
        self.put(Text::of(shown)?.0).await
    }

    /// Puts signed documents beside the log. Each carries its hold's random id, which is salt enough.
    pub(crate) async fn documents(&self, texts: &[String]) -> Result<String, LedgerError> {
        let body = canonical_json(&json!({"documents": texts}));
        self.put(body.into_bytes()).await
    }

    async fn put(&self, body: Vec<u8>) -> Result<String, LedgerError> {
        let hash = self.ledger.put_body(body).await?;
        Ok(hash.to_string())
    }

    /// The newest checkpoint's text: origin, size and root.
    pub(crate) fn checkpoint_text(&self) -> String {
        self.ledger.checkpoint().checkpoint().to_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_of_a_read_is_canonical() {
        let record = ReadRecord {
            effects: vec!["project:a\"\u{1}é".to_owned(), "volume:*".to_owned()],
            op: &OperationId::from_bits([1; 16]),
            operation: OperationDigest::of(b"x"),
            upstream: &"railway".parse().unwrap(),
        };
        let value = serde_json::to_value(&record).unwrap();
        assert_eq!(record.bytes(), canonical_json(&value).into_bytes());
    }
}
