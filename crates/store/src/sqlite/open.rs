//! Opening: the file's mode, the connection's settings, and the migrations.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::failure::Failure;
use super::reserve::Session;

/// How long to wait for another process that has the database locked.
const BUSY_MS: u64 = 5_000;

/// `tago`, so that another program's database is not taken for ours.
const APPLICATION_ID: i64 = 0x7461_676f;

/// Each step from one format to the next; the format is how many have been made (`user_version`).
const MIGRATIONS: [&str; 2] = [
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_booked_below.sql"),
];

/// A connection that may write, migrated. On a full disk the file of the reserve is given up, because
/// SQLite needs room for the files beside the database.
pub(crate) fn writer(path: &Path) -> Result<Session, Failure> {
    let reserve = reserve_path(path);
    let connection = match connect(path) {
        Err(failure) if failure.is_full() && fs::remove_file(&reserve).is_ok() => connect(path)?,
        answer => answer?,
    };
    Ok(Session::writing(connection, Some(reserve)))
}

fn connect(path: &Path) -> Result<Connection, Failure> {
    make_private(path).map_err(|cause| file_failure(path, &cause))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    settle_in(&connection)?;
    check_format(&connection)?;
    use_wal(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// A second connection, which can't write. Open the writer first.
pub(crate) fn reader(path: &Path) -> Result<Session, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    settle_in(&connection)?;
    Ok(Session::reading(connection))
}

/// A database without a file.
pub(crate) fn in_memory() -> Result<Session, Failure> {
    let mut connection = Connection::open_in_memory()?;
    settle_in(&connection)?;
    migrate(&mut connection)?;
    Ok(Session::writing(connection, None))
}

/// Creates the file with mode 0600, or takes other people's rights to it away. SQLite gives the log
/// and the index beside it the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))
}

fn file_failure(path: &Path, cause: &std::io::Error) -> Failure {
    Failure::File {
        path: path.display().to_string().escape_debug().to_string(),
        cause: cause.to_string(),
    }
}

/// The file of the reserve: the database's name with `-reserve`, as SQLite does with `-wal`.
pub(crate) fn reserve_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push("-reserve");
    name.into()
}

fn settle_in(connection: &Connection) -> Result<(), Failure> {
    connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA synchronous = FULL;
         PRAGMA trusted_schema = OFF;
         PRAGMA temp_store = MEMORY;",
    )?;
    Ok(())
}

fn use_wal(connection: &Connection) -> Result<(), Failure> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    match mode.as_str() {
        "wal" => Ok(()),
        _ => Err(Failure::NoWal(mode)),
    }
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, Failure> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

/// Refuses another program's file and a newer format, before anything is changed.
fn check_format(connection: &Connection) -> Result<(), Failure> {
    let found = pragma(connection, "user_version")?;
    let application = pragma(connection, "application_id")?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(Failure::Foreign);
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(Failure::Newer { found, known });
    }
    Ok(())
}

/// Makes the steps that are missing, each in a transaction of its own.
fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    for (step, sql) in (1_i64..).zip(MIGRATIONS) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if pragma(&tx, "user_version")? < step {
            make_step(&tx, step, sql)?;
        }
        tx.commit()?;
    }
    Ok(())
}

fn make_step(tx: &Transaction<'_>, step: i64, sql: &str) -> Result<(), Failure> {
    tx.execute_batch(sql)?;
    tx.pragma_update(None, "user_version", step)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(())
}
