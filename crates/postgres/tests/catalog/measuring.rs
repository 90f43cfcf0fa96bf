//! What a transaction did is known before it is committed, however it was done.

use std::time::{Duration, Instant};

use tagout_core::effect::Effect;
use tagout_postgres::catalog::ask::Ask as _;
use tagout_postgres::catalog::measure::{Fate, Measure, Measured};
use tagout_postgres::understand::statement::{Statement, Usage};

use crate::scene::{Scene, calling, change, read, select, statement};

const SCHEMA: &str = "
    CREATE TABLE cust (id int PRIMARY KEY); CREATE TABLE ord (id int PRIMARY KEY, c int REFERENCES cust ON DELETE CASCADE);
    CREATE TABLE note (id int PRIMARY KEY, c int REFERENCES cust ON DELETE SET NULL); CREATE TABLE logs (t text);
    INSERT INTO cust SELECT generate_series(1, 100); INSERT INTO ord SELECT i, 1 + i % 100 FROM generate_series(1, 500) i;
    INSERT INTO note SELECT i, i FROM generate_series(1, 100) i; INSERT INTO logs SELECT 'x' FROM generate_series(1, 50);
    CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO logs VALUES ('x'); RETURN NULL; END $$;
    CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM logs; RETURN 1; END $$;
    CREATE FUNCTION empty_() RETURNS int LANGUAGE plpgsql AS $$ BEGIN TRUNCATE logs; RETURN 1; END $$;
    CREATE FUNCTION drop_() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DROP TABLE logs; RETURN 1; END $$;
    CREATE FUNCTION alter_() RETURNS int LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE logs ADD COLUMN x int; RETURN 1; END $$;
    CREATE FUNCTION make() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE FUNCTION made() RETURNS int LANGUAGE sql AS 'select 1'; RETURN 1; END $$;
    CREATE FUNCTION lob() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM lo_from_bytea(0, 'x'); RETURN 1; END $$;
    CREATE FUNCTION temporary() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
        CREATE TEMP TABLE t (x int); INSERT INTO t VALUES (1); DELETE FROM t; DROP TABLE t; RETURN 1; END $$;
    CREATE FUNCTION looks() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM logs); END $$;
    DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['cust', 'ord', 'note', 'logs'] LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO app', t); END LOOP; END $$;
    ANALYZE;";

/// Runs statements in one transaction, each after its baseline, and measures at the end.
async fn measure(scene: &mut Scene, statements: &[(&Statement, &str)]) -> Measured {
    let mut measure = Measure::default();
    scene.run("BEGIN").await;
    for (statement, sql) in statements {
        let closure = scene.close(statement).await;
        if let Some(question) = measure.before(&closure) {
            let rows = scene.session.rows(&question).await.unwrap();
            measure.began(&rows).unwrap();
        }
        scene.run(sql).await;
    }
    let rows = scene.session.rows(&measure.after()).await.unwrap();
    let measured = measure.measured(&rows).unwrap();
    scene.run("ROLLBACK").await;
    measured
}

fn counts(measured: &Measured) -> Vec<String> {
    let mut lines: Vec<String> = measured
        .tables
        .iter()
        .chain(&measured.catalogs)
        .map(|it| {
            let counts = it.counts;
            format!(
                "{} +{} ~{} -{}",
                it.name, counts.inserted, counts.updated, counts.deleted
            )
        })
        .collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn rows_are_counted_with_cascades_and_triggers() {
    let mut scene = Scene::new(SCHEMA).await;
    let delete = change(Usage::Delete, "cust");
    let sql = "DELETE FROM cust WHERE id <= 10";
    for _ in 0..2 {
        // What the session did just before does not count.
        let measured = measure(&mut scene, &[(&delete, sql)]).await;
        assert_eq!(
            counts(&measured),
            ["cust +0 ~0 -10", "note +0 ~10 -0", "ord +0 ~0 -50"]
        );
        assert!(measured.wrote && measured.exclusive.is_empty());
        assert_eq!(measured.tables[0].rows, Some(100));
    }
    scene.elsewhere("CREATE TRIGGER t AFTER DELETE ON ord FOR EACH ROW EXECUTE FUNCTION log()");
    scene.memory.forget();
    let measured = measure(&mut scene, &[(&delete, sql)]).await;
    assert_eq!(
        counts(&measured),
        [
            "cust +0 ~0 -10",
            "logs +50 ~0 -0",
            "note +0 ~10 -0",
            "ord +0 ~0 -50"
        ]
    );
}

#[tokio::test]
async fn a_whole_transaction_is_one() {
    let mut scene = Scene::new(SCHEMA).await;
    let measured = measure(
        &mut scene,
        &[
            (
                &change(Usage::Insert, "logs"),
                "INSERT INTO logs VALUES ('a'), ('b')",
            ),
            (&calling(select(&[]), &["wipe"]), "SELECT wipe()"),
            (
                &change(Usage::Update, "note"),
                "UPDATE note SET c = 1 WHERE id < 3",
            ),
            (&change(Usage::Truncate, "ord"), "TRUNCATE ord"),
        ],
    )
    .await;
    assert_eq!(counts(&measured), ["logs +2 ~0 -52", "note +0 ~2 -0"]);
    assert_eq!(measured.exclusive, [], "TRUNCATE says so itself");
}

#[tokio::test]
async fn blocks_of_code_are_measured() {
    let mut scene = Scene::new(SCHEMA).await;
    for (sql, expected, fates) in [
        (
            "DO $$ BEGIN DELETE FROM logs; END $$",
            vec!["logs +0 ~0 -50"],
            vec![],
        ),
        (
            "DO $$ BEGIN TRUNCATE logs; END $$",
            vec![],
            vec![Fate::Rewritten],
        ),
        (
            "DO E'BEGIN DEL\\x45TE FROM logs; END'",
            vec!["logs +0 ~0 -50"],
            vec![],
        ),
    ] {
        let measured = measure(&mut scene, &[(&read(sql), sql)]).await;
        assert_eq!(counts(&measured), expected, "{sql}");
        let found: Vec<Fate> = measured.exclusive.iter().map(|it| it.fate).collect();
        assert_eq!(found, fates, "{sql}");
    }
}

#[tokio::test]
async fn hidden_structure_is_seen() {
    let mut scene = Scene::new(SCHEMA).await;
    for (function, fate, catalogs) in [
        ("empty_", Some(Fate::Rewritten), vec![]),
        ("drop_", Some(Fate::Gone), vec![]),
        ("alter_", Some(Fate::Locked), vec![]),
        ("make", None, vec!["pg_proc +1 ~0 -0"]),
        (
            "lob",
            None,
            vec![
                "pg_largeobject +1 ~0 -0",
                "pg_largeobject_metadata +1 ~0 -0",
            ],
        ),
        ("temporary", None, vec![]),
        ("wipe", None, vec!["logs +0 ~0 -50"]),
    ] {
        let call = calling(select(&[]), &[function]);
        let measured = measure(&mut scene, &[(&call, &format!("SELECT {function}()"))]).await;
        let fates: Vec<Fate> = measured.exclusive.iter().map(|it| it.fate).collect();
        assert_eq!(fates, Vec::from_iter(fate), "{function}: {measured:?}");
        assert_eq!(counts(&measured), catalogs, "{function}");
        assert!(measured.wrote, "{function}");
    }
}

#[tokio::test]
async fn what_only_looks_wrote_nothing() {
    let mut scene = Scene::new(SCHEMA).await;
    let call = calling(select(&[]), &["looks"]);
    let measured = measure(&mut scene, &[(&call, "SELECT looks()")]).await;
    assert_eq!(measured, Measured::default());
    let nothing = statement("SELECT", Effect::Read);
    assert_eq!(
        measure(&mut scene, &[(&nothing, "SELECT 1")]).await,
        Measured::default()
    );
}

#[tokio::test]
async fn an_answer_to_something_else_measures_nothing() {
    let measure = Measure::default();
    for rows in [
        vec![],
        vec![vec![Some("surprise".to_owned())]],
        vec![vec![Some("table".to_owned()), Some("1".to_owned())]],
    ] {
        assert!(measure.measured(&rows).is_err(), "{rows:?}");
    }
}

/// Writes stay fast. The bar is wide, because other tests run beside this one; the figure is printed.
#[tokio::test]
async fn measuring_a_known_closure_is_cheap() {
    let mut scene = Scene::new(SCHEMA).await;
    let closure = scene.close(&change(Usage::Update, "note")).await;
    let mut measure = Measure::default();
    let before = measure.before(&closure).unwrap();
    let mut times: Vec<[Duration; 2]> = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        scene.session.rows("SELECT 1").await.unwrap();
        let bare = began.elapsed();
        scene.session.rows(&before).await.unwrap();
        scene.session.rows(&measure.after()).await.unwrap();
        times.push([bare, began.elapsed() - bare]);
    }
    let median = |at: usize| {
        let mut all: Vec<Duration> = times.iter().map(|each| each[at]).collect();
        all.sort();
        all[100]
    };
    println!(
        "bare round trip {:?}, both questions {:?}",
        median(0),
        median(1)
    );
    assert!(median(1) < Duration::from_millis(2));
}
