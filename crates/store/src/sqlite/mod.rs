//! The store in SQLite: one file, one thread that writes, one that reads.
//!
//! Every method sends a closure to a thread, which runs it in one transaction. What only takes
//! authority away, or closes what has begun, may use reserved room when the disk is full; nothing
//! else may (see `reserve`). An answer comes after the commit is durable (WAL, `synchronous=FULL`).

mod acceptance;
mod authorities;
mod budgets;
mod columns;
mod connections;
mod failure;
mod freezes;
mod grants;
mod holds;
mod open;
mod people;
mod proposals;
mod reserve;
mod sealed;
mod worker;

#[cfg(test)]
mod tests;

use std::path::Path;

use rusqlite::Transaction;
use tagout_core::ids::ProposalId;
use tagout_core::proposal::{Acceptance, ProposalState};
use tagout_core::store::{StoreError, Stored};

use failure::Failure;
use worker::Worker;

/// Everything the engine keeps, in one SQLite file of mode 0600.
///
/// Dropping it waits until what was asked for is done and the file is closed. Dropping the future of
/// a method does not take back what it asked for.
pub struct SqliteStore {
    /// Absent in memory, where the writer's connection is the only one that sees the data. It is
    /// dropped first, so that the last connection to close is one that can clear the log away.
    reader: Option<Worker>,
    writer: Worker,
}

impl SqliteStore {
    /// Opens the database, creating or upgrading it as needed.
    ///
    /// # Errors
    /// [`StoreError::Database`] if it can't be opened, is another program's, was written by a newer
    /// version, or lies where write-ahead logging does not work.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = Worker::start("tagout-store-write", open::writer(path)?)?;
        let reader = Worker::start("tagout-store-read", open::reader(path)?)?;
        Ok(Self {
            writer,
            reader: Some(reader),
        })
    }

    /// A database that ends with this value, for tests.
    ///
    /// # Errors
    /// [`StoreError::Database`] if SQLite or a thread can't be started.
    pub fn in_memory() -> Result<Self, StoreError> {
        Ok(Self {
            writer: Worker::start("tagout-store", open::in_memory()?)?,
            reader: None,
        })
    }

    /// The signed answer to a proposal, and what the answer was; `None` while it is open.
    pub fn acceptance<'a>(
        &'a self,
        id: &'a ProposalId,
    ) -> Stored<'a, Option<(ProposalState, Acceptance)>> {
        let id = id.clone();
        self.read(move |tx| acceptance::of(tx, &id))
    }

    /// Something that adds, and so must leave the reserve alone.
    fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Stored<'_, T> {
        self.writer.ask(move |session| session.write(&work))
    }

    /// Something that only stops or closes, and so may use the reserve.
    fn stop<T: Send + 'static>(
        &self,
        work: impl Fn(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Stored<'_, T> {
        self.writer.ask(move |session| session.stop(&work))
    }

    /// Something that changes nothing.
    fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Stored<'_, T> {
        let worker = self.reader.as_ref().unwrap_or(&self.writer);
        worker.ask(move |session| session.read(&work))
    }
}
