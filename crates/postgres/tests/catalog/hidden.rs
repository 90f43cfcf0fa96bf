//! Statements that look harmless and run somebody's code: each way must be found.

use tagout_core::effect::Effect;
use tagout_postgres::understand::statement::{Statement, Usage};

use crate::scene::{
    Scene, calling, change, connect, effects, name, operators, select, statement, types,
};

/// Tables, and functions that delete.
const TABLES: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name varchar NOT NULL, email text);
    INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 10) i;
    CREATE TABLE victims (id int);
    CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
        $$ BEGIN DELETE FROM victims; RETURN 1; END $$;
    CREATE FUNCTION evil_trigger() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN DELETE FROM victims; RETURN NEW; END $$;
    ALTER TABLE users OWNER TO app; ALTER TABLE victims OWNER TO app;";

/// What is set up, the statement, and the function that must be found.
fn cases() -> Vec<(&'static str, &'static str, Statement, &'static str)> {
    vec![
        ("a call", "", calling(select(&[]), &["evil"]), "evil"),
        (
            "an overload that is nearer than the server's",
            "CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN ''; END $$",
            calling(select(&["users"]), &["lower"]),
            "lower",
        ),
        (
            "an operator",
            "CREATE FUNCTION op(text, int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN true; END $$;
             CREATE OPERATOR = (LEFTARG = text, RIGHTARG = int, FUNCTION = op)",
            operators(select(&["users"]), &["="]),
            "op",
        ),
        (
            "a cast from a type of one's own",
            "CREATE TYPE mood AS ENUM ('x'); CREATE FUNCTION castf(mood) RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN 1; END $$;
             CREATE CAST (mood AS int) WITH FUNCTION castf(mood) AS IMPLICIT",
            types(select(&[]), &["mood", "pg_catalog.int4"]),
            "castf",
        ),
        (
            "a cast of a table's rows",
            "CREATE FUNCTION castr(users) RETURNS text LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN ''; END $$;
             CREATE CAST (users AS text) WITH FUNCTION castr(users)",
            types(select(&["users"]), &["pg_catalog.text"]),
            "castr",
        ),
        (
            "a domain's check",
            "CREATE FUNCTION chk(text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN true; END $$;
             CREATE DOMAIN dom AS text CHECK (chk(VALUE))",
            types(select(&[]), &["dom"]),
            "chk",
        ),
        (
            "a domain's check, on a column",
            "CREATE FUNCTION chk(text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN true; END $$;
             CREATE DOMAIN dom AS text CHECK (chk(VALUE)); CREATE TABLE d (x dom[])",
            change(Usage::Insert, "d"),
            "chk",
        ),
        (
            "a policy",
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON users USING (evil() = 1)",
            select(&["users"]),
            "evil",
        ),
        (
            "a view",
            "CREATE VIEW v AS SELECT evil() FROM users",
            select(&["v"]),
            "evil",
        ),
        (
            "a view over a view that uses an operator",
            "CREATE FUNCTION op(text, int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN true; END $$;
             CREATE OPERATOR === (LEFTARG = text, RIGHTARG = int, FUNCTION = op);
             CREATE VIEW v AS SELECT * FROM users WHERE name::text === 1; CREATE VIEW w AS SELECT * FROM v",
            select(&["w"]),
            "op",
        ),
        (
            "a default",
            "ALTER TABLE users ADD COLUMN x int; ALTER TABLE users ALTER x SET DEFAULT evil()",
            change(Usage::Insert, "users"),
            "evil",
        ),
        (
            "a generated column",
            "CREATE FUNCTION gen(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN DELETE FROM victims; RETURN 1; END $$;
             CREATE TABLE g (a int, b int GENERATED ALWAYS AS (gen(a)) STORED)",
            change(Usage::Update, "g"),
            "gen",
        ),
        (
            "a check",
            "ALTER TABLE users ADD CHECK (evil() = 1) NOT VALID",
            change(Usage::Update, "users"),
            "evil",
        ),
        (
            "an index on an expression",
            "CREATE FUNCTION idx(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN DELETE FROM victims; RETURN ''; END $$;
             CREATE TABLE i (a text); CREATE INDEX ON i (idx(a))",
            change(Usage::Insert, "i"),
            "idx",
        ),
        (
            "a trigger",
            "CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION evil_trigger()",
            change(Usage::Update, "users"),
            "evil_trigger",
        ),
        (
            "a trigger's condition",
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
             CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW WHEN (evil() = 1) EXECUTE FUNCTION nothing()",
            change(Usage::Update, "users"),
            "evil",
        ),
        (
            "a trigger of a partition",
            "CREATE TABLE part (id int) PARTITION BY RANGE (id); CREATE TABLE part1 PARTITION OF part DEFAULT;
             CREATE TRIGGER t BEFORE INSERT ON part1 FOR EACH ROW EXECUTE FUNCTION evil_trigger()",
            change(Usage::Insert, "part"),
            "evil_trigger",
        ),
        (
            "a trigger on what cascades",
            "CREATE TABLE orders (id int, u int REFERENCES users ON DELETE CASCADE);
             CREATE TRIGGER t AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION evil_trigger()",
            change(Usage::Delete, "users"),
            "evil_trigger",
        ),
        (
            "a trigger below a view",
            "CREATE VIEW v AS SELECT * FROM users;
             CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION evil_trigger()",
            change(Usage::Update, "v"),
            "evil_trigger",
        ),
        (
            "a rule's function",
            "CREATE RULE r AS ON INSERT TO users DO ALSO SELECT evil()",
            change(Usage::Insert, "users"),
            "evil",
        ),
        (
            "an aggregate's part",
            "CREATE FUNCTION step(int, int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN 1; END $$;
             CREATE AGGREGATE agg(int) (SFUNC = step, STYPE = int)",
            calling(select(&["users"]), &["agg"]),
            "step",
        ),
        (
            "a body that was parsed when it was made",
            "CREATE FUNCTION outer_f() RETURNS int LANGUAGE sql RETURN evil()",
            calling(select(&[]), &["outer_f"]),
            "evil",
        ),
        (
            "an event trigger",
            "CREATE FUNCTION evt() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; END $$;
             CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION evt()",
            statement("CREATE TABLE", Effect::Write),
            "evt",
        ),
        (
            "refreshing a view",
            "CREATE MATERIALIZED VIEW m AS SELECT evil() FROM users WITH NO DATA",
            change(Usage::Define, "m"),
            "evil",
        ),
        (
            "functional notation of a cast",
            "CREATE FUNCTION chk(text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victims; RETURN true; END $$;
             CREATE DOMAIN dom AS text CHECK (chk(VALUE))",
            calling(select(&[]), &["dom"]),
            "chk",
        ),
    ]
}

#[tokio::test]
async fn hidden_code_is_found() {
    for (what, set_up, statement, function) in cases() {
        let mut scene = Scene::new(&format!("{TABLES} {set_up}")).await;
        let closure = scene.close(&statement).await;
        let expected = format!("opaque function:public.{function}");
        assert!(
            effects(&closure).contains(&expected),
            "{what}: {:?}",
            closure.effects
        );
        assert!(!closure.reads_only && closure.open, "{what}");
        assert_eq!(closure.outside, None, "{what}");
    }
}

/// Ways out of the transaction, which must be decided before anything runs.
#[tokio::test]
async fn ways_out_of_the_transaction_are_found() {
    let wrapper = "CREATE EXTENSION dblink; CREATE FUNCTION wrap() RETURNS text LANGUAGE plpgsql AS
        $$ BEGIN RETURN dblink_exec('', 'delete from users'); END $$;";
    for (what, set_up, statement) in [
        ("dblink", "CREATE EXTENSION dblink", calling(select(&[]), &["dblink_exec"])),
        ("a body that calls dblink", wrapper, calling(select(&[]), &["wrap"])),
        (
            "a body that calls a body that calls dblink",
            &format!("{wrapper} CREATE FUNCTION w2() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN Wrap(); END $$"),
            calling(select(&[]), &["w2"]),
        ),
        (
            "a body that puts its SQL together, where there is dblink",
            "CREATE EXTENSION dblink; CREATE FUNCTION dyn() RETURNS int LANGUAGE plpgsql AS
                $$ BEGIN EXECUTE 'select dbl' || 'ink_exec()'; RETURN 1; END $$",
            calling(select(&[]), &["dyn"]),
        ),
        (
            "the same with a superuser's rights",
            "CREATE FUNCTION dyn() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
                $$ BEGIN EXECUTE 'co' || 'py users to program'; RETURN 1; END $$",
            calling(select(&[]), &["dyn"]),
        ),
        (
            "a body that writes to a table whose trigger calls dblink",
            "CREATE EXTENSION dblink; CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM dblink_exec('', ''); RETURN NEW; END $$;
             CREATE TRIGGER t AFTER INSERT ON victims FOR EACH ROW EXECUTE FUNCTION tf();
             CREATE FUNCTION w3() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO victims VALUES (1); RETURN 1; END $$",
            calling(select(&[]), &["w3"]),
        ),
        (
            "code of nobody's",
            "CREATE FUNCTION mine(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all'",
            calling(select(&[]), &["mine"]),
        ),
        (
            "a view that ends sessions",
            "CREATE VIEW v AS SELECT pg_terminate_backend(1)",
            select(&["v"]),
        ),
        (
            "an operator that ends sessions",
            "CREATE OPERATOR @! (LEFTARG = int, RIGHTARG = bigint, FUNCTION = pg_catalog.pg_terminate_backend)",
            operators(select(&[]), &["@!"]),
        ),
        (
            "a table in a file",
            "CREATE EXTENSION file_fdw; CREATE SERVER f FOREIGN DATA WRAPPER file_fdw;
             CREATE FOREIGN TABLE ft (x text) SERVER f OPTIONS (program 'id')",
            select(&["ft"]),
        ),
        (
            "a foreign partition",
            "CREATE EXTENSION postgres_fdw; CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw;
             CREATE TABLE part (id int) PARTITION BY RANGE (id);
             CREATE FOREIGN TABLE ft PARTITION OF part DEFAULT SERVER other",
            change(Usage::Delete, "part"),
        ),
    ] {
        // An internal function that is not there can only be made without looking.
        let set_up = format!("SET check_function_bodies = off; {TABLES} {set_up}");
        let mut scene = Scene::new(&set_up.replace("pg_read_file_all", "textlen")).await;
        let closure = scene.close(&statement).await;
        assert!(closure.outside.is_some(), "{what}: {:?}", closure.effects);
        assert!(!closure.reads_only || what.contains("file"), "{what}");
        let out = closure.effects.iter().any(|added| !added.transactional);
        assert!(out, "{what}: {:?}", closure.effects);
    }
}

#[tokio::test]
async fn another_servers_table_is_elsewhere() {
    let mut scene = Scene::new(
        "CREATE EXTENSION postgres_fdw; CREATE SERVER prod FOREIGN DATA WRAPPER postgres_fdw;
         CREATE FOREIGN TABLE ft (x text) SERVER prod",
    )
    .await;
    let read = scene.close(&select(&["ft"])).await;
    assert_eq!(effects(&read), ["read server:prod out"]);
    let deleted = scene.close(&change(Usage::Delete, "ft")).await;
    assert_eq!(effects(&deleted), ["destroy server:prod out"]);
    assert!(deleted.effects.iter().all(|added| added.elsewhere));
}

#[tokio::test]
async fn names_mean_what_they_mean_to_the_session() {
    let mut scene = Scene::new(&format!(
        "{TABLES} CREATE SCHEMA other AUTHORIZATION app; CREATE TABLE other.users (id int)"
    ))
    .await;
    let read = select(&["users"]);
    let found = |closure: &tagout_postgres::catalog::closure::Closure| {
        let oid = closure
            .names
            .get(&name("users"))
            .copied()
            .flatten()
            .unwrap();
        closure.relations.get(&oid).unwrap().schema.clone()
    };
    assert_eq!(found(&*scene.close(&read).await), "public");

    scene.run("CREATE TEMP TABLE users (id int)").await;
    scene.catalog.moved();
    let shadowed = found(&*scene.close(&read).await);
    assert!(shadowed.starts_with("pg_temp_"), "{shadowed}");
    let by_alias = scene.close(&select(&["pg_temp.users"])).await;
    assert_eq!(by_alias.relations.len(), 1);

    scene.run("SET search_path = other, public, pg_temp").await;
    scene.catalog.moved();
    assert_eq!(found(&*scene.close(&read).await), "other");

    // Another session still sees its own.
    let mut other = connect(&scene.database, "app").await;
    std::mem::swap(&mut other, &mut scene.session);
    scene.catalog.settled();
    assert_eq!(found(&*scene.close(&read).await), "public");
}

/// A look-up must not run what stands in the way of its own names.
#[tokio::test]
async fn look_ups_run_nothing_of_others() {
    let traps = "
        CREATE FUNCTION trap(oid, oid) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
        CREATE FUNCTION trap(name, name) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
        CREATE FUNCTION trap(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
        CREATE FUNCTION trap(\"char\", \"char\") RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
        CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = oid, FUNCTION = trap);
        CREATE OPERATOR = (LEFTARG = name, RIGHTARG = name, FUNCTION = trap);
        CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = trap);
        CREATE OPERATOR = (LEFTARG = \"char\", RIGHTARG = \"char\", FUNCTION = trap);
        CREATE OPERATOR >= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = trap);
        CREATE OPERATOR <> (LEFTARG = \"char\", RIGHTARG = \"char\", FUNCTION = trap);
        CREATE OPERATOR <> (LEFTARG = name, RIGHTARG = name, FUNCTION = trap);
        CREATE FUNCTION concat(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
        CREATE FUNCTION unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
        CREATE TYPE public.oid AS ENUM ('x'); CREATE TYPE public.text AS ENUM ('x'); CREATE TYPE public.int8 AS ENUM ('x');
        CREATE TABLE public.pg_class (x int); CREATE TABLE public.pg_proc (x int);";
    for (what, set_up, statement, function) in cases() {
        let mut scene = Scene::new(&format!("{TABLES} {set_up}; {traps}")).await;
        scene.run("SET search_path = public, pg_catalog").await;
        let closure = scene.close(&statement).await;
        let expected = format!("opaque function:public.{function}");
        assert!(
            effects(&closure).contains(&expected),
            "{what}: {:?}",
            closure.effects
        );
    }
}

/// What others change past the gateway is seen when the window is over; what this gateway changes, at once.
#[tokio::test]
async fn changes_are_seen() {
    let mut scene = Scene::new(TABLES).await;
    let read = calling(select(&["users"]), &["lower"]);
    assert!(scene.close(&read).await.reads_only);
    scene.elsewhere(
        "CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql AS 'delete from victims; select null::text'",
    );
    assert!(scene.close(&read).await.reads_only, "still in the window");
    scene.memory.forget();
    assert!(!scene.close(&read).await.reads_only);

    // In a transaction that is not over, only this session sees it.
    scene.run("BEGIN; DROP FUNCTION IF EXISTS nothing(); CREATE FUNCTION upper(varchar) RETURNS text LANGUAGE sql AS 'select 1::text'").await;
    scene.catalog.moved();
    let upper = calling(select(&["users"]), &["upper"]);
    assert!(!scene.close(&upper).await.reads_only);
    scene.run("ROLLBACK").await;
    scene.catalog.settled();
    assert!(scene.close(&upper).await.reads_only);
}

#[tokio::test]
async fn what_goes_further_than_we_look_is_unknown() {
    let chain: String = (1..40)
        .map(|i| format!("CREATE VIEW v{i} AS SELECT * FROM v{};", i - 1))
        .collect();
    let mut scene = Scene::new(&format!("CREATE VIEW v0 AS SELECT 1; {chain}")).await;
    let shallow = scene.close(&select(&["v20"])).await;
    assert!(shallow.reads_only);
    let deep = scene.close(&select(&["v39"])).await;
    assert_eq!(effects(&deep), ["unknown *:* out"]);
    assert!(deep.outside.is_some() && !deep.reads_only);
}
