//! Ways to destroy that look harmless, each tried twice on a real server: as the application's role, and through
//! Tagout as the same role by an agent that may only read production. Nothing may change through Tagout, and what
//! the role changes by itself shows that the attack is one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use tagout_tests::{APP_PASSWORD, APP_ROLE, ClientSaid, DatabaseAgent, DatabaseScene, said};

/// What is there before each attack; `seed` holds the rows to put back.
const WORLD: &str = r#"
CREATE SCHEMA seed;
CREATE TABLE users (id int PRIMARY KEY, name varchar(20), n int DEFAULT 0);
CREATE TABLE other (id int PRIMARY KEY, note text);
INSERT INTO users SELECT n, 'user ' || n, 0 FROM generate_series(1, 50) n;
INSERT INTO other SELECT n, 'note ' || n FROM generate_series(1, 50) n;
CREATE TABLE seed.users AS SELECT * FROM users;
CREATE TABLE seed.other AS SELECT * FROM other;
CREATE FUNCTION gone() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM users; RETURN 1; END';
CREATE FUNCTION gone_stable() RETURNS int LANGUAGE sql STABLE AS 'SELECT gone()';
CREATE FUNCTION gone_immutable() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM gone(); RETURN 1; END';
CREATE FUNCTION gone_definer() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM users; SELECT 1';
CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE plpgsql AS 'BEGIN DELETE FROM users; RETURN $1; END';
CREATE FUNCTION gone_with(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM users; RETURN 1; END';
CREATE OPERATOR #-# (LEFTARG = int, RIGHTARG = int, FUNCTION = gone_with);
CREATE FUNCTION gone_from(text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN DELETE FROM users; RETURN true; END';
CREATE DOMAIN nasty AS text CHECK (gone_from(VALUE));
CREATE VIEW looks AS SELECT gone() AS g, id FROM other;
CREATE TABLE guarded (id int);
INSERT INTO guarded VALUES (1);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded USING (gone() > 0);
CREATE PROCEDURE proc() LANGUAGE plpgsql AS 'BEGIN DELETE FROM users; COMMIT; END';
CREATE SEQUENCE numbers;
"#;

/// One attack: a name, its statements, and whether the application's role gets through with it.
struct Attack(&'static str, &'static [&'static str], bool);

const ATTACKS: &[Attack] = &[
    Attack("delete", &["DELETE FROM users"], true),
    Attack(
        "cte",
        &["WITH d AS (DELETE FROM users RETURNING 1) SELECT count(*) FROM d"],
        true,
    ),
    Attack(
        "explain analyze",
        &["EXPLAIN ANALYZE DELETE FROM users"],
        true,
    ),
    Attack(
        "explain of an immutable liar",
        &["EXPLAIN SELECT gone_immutable()"],
        true,
    ),
    Attack(
        "explain of a stable liar",
        &["EXPLAIN SELECT * FROM other WHERE id = gone_immutable()"],
        true,
    ),
    Attack("do", &["DO $$ BEGIN DELETE FROM users; END $$"], true),
    Attack("call", &["CALL proc()"], true),
    Attack("function", &["SELECT gone()"], true),
    Attack("stable function", &["SELECT gone_stable()"], true),
    Attack("security definer", &["SELECT gone_definer()"], true),
    Attack("overload", &["SELECT lower('A'::varchar)"], true),
    Attack("operator", &["SELECT 1 #-# 2"], true),
    Attack("domain", &["SELECT 'x'::nasty"], true),
    Attack("view", &["SELECT g FROM looks"], true),
    Attack("policy", &["SELECT * FROM guarded"], true),
    Attack(
        "text that is run",
        &["SELECT query_to_xml('select gone()', true, true, '')"],
        true,
    ),
    Attack(
        "read write",
        &["BEGIN; SET TRANSACTION READ WRITE; DELETE FROM users; COMMIT"],
        true,
    ),
    Attack(
        "out of a read-only transaction",
        &["BEGIN READ ONLY; COMMIT; DELETE FROM users"],
        true,
    ),
    Attack("commit first", &["COMMIT; DELETE FROM users"], true),
    Attack(
        "prepare and execute",
        &["PREPARE p AS DELETE FROM users", "EXECUTE p"],
        true,
    ),
    Attack(
        "explain analyze execute",
        &[
            "PREPARE p AS DELETE FROM users",
            "EXPLAIN ANALYZE EXECUTE p",
        ],
        true,
    ),
    Attack(
        "copy of a query",
        &["COPY (DELETE FROM users RETURNING id) TO STDOUT"],
        true,
    ),
    Attack(
        "savepoints",
        &["BEGIN; SAVEPOINT a; DELETE FROM users; RELEASE a; COMMIT"],
        true,
    ),
    Attack(
        "cursor",
        &["BEGIN; DECLARE c CURSOR FOR SELECT gone(); FETCH ALL FROM c; COMMIT"],
        true,
    ),
    Attack(
        "cursor that is held",
        &["DECLARE c CURSOR WITH HOLD FOR SELECT gone()"],
        true,
    ),
    Attack(
        "chained",
        &["BEGIN; DELETE FROM users; COMMIT AND CHAIN; COMMIT"],
        true,
    ),
    Attack("truncate", &["TRUNCATE users"], true),
    Attack(
        "merge",
        &["MERGE INTO users u USING other o ON u.id = o.id WHEN MATCHED THEN DELETE"],
        true,
    ),
    Attack("update", &["UPDATE users SET n = n + 1"], true),
    Attack(
        "set default",
        &[
            "SET default_transaction_read_only = off",
            "DELETE FROM users",
        ],
        true,
    ),
    Attack("discard", &["DISCARD ALL", "DELETE FROM users"], true),
    Attack(
        "our own names",
        &["DEALLOCATE ALL", "SELECT 1", "DELETE FROM users"],
        true,
    ),
    Attack(
        "several in one",
        &["SELECT 1; DELETE FROM users; SELECT 2"],
        true,
    ),
    Attack(
        "comments",
        &["SELECT 1 /* ; */ ; -- x\n DELETE FROM users"],
        true,
    ),
    Attack("unicode", &[r#"DELETE FROM U&"\0075sers""#], true),
    Attack(
        "quoted",
        &[r#"dElEtE FROM ONLY "public"."users" WHERE true"#],
        true,
    ),
    Attack("select into", &["SELECT * INTO thief FROM users"], true),
    Attack(
        "create table as",
        &["CREATE TABLE thief AS SELECT * FROM users"],
        true,
    ),
    Attack(
        "rule",
        &["CREATE RULE r AS ON INSERT TO other DO INSTEAD NOTHING"],
        true,
    ),
    Attack(
        "trigger off",
        &["ALTER TABLE users DISABLE TRIGGER ALL"],
        false,
    ),
    Attack("role's password", &["ALTER ROLE app PASSWORD 'x'"], true),
    Attack(
        "role's settings",
        &["ALTER ROLE app SET search_path = pg_temp"],
        true,
    ),
    Attack("drop", &["DROP TABLE users CASCADE"], true),
    Attack("drop schema", &["DROP SCHEMA seed CASCADE"], true),
    Attack("sequence", &["SELECT setval('numbers', 1000)"], true),
    Attack(
        "sequence in a transaction",
        &["BEGIN; SELECT setval('numbers', 1000); ROLLBACK"],
        true,
    ),
    Attack("large object", &["SELECT lo_from_bytea(0, 'x')"], true),
    Attack("program", &["COPY users TO PROGRAM 'true'"], false),
    Attack(
        "file",
        &["COPY users TO '/tmp/tagout-must-not-be-here'"],
        false,
    ),
    Attack("system", &["ALTER SYSTEM SET work_mem = '5MB'"], false),
    Attack(
        "stored transaction",
        &["BEGIN; DELETE FROM users; PREPARE TRANSACTION 'x'"],
        false,
    ),
    Attack(
        "set role",
        &["SET ROLE postgres", "DELETE FROM users"],
        true,
    ),
];

/// Everything that an attack could change.
const STATE: &str = "SELECT md5(concat(
    (SELECT string_agg(u::text, ',' ORDER BY id) FROM users u),
    (SELECT string_agg(o::text, ',' ORDER BY id) FROM other o),
    (SELECT string_agg(concat(c.relname, c.relkind, c.relhasrules), ',' ORDER BY 1) FROM pg_class c
        JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public', 'seed')),
    (SELECT string_agg(concat(rolname, rolpassword), ',' ORDER BY 1) FROM pg_authid),
    (SELECT string_agg(s::text, ',') FROM pg_db_role_setting s),
    (SELECT string_agg(concat(tgrelid, tgenabled), ',' ORDER BY oid) FROM pg_trigger),
    (SELECT last_value::text FROM numbers),
    (SELECT count(*)::text FROM pg_largeobject_metadata),
    (SELECT count(*)::text FROM pg_prepared_xacts)))";

impl Attack {
    /// Runs it past Tagout, in a database of its own made from the template.
    fn directly(&self, scene: &DatabaseScene, role: &str, password: &str) -> bool {
        let server = &scene.server;
        server
            .psql("DROP DATABASE IF EXISTS trial WITH (FORCE)")
            .unwrap();
        server
            .psql("CREATE DATABASE trial TEMPLATE world OWNER app")
            .unwrap();
        let before = server.psql_in("trial", STATE).unwrap_or_default();
        let mut psql = server.program("psql");
        psql.args([
            "-X",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            &server.port.to_string(),
        ])
        .args(["-U", role, "-d", "trial"])
        .env("PGPASSWORD", password);
        for statement in self.1 {
            psql.args(["-c", statement]);
        }
        said(psql).unwrap();
        let changed = server.psql_in("trial", STATE).unwrap_or_default() != before;
        let own = format!("ALTER ROLE {APP_ROLE} PASSWORD '{APP_PASSWORD}'");
        server
            .psql(&format!("{own}; ALTER ROLE {APP_ROLE} RESET ALL"))
            .unwrap();
        changed
    }

    fn through_tagout(&self, scene: &DatabaseScene, agent: &DatabaseAgent) -> ClientSaid {
        let mut psql = scene.program(agent, "psql", "shop");
        psql.args(["-X", "-q"]);
        for statement in self.1 {
            psql.args(["-c", statement]);
        }
        said(psql).unwrap()
    }
}

#[test]
fn nothing_that_looks_harmless_gets_through() {
    let mut scene = DatabaseScene::open("production").unwrap();
    let world = format!("SET ROLE {APP_ROLE}; {WORLD}");
    scene
        .server
        .psql(&format!("CREATE DATABASE world OWNER {APP_ROLE}"))
        .unwrap();
    scene.server.psql_in("world", &world).unwrap();
    scene.server.psql_in("shop", &world).unwrap();
    let agent = scene.agent(None).unwrap();
    let state = || scene.server.psql_in("shop", STATE).unwrap();
    let mut holes = Vec::new();
    for attack in ATTACKS {
        let before = state();
        let heard = attack.through_tagout(&scene, &agent);
        if state() != before {
            panic!("`{}` changed something: {heard:?}", attack.0);
        }
        if !heard.err.contains("by tagout") && !heard.err.contains("ERROR") {
            holes.push(format!("`{}` was not refused: {heard:?}", attack.0));
        }
        if attack.directly(&scene, APP_ROLE, APP_PASSWORD) != attack.2 {
            holes.push(format!(
                "`{}` as the application's role: not {}",
                attack.0, attack.2
            ));
        }
    }
    assert!(holes.is_empty(), "{holes:#?}");
    assert!(!std::path::Path::new("/tmp/tagout-must-not-be-here").exists());
    scene.sound_ledger().unwrap();
}

/// What ordinary applications have, and nobody is held up by.
#[test]
fn what_is_ordinary_holds_nobody_up() {
    let mut scene = DatabaseScene::open("production").unwrap();
    scene
        .server
        .psql_in(
            "shop",
            "CREATE EXTENSION pgcrypto; CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore",
        )
        .unwrap();
    scene
        .direct(
            "CREATE TABLE posts (id serial PRIMARY KEY, title text, at timestamptz DEFAULT now(), owner text DEFAULT current_user);
             CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at = now(); RETURN NEW; END';
             CREATE TRIGGER touch BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION touch();
             ALTER TABLE posts ENABLE ROW LEVEL SECURITY;
             CREATE POLICY mine ON posts USING (owner = current_user OR owner = current_setting('app.user', true));
             CREATE VIEW recent AS SELECT * FROM posts ORDER BY at DESC;
             CREATE FUNCTION titled(text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM posts WHERE title = $1'",
        )
        .unwrap();
    let agent = scene
        .agent(Some(&tagout_tests::rights(
            &["write"],
            &["*:*"],
            &["production"],
        )))
        .unwrap();
    for (statement, expected) in [
        (
            "INSERT INTO posts (title) VALUES ('a'), ('b') RETURNING id",
            "1\n2",
        ),
        ("UPDATE posts SET title = 'c' WHERE id = 2", ""),
        ("SELECT title FROM recent WHERE title = 'c'", "c"),
        ("SELECT titled('c')", "1"),
        ("SELECT length(encode(digest('x', 'sha256'), 'hex'))", "64"),
        ("SELECT similarity('word', 'word')", "1"),
        ("SELECT 'a=>1'::hstore -> 'a'", "1"),
        ("SELECT nextval('posts_id_seq') > 2", "t"),
        (
            "BEGIN; INSERT INTO posts (title) VALUES ('d'); SELECT titled('d'); COMMIT",
            "1",
        ),
        ("EXPLAIN (COSTS OFF) SELECT 1", "Result"),
        ("PREPARE w AS UPDATE posts SET title = $1 WHERE id = 1", ""),
        ("SHOW server_version_num", "15"),
        ("SET application_name = 'x'; SHOW application_name", "x"),
    ] {
        let heard = scene.psql(&agent, &[statement]).unwrap();
        assert!(
            heard.ok && heard.out.starts_with(expected),
            "{statement}: {heard:?}"
        );
    }
}

#[test]
fn a_grant_for_staging_ends_no_session_of_production() {
    let mut scene = DatabaseScene::open("staging").unwrap();
    let rights = tagout_tests::rights(&["write", "destroy", "disrupt"], &["*:*"], &["staging"]);
    let agent = scene.agent(Some(&rights)).unwrap();
    let mut production = scene.server.program("psql");
    production
        .args([
            "-X",
            "-h",
            "127.0.0.1",
            "-p",
            &scene.server.port.to_string(),
        ])
        .args([
            "-U",
            APP_ROLE,
            "-d",
            "postgres",
            "-c",
            "SELECT pg_sleep(20)",
        ])
        .env("PGPASSWORD", APP_PASSWORD);
    let mut production = production.spawn().unwrap();
    let alive = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND query LIKE 'SELECT pg_sleep%'";
    while scene.server.psql(alive).unwrap().trim() != "1" {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres'";
    let heard = scene.psql(&agent, &[end]).unwrap();
    assert!(heard.err.contains("by tagout"), "{heard:?}");
    assert_eq!(scene.server.psql(alive).unwrap().trim(), "1");
    production.kill().unwrap();
    production.wait().unwrap();
}
