//! The shared handle: the world, the request log and the faults to inject.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::canonical;
use super::delete_mode::DeleteMode;
use super::world::{World, json};
use crate::error::Refusal;
use crate::faults::{Fault, FaultQueue};
use crate::record::Record;
use crate::seed;

/// The state of one stand-in. Clones share it.
#[derive(Clone, Debug)]
pub struct State(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    token: String,
    delete_mode: DeleteMode,
    world: Mutex<Arc<World>>,
    records: Mutex<Vec<Record>>,
    faults: Mutex<FaultQueue>,
}

impl State {
    /// The seeded world with [`seed::ACCOUNT_TOKEN`] and immediate deletes.
    #[must_use]
    pub fn seeded() -> Self {
        Self::seeded_with(seed::ACCOUNT_TOKEN, DeleteMode::Immediate)
    }

    /// The seeded world whose account token is `token` and whose deletes follow `delete_mode`.
    #[must_use]
    pub fn seeded_with(token: &str, delete_mode: DeleteMode) -> Self {
        Self(Arc::new(Shared {
            token: token.to_owned(),
            delete_mode,
            world: Mutex::new(Arc::new(seed::world(token, delete_mode))),
            records: Mutex::default(),
            faults: Mutex::default(),
        }))
    }

    /// How this stand-in treats the delete of a volume.
    #[must_use]
    pub fn delete_mode(&self) -> DeleteMode {
        self.0.delete_mode
    }

    /// The whole state as canonical JSON (sorted keys, no spaces), secrets included.
    #[must_use]
    pub fn inventory(&self) -> String {
        canonical::canonical(json(&*self.world()))
    }

    /// Lower-case hexadecimal SHA-256 of [`State::inventory`]. It changes exactly when an operation
    /// changed something.
    #[must_use]
    pub fn digest(&self) -> String {
        canonical::digest(json(&*self.world()))
    }

    /// The rows of one table, for example `volumeInstances`, by id; null if there is no such table.
    #[must_use]
    pub fn table(&self, name: &str) -> Value {
        json(&*self.world()).get(name).cloned().unwrap_or_default()
    }

    /// Everything received so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Record> {
        lock(&self.0.records).clone()
    }

    /// Queues a fault for requests to come.
    pub fn inject(&self, fault: Fault) {
        lock(&self.0.faults).push(fault);
    }

    /// Back to the seed: no changes, no log, no faults.
    pub fn reset(&self) {
        *lock(&self.0.world) = Arc::new(seed::world(&self.0.token, self.0.delete_mode));
        lock(&self.0.records).clear();
        *lock(&self.0.faults) = FaultQueue::default();
    }

    pub(crate) fn world(&self) -> Arc<World> {
        Arc::clone(&lock(&self.0.world))
    }

    /// Runs an operation on a copy; the copy becomes the world if it succeeded and differs. The
    /// record is written before anybody else can change the world, so the log has their order.
    pub(crate) fn transact<T>(
        &self,
        operation: impl FnOnce(&mut World) -> Result<T, Refusal>,
        record: impl FnOnce(bool, Option<&Refusal>) -> Record,
    ) -> Result<T, Refusal> {
        let mut current = lock(&self.0.world);
        let mut next = World::clone(&current);
        let answer = operation(&mut next);
        let changed = answer.is_ok() && next != **current;
        if changed {
            *current = Arc::new(next);
        }
        self.record(record(changed, answer.as_ref().err()));
        drop(current);
        answer
    }

    pub(crate) fn record(&self, record: Record) {
        let mut records = lock(&self.0.records);
        let seq = records.len() as u64 + 1;
        records.push(Record {
            seq,
            at_unix_ms: unix_ms(),
            ..record
        });
    }

    pub(crate) fn next_fault(&self, root_fields: &[String]) -> Option<Fault> {
        lock(&self.0.faults).take(root_fields)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
