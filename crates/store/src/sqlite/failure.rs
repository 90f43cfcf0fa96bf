//! What can go wrong inside a transaction, before it becomes a [`StoreError`].

use rusqlite::ErrorCode;
use tagout_core::hold::IllegalStep;
use tagout_core::store::StoreError;

/// Why a transaction was rolled back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The request breaks an invariant; the database is well.
    #[error(transparent)]
    Refused(#[from] StoreError),
    /// SQLite said no.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A column does not hold what was written there.
    #[error("column `{column}` can't be read: {cause}; restore a backup")]
    Column {
        /// Which.
        column: &'static str,
        /// Why.
        cause: String,
    },
    /// A value has no canonical form.
    #[error("a value can't be written: {0}")]
    Value(#[from] serde_json::Error),
    /// A file beside or of the database.
    #[error("the file `{path}`: {cause}")]
    File {
        /// Which, escaped.
        path: String,
        /// Why.
        cause: String,
    },
    /// The file is another program's.
    #[error("the file is a database of another program; give tagout a file of its own")]
    Foreign,
    /// The file was written by a later version of this program.
    #[error(
        "it has format {found} and this tagout knows formats up to {known}; use the newer tagout \
         or restore a backup of before the upgrade"
    )]
    Newer {
        /// The format found.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// The file system can't do write-ahead logging.
    #[error("the journal mode is `{0}` instead of `wal`; put the database on a local disk")]
    NoWal(String),
}

impl Failure {
    /// Whether room is what was missing. An IO error counts, because running out of room while a
    /// file is extended shows as one.
    pub(crate) fn is_full(&self) -> bool {
        let full = [ErrorCode::DiskFull, ErrorCode::SystemIoFailure];
        matches!(self, Self::Sqlite(cause)
            if cause.sqlite_error_code().is_some_and(|code| full.contains(&code)))
    }
}

impl From<IllegalStep> for Failure {
    fn from(step: IllegalStep) -> Self {
        Self::Refused(step.into())
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refused) => refused,
            other => Self::Database(other.to_string()),
        }
    }
}
