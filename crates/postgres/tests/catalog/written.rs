//! From SQL as agents write it to what it reaches: understanding and the catalog together.

use std::sync::Arc;

use tagout_postgres::catalog::closure::Closure;
use tagout_postgres::catalog::database::Database;
use tagout_postgres::catalog::targets::targets;

use crate::scene::{Scene, effects, read};

const SCHEMA: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text); CREATE TABLE victims (id int);
    CREATE FUNCTION evil(users) RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN 1; END $$;
    CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN 1; END $$;
    CREATE FUNCTION evil_too(users) RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN 1; END $$;
    CREATE PROCEDURE proc() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; END $$;
    CREATE TYPE mood AS ENUM ('a'); CREATE TABLE moods (id int, m mood);
    CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); CREATE TABLE orders (t int REFERENCES s.t);
    CREATE VIEW s.v AS SELECT * FROM s.t; CREATE VIEW w AS SELECT * FROM s.v;
    CREATE MATERIALIZED VIEW m AS SELECT * FROM w;
    GRANT ALL ON SCHEMA s TO app; ALTER TABLE users OWNER TO app;";

async fn close(scene: &mut Scene, sql: &str) -> Arc<Closure> {
    scene.close(&read(sql)).await
}

#[tokio::test]
async fn hidden_calls_are_found() {
    let mut scene = Scene::new(SCHEMA).await;
    for sql in [
        "SELECT u.evil FROM users u",
        "SELECT (users).evil FROM users",
        "SELECT (SELECT (u).evil FROM users u)",
        "SELECT 1 FROM users ORDER BY users.evil",
        "WITH x AS (SELECT evil()) SELECT * FROM x",
        "SELECT * FROM evil()",
        "EXPLAIN SELECT evil()",
        "PREPARE p AS SELECT evil()",
        "COPY (SELECT evil()) TO STDOUT",
        "SELECT count(*) FILTER (WHERE evil() = 1) FROM users",
        "DECLARE c CURSOR FOR SELECT evil()",
        "VALUES (evil())",
        "SELECT * FROM users TABLESAMPLE system (1) WHERE id = (CASE WHEN evil() = 1 THEN 1 END)",
    ] {
        let closure = close(&mut scene, sql).await;
        let found = effects(&closure);
        assert_eq!(found, ["opaque function:public.evil"], "{sql}");
        assert!(closure.open && !closure.reads_only, "{sql}");
    }
}

#[tokio::test]
async fn answers_are_not_mixed_up() {
    let mut scene = Scene::new(SCHEMA).await;
    for (sql, expected) in [
        ("SELECT u.name FROM users u", vec![]),
        (
            "SELECT u.evil FROM users u",
            vec!["opaque function:public.evil"],
        ),
        (
            "SELECT u.evil_too FROM users u",
            vec!["opaque function:public.evil_too"],
        ),
        ("SELECT u.name FROM users u", vec![]),
    ] {
        assert_eq!(effects(&*close(&mut scene, sql).await), expected, "{sql}");
    }
}

#[tokio::test]
async fn what_nobody_vetted_is_not_run() {
    let mut scene = Scene::new(SCHEMA).await;
    let closure = close(&mut scene, "SELECT pg_sleep(1)").await;
    assert!(closure.outside.is_some());
    assert_eq!(
        effects(&closure),
        ["opaque function:pg_catalog.pg_sleep out"]
    );
}

/// What the text itself says stays, whatever else the catalog knows of the same names.
#[tokio::test]
async fn words_are_not_explained_away() {
    let mut scene = Scene::new(SCHEMA).await;
    let database = Database::identify(&mut scene.session, "x:1").await.unwrap();
    for sql in [
        "CALL proc()",
        "CREATE OR REPLACE FUNCTION evil(x int DEFAULT evil()) RETURNS int LANGUAGE sql AS 'select 1'",
        "CREATE OR REPLACE FUNCTION digest(x int DEFAULT digest(1)) RETURNS int LANGUAGE sql AS 'select 1'",
        "DO $$ BEGIN PERFORM evil(); END $$",
    ] {
        let statement = read(sql);
        let closure = scene.close(&statement).await;
        let found = targets(&statement, &closure, &database);
        let words = |it: &&tagout_core::resolved::Target| {
            it.on.effect == tagout_core::effect::Effect::Opaque
                && statement.acts.iter().any(|act| act.why == it.on.why)
        };
        assert!(found.iter().any(|it| words(&it)), "{sql}: {found:?}");
        assert!(closure.open, "{sql}");
    }
}

#[tokio::test]
async fn blocks_of_code_are_looked_into() {
    let mut plain = Scene::new(SCHEMA).await;
    let mut linked = Scene::new(&format!("{SCHEMA} CREATE EXTENSION dblink")).await;
    for (sql, alone, with_ways) in [
        ("DO $$ BEGIN DELETE FROM victims; END $$", false, false),
        ("DO $$ BEGIN EXECUTE 'x'; END $$", false, true),
        (
            "DO $$ BEGIN PERFORM dblink_exec('', ''); END $$",
            false,
            true,
        ),
        ("DO $$ BEGIN COPY users TO PROGRAM 'id'; END $$", true, true),
        ("DO LANGUAGE plpython3u $$ x $$", true, true),
    ] {
        assert_eq!(
            close(&mut plain, sql).await.outside.is_some(),
            alone,
            "{sql}"
        );
        assert_eq!(
            close(&mut linked, sql).await.outside.is_some(),
            with_ways,
            "{sql}"
        );
    }
}

#[tokio::test]
async fn dropping_takes_dependants_along() {
    let mut scene = Scene::new(SCHEMA).await;
    for (sql, expected) in [
        (
            "DROP TABLE s.t CASCADE",
            vec!["view:public.m", "view:public.w", "view:s.v"],
        ),
        ("DROP VIEW w CASCADE", vec!["view:public.m"]),
        (
            "DROP SCHEMA s CASCADE",
            vec!["table:s.t", "view:public.m", "view:public.w", "view:s.v"],
        ),
        ("DROP TYPE mood CASCADE", vec!["table:public.moods"]),
        ("DROP TABLE s.t", vec![]),
    ] {
        let closure = close(&mut scene, sql).await;
        let mut found = effects(&closure);
        found.sort();
        let expected: Vec<String> = expected.iter().map(|it| format!("destroy {it}")).collect();
        assert_eq!(found, expected, "{sql}");
    }
}
