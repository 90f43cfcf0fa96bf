//! A connection with its reserve: room that is kept so that things can be stopped on a full disk.
//!
//! The reserve has two parts, because a database can be full in two ways. A row in the database holds
//! pages that its deletion gives back to it (a limit on the database's size); a file beside it holds
//! disk that its deletion gives back to the write-ahead log (a full disk). Opening also leaves the log
//! as long as the row, so that the first writes after a checkpoint need no new disk. Between giving
//! the file up and using its room, another process can take it: on a disk shared with such a process
//! this is a good chance and no promise.
//!
//! While the reserve is used up, everything that adds is refused until it could be set up again.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::columns::run;
use super::failure::Failure;

/// The row's size in bytes.
const ROW_BYTES: usize = 256 * 1024;

/// The file's size in bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// A connection and what it keeps in reserve.
pub(crate) struct Session {
    connection: Connection,
    /// The file of the reserve; none in memory.
    file: Option<PathBuf>,
    stands: bool,
}

impl Session {
    /// A session that writes. A reserve that can't be set up does not keep the database from opening:
    /// stopping must work, and all else is refused meanwhile.
    pub(crate) fn writing(connection: Connection, file: Option<PathBuf>) -> Self {
        let mut session = Self::reading(connection);
        session.file = file;
        // Whatever keeps it from standing is met again, and told, by the first write.
        let _ = session.set_up();
        session
    }

    /// A session that only reads, and so has no reserve.
    pub(crate) const fn reading(connection: Connection) -> Self {
        Self {
            connection,
            file: None,
            stands: false,
        }
    }

    /// One transaction that adds something.
    pub(crate) fn write<T>(
        &mut self,
        work: impl Fn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if !self.stands {
            self.set_up()?;
        }
        self.transact(TransactionBehavior::Immediate, work)
    }

    /// One transaction that only stops or closes. If there is no room it is tried once more with the
    /// reserve given up.
    pub(crate) fn stop<T>(
        &mut self,
        work: impl Fn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match self.transact(TransactionBehavior::Immediate, &work) {
            Err(failure) if failure.is_full() => {
                self.give_up_file();
                self.transact(TransactionBehavior::Immediate, |tx| {
                    run(tx, "DELETE FROM reserve", &[])?;
                    work(tx)
                })
            }
            answer => answer,
        }
    }

    /// One transaction that changes nothing.
    pub(crate) fn read<T>(
        &mut self,
        work: impl Fn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.transact(TransactionBehavior::Deferred, work)
    }

    fn transact<T>(
        &mut self,
        behavior: TransactionBehavior,
        work: impl Fn(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let tx = self.connection.transaction_with_behavior(behavior)?;
        let answer = work(&tx)?;
        tx.commit()?;
        Ok(answer)
    }

    fn set_up(&mut self) -> Result<(), Failure> {
        if let Some(file) = &self.file {
            fill(file)?;
        }
        self.transact(TransactionBehavior::Immediate, set_up_row)?;
        // The log starts over and keeps its length. Readers may keep it from that; it only helps.
        let _ = self
            .connection
            .query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
        self.stands = true;
        Ok(())
    }

    fn give_up_file(&mut self) {
        self.stands = false;
        if let Some(file) = &self.file {
            // If it can't be removed the second try fails as the first did, and says so.
            let _ = fs::remove_file(file);
        }
    }

    #[cfg(test)]
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    #[cfg(test)]
    pub(crate) const fn reserve_stands(&self) -> bool {
        self.stands
    }
}

/// Puts the row in, or writes it anew so that the log has its length.
fn set_up_row(tx: &Transaction<'_>) -> Result<(), Failure> {
    let size = i64::try_from(ROW_BYTES).unwrap_or(i64::MAX);
    let sql = "INSERT OR REPLACE INTO reserve (id, room) VALUES (1, randomblob(?1))";
    run(tx, sql, &[&size])?;
    Ok(())
}

/// Fills the file with bytes that no file system can store in less room.
fn fill(path: &Path) -> Result<(), Failure> {
    if fs::metadata(path).is_ok_and(|file| file.len() == FILE_BYTES) {
        return Ok(());
    }
    write_noise(path).map_err(|cause| {
        // A half-filled file would take room and give none when it is needed.
        let _ = fs::remove_file(path);
        Failure::File {
            path: path.display().to_string().escape_debug().to_string(),
            cause: cause.to_string(),
        }
    })
}

fn write_noise(path: &Path) -> std::io::Result<()> {
    let mut noise = Vec::new();
    File::open("/dev/urandom")?
        .take(FILE_BYTES)
        .read_to_end(&mut noise)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&noise)?;
    file.sync_all()
}
