//! No room: what adds is refused, what stops still works.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::store::{Authorities as _, Booked, Budgets as _, Holds as _, Purse, StoreError};
use tagout_core::store::{Sealed as _, Store};

use crate::SqliteStore;
use crate::conformance::fixtures::{
    approved, authenticator_id, connection_id, destroy, freeze, grant_id, hold, hold_id, populate,
};

/// Tells the re-executed test where its small disk is.
const SMALL_DISK: &str = "TAGOUT_STORE_SMALL_DISK";

/// The database may not grow beyond what it has; `None` lifts that.
async fn limit_pages(store: &SqliteStore, pages: Option<u32>) {
    let pages = pages.unwrap_or(u32::MAX - 1);
    let limited = store.writer.ask(move |session| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        Ok(session.connection().query_row(&sql, [], |_| Ok(()))?)
    });
    limited.await.unwrap();
}

async fn reserve_stands(store: &SqliteStore) -> bool {
    let asked = store.writer.ask(|session| Ok(session.reserve_stands()));
    asked.await.unwrap()
}

fn is_database_error<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Database(_)))
}

/// Adds until nothing more can be added.
async fn fill_up(store: &SqliteStore) {
    for size in [100_000, 4_000, 100] {
        for number in 0..100_000 {
            let kept = store.keep(&format!("{size}/{number}"), vec![7; size]).await;
            if is_database_error(&kept) {
                break;
            }
        }
    }
}

/// Two approved holds, one that runs, and a passkey that signed once.
async fn prepare(store: &SqliteStore) {
    populate(store).await;
    for number in 1..=3 {
        approved(store, number).await;
    }
    let (id, from) = (hold_id(3), HoldState::Approved);
    store
        .step(&id, from, HoldEvent::Execute, None)
        .await
        .unwrap();
}

async fn stopping_works(store: &impl Store) {
    store
        .note_sign_count(&authenticator_id(0), 1)
        .await
        .unwrap();
    let (id, from) = (hold_id(3), HoldState::Executing);
    let outcome = Some("1 gone".to_owned());
    store
        .step(&id, from, HoldEvent::Succeed, outcome)
        .await
        .unwrap();
    assert_eq!(store.freeze(freeze(0)).await, Ok(freeze(0)));
    assert_eq!(
        store.revoke_grant(&grant_id(0)).await,
        Ok(vec![grant_id(0)])
    );
    let connection = connection_id(0);
    assert_eq!(
        store
            .revoke_connection(&connection)
            .await
            .map(|ended| ended.len()),
        Ok(1)
    );
    let withdrawn = store.withdraw_of(&connection, None).await.unwrap();
    assert_eq!(withdrawn.len(), 2);
}

fn booked() -> Booked {
    Booked {
        spent: [(Purse::Grant(grant_id(5)), destroy(1))].into(),
        below: 1,
    }
}

async fn adding_is_refused(store: &impl Store) {
    assert!(is_database_error(&store.book(0, booked()).await));
    assert!(is_database_error(
        &store.open_hold(hold(9, &[(1, 0)]), 99).await
    ));
    assert!(is_database_error(&store.keep("more", vec![1; 5_000]).await));
}

async fn stopped_for_good(store: &impl Store) {
    let authority = store.authority().await.unwrap();
    assert_eq!(authority.frozen, Some(freeze(0)));
    assert_eq!(
        (authority.connections.len(), authority.grants.len()),
        (0, 0)
    );
    let holds = store.list_holds(9).await.unwrap();
    assert!(holds.iter().all(|hold| hold.state.is_final()));
}

#[tokio::test]
async fn a_full_database_can_still_be_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    prepare(&store).await;
    limit_pages(&store, Some(1)).await;
    fill_up(&store).await;
    assert!(reserve_stands(&store).await);
    stopping_works(&store).await;
    stopped_for_good(&store).await;
    limit_pages(&store, None).await;
    store.keep("more", vec![1; 5_000]).await.unwrap();
    assert!(reserve_stands(&store).await);
}

#[tokio::test]
async fn the_reserve_is_given_up_only_to_stop() {
    let store = SqliteStore::in_memory().unwrap();
    prepare(&store).await;
    limit_pages(&store, Some(1)).await;
    fill_up(&store).await;
    assert!(reserve_stands(&store).await, "adding does not touch it");
    // Longer than the page that the row is on.
    let long = Some("x".repeat(50_000));
    let (id, from) = (hold_id(1), HoldState::Approved);
    store
        .step(&id, from, HoldEvent::Withdraw, long)
        .await
        .unwrap();
    assert!(!reserve_stands(&store).await);
    adding_is_refused(&store).await;
    let freeze = store.freeze(freeze(0)).await;
    assert!(
        freeze.is_ok(),
        "the rest of the reserve is still for stopping"
    );
    limit_pages(&store, None).await;
    store.book(0, booked()).await.unwrap();
    assert!(
        reserve_stands(&store).await,
        "set up again as soon as there is room"
    );
}

/// Re-executes the next test on a disk of its own of 6 MiB, where user namespaces can be had.
#[test]
fn a_full_disk_can_still_be_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let possible = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "none"])
        .arg(directory.path())
        .output();
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("not run: no disk of our own without `unshare -rm mount -t tmpfs`");
        return;
    }
    let script = "mount -t tmpfs -o size=6m none \"$TAGOUT_STORE_SMALL_DISK\" && exec \"$0\" \
                  --exact sqlite::tests::full_disk::on_a_small_disk --ignored --nocapture";
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(SMALL_DISK, directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{said}"
    );
}

/// Takes all the room that is left, and keeps taking it while the file lives.
fn take_all_room(path: &Path) {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    for size in [65_536, 1] {
        let bytes = vec![7; size];
        while file.write(&bytes).is_ok_and(|written| written > 0) {}
    }
}

#[tokio::test]
#[ignore = "needs a small disk; `a_full_disk_can_still_be_stopped` runs it on one"]
async fn on_a_small_disk() {
    let disk = std::env::var_os(SMALL_DISK).expect("a small disk");
    let (path, filler) = (
        Path::new(&disk).join("store.db"),
        Path::new(&disk).join("filler"),
    );
    let store = SqliteStore::open(&path).unwrap();
    prepare(&store).await;
    take_all_room(&filler);
    fill_up(&store).await;
    take_all_room(&filler);
    stopping_works(&store).await;
    adding_is_refused(&store).await;
    stopped_for_good(&store).await;
    fs::remove_file(&filler).unwrap();
    store.keep("more", vec![1; 5_000]).await.unwrap();
    assert!(
        reserve_stands(&store).await,
        "set up again as soon as there is room"
    );

    drop(store);
    take_all_room(&filler);
    let store = SqliteStore::open(&path).unwrap();
    stopped_for_good(&store).await;
    store
        .note_sign_count(&authenticator_id(0), 2)
        .await
        .unwrap();
    take_all_room(&filler);
    // The log may still have room of its own, but not for this.
    let kept = store.keep("more", vec![1; 4_000_000]).await;
    assert!(is_database_error(&kept));
}
