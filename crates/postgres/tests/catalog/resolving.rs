//! What is reached becomes targets: with its place, its counts, and what is at stake.

use tagout_core::effect::{Effect, Reversibility};
use tagout_core::resolved::{Provenance, Target};
use tagout_postgres::catalog::ask::Ask as _;
use tagout_postgres::catalog::database::Database;
use tagout_postgres::catalog::impact::add_impact;
use tagout_postgres::catalog::measure::{Counts, Exclusive, Fate, Measured, MeasuredTable};
use tagout_postgres::catalog::targets::{ESTIMATED_ROWS, measured_targets, targets};
use tagout_postgres::understand::statement::{Object, Statement, Usage};

use crate::scene::{Scene, calling, change, name, select, server, statement};

fn acting(verb: &'static str, effect: Effect, kind: &'static str, on: &str) -> Statement {
    let mut statement = statement(verb, effect);
    statement.acts[0].object = Object {
        kind,
        name: Some(name(on)),
    };
    statement
}

async fn database(scene: &mut Scene) -> Database {
    let endpoint = format!("127.0.0.1:{}", server().port);
    Database::identify(&mut scene.session, &endpoint)
        .await
        .unwrap()
}

async fn resolve(scene: &mut Scene, statement: &Statement) -> Vec<Target> {
    let database = database(scene).await;
    let closure = scene.close(statement).await;
    targets(statement, &closure, &database)
}

fn lines(targets: &[Target]) -> Vec<String> {
    let line = |it: &Target| format!("{} {}", it.on.effect.word(), it.on.resource);
    targets.iter().map(line).collect()
}

#[tokio::test]
async fn a_database_is_its_cluster_and_its_oid() {
    let mut scene = Scene::new("").await;
    let here = database(&mut scene).await;
    let identifier = scene.elsewhere("SELECT system_identifier FROM pg_control_system()");
    let oid = scene.elsewhere("SELECT oid FROM pg_database WHERE datname = current_database()");
    assert_eq!(here.id(), format!("{identifier}/{oid}"));
    assert_eq!(
        (here.place().name.raw(), here.fact()),
        (scene.database.as_str(), None)
    );

    scene.elsewhere("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    let by_address = database(&mut scene).await;
    scene.elsewhere("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC");
    assert_eq!(
        by_address.id(),
        format!("127.0.0.1:{}/{oid}", server().port)
    );
    assert!(by_address.fact().is_some());
}

#[tokio::test]
async fn another_database_is_another_place() {
    let mut scene = Scene::new("").await;
    let here = database(&mut scene).await;
    let drop = acting("DROP DATABASE", Effect::Destroy, "database", "postgres");
    let found = resolve(&mut scene, &drop).await;
    let oid: u32 = scene
        .elsewhere("SELECT oid FROM pg_database WHERE datname = 'postgres'")
        .parse()
        .unwrap();
    assert_eq!(found[0].places, [here.other(oid, "postgres").place()]);
    assert_eq!(lines(&found), ["destroy database:postgres"]);

    let missing = acting("DROP DATABASE", Effect::Destroy, "database", "nowhere");
    assert_eq!(resolve(&mut scene, &missing).await[0].places, []);
}

#[tokio::test]
async fn names_become_resources() {
    let mut scene = Scene::new(
        "CREATE SCHEMA other; CREATE TABLE other.t (id int); INSERT INTO other.t SELECT generate_series(1, 70);
         GRANT ALL ON SCHEMA other TO app; ANALYZE; CREATE EXTENSION pgcrypto; CREATE EXTENSION postgres_fdw;
         CREATE SERVER prod FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE ft (x text) SERVER prod",
    )
    .await;
    scene.run("SET search_path = other").await;
    let dropped = acting("DROP TABLE", Effect::Destroy, "table", "t");
    let found = resolve(&mut scene, &dropped).await;
    assert_eq!(lines(&found), ["destroy table:other.t"]);
    let rows = found[0]
        .counts
        .iter()
        .find(|it| it.of == ESTIMATED_ROWS)
        .unwrap();
    assert_eq!((rows.count, rows.provenance), (70, Provenance::Resolved));
    assert_eq!(found[0].places, [database(&mut scene).await.place()]);

    let created = acting("CREATE TABLE", Effect::Write, "table", "fresh");
    assert_eq!(
        lines(&resolve(&mut scene, &created).await),
        ["write table:other.fresh"]
    );

    // Whose code computes only, is known, in whatever schema.
    let call = calling(select(&[]), &["public.digest"]);
    assert_eq!(lines(&resolve(&mut scene, &call).await), ["read row:*"]);

    let foreign = resolve(&mut scene, &change(Usage::Delete, "public.ft")).await;
    let elsewhere = foreign
        .iter()
        .find(|it| it.on.resource.kind() == "server")
        .unwrap();
    assert_eq!(elsewhere.places, []);
}

#[tokio::test]
async fn a_card_says_what_is_at_stake() {
    let mut scene = Scene::new(
        "CREATE TABLE bookings (id int PRIMARY KEY, guest text, api_token text, paid bool);
         INSERT INTO bookings SELECT i, 'guest number ' || i, 'tok_' || i, true FROM generate_series(1, 30) i;
         CREATE TABLE rooms (b int REFERENCES bookings ON DELETE CASCADE); INSERT INTO rooms VALUES (1);
         CREATE VIEW paid AS SELECT * FROM bookings WHERE paid; CREATE VIEW paid_ids AS SELECT id FROM paid;
         CREATE TABLE hidden (id int); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; GRANT SELECT ON hidden TO app;
         ALTER TABLE bookings OWNER TO app; ALTER TABLE rooms OWNER TO app;",
    )
    .await;
    let delete = change(Usage::Delete, "bookings");
    let mut found = resolve(&mut scene, &delete).await;
    let closure = scene.close(&delete).await;
    add_impact(&mut scene.session, &closure, &mut found)
        .await
        .unwrap();

    let bookings = &found[0];
    let count = |target: &Target, of: &str| {
        let found = target.counts.iter().find(|it| it.of == of);
        found.map(|it| (it.count, it.provenance))
    };
    assert_eq!(count(bookings, "rows"), Some((30, Provenance::Measured)));
    assert!(count(bookings, "bytes").unwrap().0 > 8_000);
    assert_eq!(
        count(bookings, "dependants"),
        Some((3, Provenance::Resolved))
    );
    let facts = |label: &str| {
        let facts = bookings.facts.iter().filter(|it| it.label == label);
        facts
            .map(|it| it.value.raw().to_owned())
            .collect::<Vec<_>>()
    };
    let mut dependants: Vec<_> = facts("dependants")[0]
        .split(", ")
        .map(str::to_owned)
        .collect();
    dependants.sort();
    assert_eq!(
        dependants,
        [
            "foreign key of public.rooms",
            "view public.paid",
            "view public.paid_ids"
        ]
    );
    assert_eq!(facts("row").len(), 5);
    assert_eq!(
        facts("row")[0],
        "id=1 guest=gue…(14) api_token=*** paid=true"
    );
    assert!(
        facts("written")[0].starts_with("30 rows added"),
        "{:?}",
        facts("written")
    );

    let rooms = found
        .iter()
        .find(|it| it.on.resource.id() == "public.rooms")
        .unwrap();
    assert_eq!(rooms.on.effect, Effect::Destroy);
    assert_eq!(count(rooms, "rows"), Some((1, Provenance::Measured)));

    // Row-level security: counting would run policies, so it is not counted. The session is usable afterwards.
    let hidden = change(Usage::Delete, "hidden");
    let mut found = resolve(&mut scene, &hidden).await;
    let closure = scene.close(&hidden).await;
    add_impact(&mut scene.session, &closure, &mut found)
        .await
        .unwrap();
    assert_eq!(count(&found[0], "rows"), None);
    scene.session.rows("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_locked_table_holds_up_no_card() {
    let mut scene = Scene::new("CREATE TABLE t (id int); ALTER TABLE t OWNER TO app").await;
    let delete = change(Usage::Delete, "t");
    let mut found = resolve(&mut scene, &delete).await;
    let closure = scene.close(&delete).await;
    let mut other = crate::scene::connect(&scene.database, "postgres").await;
    other.rows("BEGIN; LOCK TABLE t").await.unwrap();
    add_impact(&mut scene.session, &closure, &mut found)
        .await
        .unwrap();
    assert!(
        found[0]
            .counts
            .iter()
            .all(|it| it.provenance == Provenance::Resolved)
    );
}

#[tokio::test]
async fn what_was_measured_becomes_targets() {
    let mut scene = Scene::new("").await;
    let here = database(&mut scene).await;
    let table = |schema: &str, name: &str, inserted, updated, deleted| MeasuredTable {
        oid: 1,
        schema: schema.to_owned(),
        name: name.to_owned(),
        counts: Counts {
            inserted,
            updated,
            deleted,
        },
        rows: Some(1000),
    };
    let measured = Measured {
        tables: vec![
            table("public", "a", 2, 3, 40),
            table("public", "b", 1, 0, 0),
        ],
        catalogs: vec![
            table("pg_catalog", "pg_authid", 0, 1, 0),
            table("pg_catalog", "pg_proc", 1, 0, 0),
        ],
        wrote: true,
        exclusive: [Fate::Gone, Fate::Rewritten, Fate::Locked]
            .map(|fate| Exclusive {
                oid: 77,
                name: (fate != Fate::Gone).then(|| ("public".to_owned(), "x".to_owned())),
                fate,
            })
            .into(),
    };
    let found = measured_targets(&measured, &here);
    let line = |it: &Target| {
        format!(
            "{} {} {}",
            it.on.effect.word(),
            it.on.resource,
            it.on.members
        )
    };
    let lines: Vec<String> = found.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "write table:public.a 5",
            "destroy table:public.a 40",
            "write table:public.b 1",
            "privilege catalog:pg_authid 1",
            "opaque catalog:pg_proc 1",
            "destroy table:77 1",
            "destroy table:public.x 1",
            "unknown table:public.x 1",
        ]
    );
    assert_eq!(found[1].counts[0].provenance, Provenance::Measured);
    assert_eq!(found[2].on.reversibility, Reversibility::Costly);
    assert!(found.iter().all(|it| it.places == [here.place()]));
}
