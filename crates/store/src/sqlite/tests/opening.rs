//! Files: their modes, formats, and what is in them after closing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rusqlite::Connection;
use tagout_core::proposal::ProposalState;
use tagout_core::store::{Authorities as _, Booked, Budgets as _, Holds as _, Purse, Sealed as _};

use crate::SqliteStore;
use crate::conformance::fixtures::{
    NOW, acceptance, approved, connection_id, destroy, freeze, populate, proposal_id,
};
use crate::sqlite::open::reserve_path;

fn refusal(path: &Path) -> String {
    match SqliteStore::open(path) {
        Ok(_) => "opened".to_owned(),
        Err(cause) => cause.to_string(),
    }
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let booked = Booked {
        spent: [(Purse::Connection(connection_id(0)), destroy(2))].into(),
        below: 7,
    };
    let (hold, authority) = {
        let store = SqliteStore::open(&path).unwrap();
        populate(&store).await;
        let hold = approved(&store, 1).await;
        store.freeze(freeze(0)).await.unwrap();
        store.book(0, booked.clone()).await.unwrap();
        store.keep("ca", vec![1, 2]).await.unwrap();
        (hold, store.authority().await.unwrap())
    };
    assert!(
        !path.with_extension("db-wal").exists(),
        "closing clears the log away"
    );
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.hold(&hold.id).await, Ok(hold));
    assert_eq!(store.authority().await, Ok(authority));
    assert_eq!(store.booked().await, Ok(booked));
    assert_eq!(store.sealed("ca").await, Ok(Some(vec![1, 2])));
}

#[tokio::test]
async fn signed_answers_are_kept_with_what_they_brought() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    populate(&store).await;
    let kept = store.acceptance(&proposal_id(1_000)).await;
    assert_eq!(kept, Ok(Some((ProposalState::Accepted, acceptance(NOW)))));
    assert_eq!(store.acceptance(&proposal_id(9)).await, Ok(None));
    drop(store);
    let sql = "SELECT acceptances.challenge FROM connections \
               JOIN acceptances USING (proposal) WHERE connections.id = ?1";
    let database = Connection::open(&path).unwrap();
    let id = connection_id(0);
    let challenge: String = database
        .query_row(sql, [id.as_str()], |row| row.get(0))
        .unwrap();
    assert_eq!(challenge, acceptance(NOW).challenge);
}

#[test]
fn nobody_else_may_read_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let files: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(files.len(), 4, "database, log, index, reserve");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
    drop(store);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    drop(SqliteStore::open(&path).unwrap());
    let database = Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let before = fs::read(&path).unwrap();
    let refused = refusal(&path);
    assert!(
        refused.contains("format 99") && refused.contains("newer tagout"),
        "{refused}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn files_of_others_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("other.db");
    let database = Connection::open(&other).unwrap();
    database.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(database);
    assert!(refusal(&other).contains("another program"));
    let text = directory.path().join("notes.txt");
    fs::write(&text, "x".repeat(4096)).unwrap();
    assert!(
        refusal(&text).contains("not a database"),
        "{}",
        refusal(&text)
    );
    assert!(refusal(&directory.path().join("no/such/folder.db")).contains("No such file"));
}

#[test]
fn the_reserve_is_beside_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let _store = SqliteStore::open(&path).unwrap();
    let reserve = fs::metadata(reserve_path(&path)).unwrap();
    assert_eq!(reserve.len(), 1024 * 1024);
    let log = fs::metadata(path.with_extension("db-wal")).unwrap();
    assert!(log.len() >= 256 * 1024, "the log has room of its own");
}

#[tokio::test]
async fn a_second_process_sees_and_adds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let first = SqliteStore::open(&path).unwrap();
    let second = SqliteStore::open(&path).unwrap();
    populate(&first).await;
    approved(&second, 1).await;
    assert_eq!(first.list_holds(0).await.unwrap().len(), 1);
    assert_eq!(first.authority().await, second.authority().await);
}
