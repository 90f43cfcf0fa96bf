//! A statement's whole life on a real server: read, written, held, approved, and passed once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use tagout_stage::{PostgresConfig, Setting};
use tagout_tests::{DatabaseScene, rights, said};

const TABLE: &str = "CREATE TABLE bookings (id int PRIMARY KEY, guest text);
    INSERT INTO bookings SELECT n, 'guest ' || n FROM generate_series(1, 500) n";

#[test]
fn reads_pass_small_writes_pass_and_a_large_delete_waits_for_a_person() {
    let mut scene = DatabaseScene::open("production").unwrap();
    scene.direct(TABLE).unwrap();
    let rights = rights(&["write", "destroy"], &["*:*"], &["production"]);
    let agent = scene.agent(Some(&rights)).unwrap();

    let read = scene
        .psql(&agent, &["SELECT count(*) FROM bookings"])
        .unwrap();
    assert_eq!((read.out.as_str(), read.ok), ("500", true), "{read:?}");

    let wrote = scene
        .psql(&agent, &["UPDATE bookings SET guest = 'x' WHERE id <= 5"])
        .unwrap();
    assert!(wrote.ok, "{wrote:?}");
    assert_eq!(
        scene
            .direct("SELECT count(*) FROM bookings WHERE guest = 'x'")
            .unwrap(),
        "5"
    );

    let delete = "DELETE FROM bookings WHERE id > 20";
    let held = scene.psql(&agent, &[delete]).unwrap();
    assert!(!held.ok && held.err.contains("HELD by tagout"), "{held:?}");
    assert_eq!(
        scene.direct("SELECT count(*) FROM bookings").unwrap(),
        "500"
    );

    scene.person.approve(&held.hold().unwrap()).unwrap();
    let passed = scene.psql(&agent, &[delete]).unwrap();
    assert!(passed.ok, "{passed:?}");
    assert_eq!(scene.direct("SELECT count(*) FROM bookings").unwrap(), "20");

    let ledger = scene.sound_ledger().unwrap();
    let has = |kind: &str| ledger.iter().any(|entry| entry["type"] == kind);
    assert!(
        has("held") && has("intent") && has("outcome"),
        "{ledger:#?}"
    );
    scene
        .credentials_are_nowhere(&[&read, &wrote, &held, &passed])
        .unwrap();
}

#[test]
fn a_transaction_is_one_card_and_passes_once_as_a_whole() {
    let mut scene = DatabaseScene::open("production").unwrap();
    scene.direct(TABLE).unwrap();
    let rights = rights(&["write", "destroy"], &["*:*"], &["production"]);
    let agent = scene.agent(Some(&rights)).unwrap();
    let before = scene
        .direct("SELECT md5(string_agg(b::text, '' ORDER BY id)) FROM bookings b")
        .unwrap();
    let whole = [
        "BEGIN",
        "INSERT INTO bookings VALUES (1000, 'new')",
        "DELETE FROM bookings WHERE id <= 400",
        "UPDATE bookings SET guest = 'late' WHERE id = 500",
        "COMMIT",
    ];

    let held = scene.psql(&agent, &whole).unwrap();
    assert!(held.err.contains("HELD by tagout"), "{held:?}");
    let again = scene.psql(&agent, &whole).unwrap();
    assert_eq!(again.hold(), held.hold(), "{again:?}");
    let after = scene
        .direct("SELECT md5(string_agg(b::text, '' ORDER BY id)) FROM bookings b")
        .unwrap();
    assert_eq!(after, before);
    assert_eq!(open_locks(&scene), "0");

    scene.person.approve(&held.hold().unwrap()).unwrap();
    let mut other = whole;
    other[1] = "INSERT INTO bookings VALUES (1001, 'another')";
    let another = scene.psql(&agent, &other).unwrap();
    assert!(another.err.contains("HELD by tagout"), "{another:?}");
    assert_ne!(another.hold(), held.hold());

    let passed = scene.psql(&agent, &whole).unwrap();
    assert!(passed.ok, "{passed:?}");
    let rows = scene
        .direct("SELECT count(*), max(id), max(guest) FILTER (WHERE id = 500) FROM bookings")
        .unwrap();
    assert_eq!(rows, "101|1000|late");
    let once_more = scene.psql(&agent, &whole).unwrap();
    assert!(!once_more.ok, "{once_more:?}");
}

#[test]
fn a_person_can_answer_while_the_client_waits() {
    let setting = Setting {
        wait_on_wire_ms: 20_000,
        ..Setting::default()
    };
    let mut scene =
        DatabaseScene::open_with("production", setting, &PostgresConfig::default()).unwrap();
    scene.direct(TABLE).unwrap();
    let rights = rights(&["write", "destroy"], &["*:*"], &["production"]);
    let agent = scene.agent(Some(&rights)).unwrap();
    let mut command = scene.program(&agent, "psql", "shop");
    command.args([
        "-X",
        "-A",
        "-t",
        "-c",
        "DELETE FROM bookings WHERE id > 100",
    ]);
    let waiting = std::thread::spawn(move || said(command));

    let hold = scene.first_hold().unwrap();
    // The hold is there a moment before the rollback; nothing is locked while a person thinks.
    wait_until(|| open_locks(&scene) == "0");
    scene.person.approve(&hold).unwrap();
    let passed = waiting.join().unwrap().unwrap();
    assert!(passed.ok && passed.out.contains("DELETE 400"), "{passed:?}");
    assert!(passed.err.contains("Waiting for a person"), "{passed:?}");
    assert_eq!(
        scene.direct("SELECT count(*) FROM bookings").unwrap(),
        "100"
    );
}

#[test]
fn a_freeze_undoes_what_is_open_within_a_second() {
    let mut scene = DatabaseScene::open("development").unwrap();
    scene.direct(TABLE).unwrap();
    let agent = scene.agent(None).unwrap();
    let mut command = scene.program(&agent, "psql", "shop");
    let script = "BEGIN; UPDATE bookings SET guest = 'open'; SELECT pg_sleep(30); COMMIT";
    command.args(["-X", "-c", script]);
    let running = std::thread::spawn(move || said(command));
    wait_until(|| open_locks(&scene) != "0");

    let began = std::time::Instant::now();
    scene.gateway.says(&["freeze", "test"]).unwrap();
    wait_until(|| open_locks(&scene) == "0");
    assert!(began.elapsed().as_millis() < 1_500, "{:?}", began.elapsed());
    let stopped = running.join().unwrap().unwrap();
    assert!(
        !stopped.ok && stopped.err.contains("FROZEN by tagout"),
        "{stopped:?}"
    );
    assert_eq!(
        scene
            .direct("SELECT count(*) FROM bookings WHERE guest = 'open'")
            .unwrap(),
        "0"
    );
    let refused = scene.psql(&agent, &["SELECT 1"]).unwrap();
    assert!(refused.err.contains("FROZEN by tagout"), "{refused:?}");
}

/// Locks on tables of users that transactions own.
fn open_locks(scene: &DatabaseScene) -> String {
    scene
        .server
        .psql("SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND relation >= 16384 AND mode <> 'AccessShareLock'")
        .unwrap()
        .trim()
        .to_owned()
}

fn wait_until(there: impl Fn() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !there() {
        assert!(std::time::Instant::now() < until, "it does not happen");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_mode_that_is_tightened_holds_for_sessions_that_are_open() {
    let mut scene = DatabaseScene::open("production").unwrap();
    scene.direct(TABLE).unwrap();
    scene.register("shop", "shop", "observe").unwrap();
    let rights = rights(&["write", "destroy"], &["*:*"], &["production"]);
    let agent = scene.agent(Some(&rights)).unwrap();
    let marker = scene.gateway.folder().join("tightened");
    let mut command = scene.program(&agent, "psql", "shop");
    let wait = format!(
        "\\! while [ ! -e '{}' ]; do sleep 0.05; done",
        marker.display()
    );
    command.args(["-X", "-A", "-t", "-q"]);
    for statement in ["SELECT 'open'", &wait, "DELETE FROM bookings"] {
        command.args(["-c", statement]);
    }
    let running = std::thread::spawn(move || said(command));
    wait_until(|| {
        let sessions =
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state = 'idle'";
        scene.server.psql(sessions).unwrap().trim() != "0"
    });
    scene.register("shop", "shop", "guard").unwrap();
    std::fs::write(&marker, "").unwrap();
    let heard = running.join().unwrap().unwrap();
    assert!(!heard.ok && heard.err.contains("by tagout"), "{heard:?}");
    assert_eq!(
        scene.direct("SELECT count(*) FROM bookings").unwrap(),
        "500"
    );
}
