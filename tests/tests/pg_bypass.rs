//! Ways to destroy while looking harmless. Each is tried three times on a real server: past the gateway, to show
//! that it bites; by an agent that may only read in production, where nothing may change and the agent is told;
//! and by one with rights in development, where nothing may change without an intent in the ledger.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "bypass/rows.rs"]
mod rows;

use tagout_tests::spoken::{Heard, Say, Spoken};
use tagout_tests::{APP_PASSWORD, APP_ROLE, DatabaseAgent, DatabaseScene, rights};

use rows::{ROWS, SETUP};

/// A row of the table.
struct Row {
    name: &'static str,
    /// What is said, each of these after the answer to the one before.
    says: &'static [&'static [Say]],
    /// Whether it changes something past the gateway, as the role that the gateway signs in as.
    bites: bool,
}

/// Everything that an attack could have changed, in one line.
fn state(scene: &DatabaseScene) -> String {
    let rows = "SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.query_to_xml(pg_catalog.format( \
        'SELECT * FROM %I.%I t ORDER BY t::text', schemaname, tablename), true, false, '')::text, '' \
        ORDER BY schemaname, tablename)) FROM pg_catalog.pg_tables \
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname !~ '^pg_temp'";
    let rest = "SELECT (SELECT pg_catalog.md5(pg_catalog.string_agg(a::text, '' ORDER BY a.rolname)) FROM pg_catalog.pg_authid a), \
        (SELECT pg_catalog.md5(pg_catalog.string_agg(p.oid || p.prosrc, '' ORDER BY p.oid)) FROM pg_catalog.pg_proc p), \
        (SELECT pg_catalog.string_agg(s.schemaname || s.sequencename || coalesce(s.last_value, 0), ',') FROM pg_catalog.pg_sequences s), \
        (SELECT pg_catalog.md5(pg_catalog.string_agg(l::text, '' ORDER BY l.loid, l.pageno)) FROM pg_catalog.pg_largeobject l), \
        (SELECT pg_catalog.count(*) FROM pg_catalog.pg_db_role_setting), \
        (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_xacts), \
        (SELECT pg_catalog.string_agg(d.datname, ',' ORDER BY d.datname) FROM pg_catalog.pg_database d), \
        (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c WHERE c.relpersistence <> 't' AND c.oid >= 16384)";
    let read = |sql| scene.server.psql_in("shop", sql).unwrap();
    format!("{}|{}", read(rows), read(rest))
}

/// Sets everything back to how each row begins.
fn set_up(scene: &DatabaseScene) {
    let clean = "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata";
    scene.server.psql_in("shop", clean).unwrap();
    let owner =
        format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION {APP_ROLE}");
    scene.server.psql_in("shop", &owner).unwrap();
    scene.direct(SETUP).unwrap();
}

/// Says it all in one session, and hangs up.
fn attack(mut session: Spoken, row: &Row) -> Vec<Heard> {
    row.says
        .iter()
        .map(|messages| session.say(messages).unwrap())
        .collect()
}

fn as_agent(scene: &DatabaseScene, agent: &DatabaseAgent) -> Spoken {
    let port = scene.gateway.postgres_port();
    Spoken::open(port, &agent.connection, &agent.token, "shop").unwrap()
}

fn intents(scene: &DatabaseScene) -> usize {
    let ledger = scene.gateway.ledger().unwrap();
    ledger
        .iter()
        .filter(|entry| entry["type"] == "intent")
        .count()
}

/// Rows to try: all of them, or those whose name has `TAGOUT_TEST_ROW` in it.
fn chosen() -> impl Iterator<Item = &'static Row> {
    let only = std::env::var("TAGOUT_TEST_ROW").unwrap_or_default();
    ROWS.iter().filter(move |row| row.name.contains(&only))
}

#[test]
fn past_the_gateway_each_attack_bites() {
    let scene = DatabaseScene::open("production").unwrap();
    let mut wrong = Vec::new();
    for row in chosen() {
        set_up(&scene);
        let before = state(&scene);
        let session = Spoken::open(scene.server.port, APP_ROLE, APP_PASSWORD, "shop").unwrap();
        let heard = attack(session, row);
        if (state(&scene) != before) != row.bites {
            wrong.push(format!("{}: {heard:?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn who_may_only_read_in_production_changes_nothing_and_is_told() {
    let mut scene = DatabaseScene::open("production").unwrap();
    let agent = scene
        .agent(Some(&rights(&["read"], &["*:*"], &["production"])))
        .unwrap();
    let mut wrong = Vec::new();
    for row in chosen() {
        set_up(&scene);
        let before = state(&scene);
        let heard = attack(as_agent(&scene, &agent), row);
        let told = heard.iter().any(|it| !it.errors.is_empty() || it.ended);
        if state(&scene) != before || (row.bites && !told) {
            wrong.push(format!("{}: {heard:#?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(intents(&scene), 0);
}

#[test]
fn who_has_rights_in_development_changes_nothing_without_an_intent() {
    let mut scene = DatabaseScene::open("development").unwrap();
    let effects = [
        "write",
        "destroy",
        "disrupt",
        "opaque",
        "privilege",
        "unprotect",
    ];
    let agent = scene
        .agent(Some(&rights(&effects, &["*:*"], &["development"])))
        .unwrap();
    let mut wrong = Vec::new();
    for row in chosen() {
        set_up(&scene);
        let (before, recorded) = (state(&scene), intents(&scene));
        let heard = attack(as_agent(&scene, &agent), row);
        if state(&scene) != before && intents(&scene) == recorded {
            wrong.push(format!("{}: {heard:#?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    scene.sound_ledger().unwrap();
}
