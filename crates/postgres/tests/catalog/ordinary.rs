//! Ordinary work, which nobody is to be held up for.

use tagout_core::effect::Effect;
use tagout_postgres::understand::statement::{Statement, Usage};

use crate::scene::{Scene, calling, change, effects, operators, select, types};

const SCHEMA: &str = "
    CREATE EXTENSION pgcrypto; CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore; CREATE EXTENSION citext;
    CREATE EXTENSION \"uuid-ossp\"; CREATE EXTENSION btree_gist; CREATE EXTENSION unaccent; CREATE EXTENSION ltree;
    CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, email citext, tags hstore,
        size int, twice int GENERATED ALWAYS AS (size * 2) STORED, token uuid DEFAULT uuid_generate_v4(),
        created timestamptz DEFAULT now(), updated_at timestamptz);
    CREATE TABLE orders (id serial PRIMARY KEY, user_id bigint REFERENCES users, state text CHECK (state <> ''));
    CREATE INDEX ON users (lower(name)); CREATE INDEX ON users USING gin (name gin_trgm_ops);
    CREATE VIEW active AS SELECT u.*, count(o.id) AS orders FROM users u LEFT JOIN orders o ON o.user_id = u.id
        WHERE lower(u.name) <> '' GROUP BY u.id;
    CREATE TABLE notes (id int, owner name DEFAULT current_user, tenant text);
    ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON notes USING (owner = current_user AND tenant = current_setting('app.tenant', true));
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
    CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);
    CREATE TABLE rates (p percent); CREATE TYPE mood AS ENUM ('a', 'b');
    CREATE FUNCTION full_name(u users) RETURNS text LANGUAGE sql RETURN u.name || ' ' || u.email::text;";

fn reads() -> Vec<(&'static str, Statement)> {
    vec![
        ("a table", operators(select(&["users"]), &["=", "<"])),
        ("a view", select(&["active"])),
        ("row-level security", select(&["notes"])),
        (
            "pgcrypto",
            calling(select(&["users"]), &["digest", "gen_random_bytes", "crypt"]),
        ),
        (
            "trigrams",
            operators(calling(select(&["users"]), &["similarity"]), &["%", "<->"]),
        ),
        (
            "hstore",
            operators(
                calling(select(&["users"]), &["hstore", "akeys"]),
                &["->", "?"],
            ),
        ),
        (
            "citext and the server's own",
            calling(select(&["users"]), &["max", "replace", "lower", "count"]),
        ),
        ("unaccent", calling(select(&["users"]), &["unaccent"])),
        (
            "types",
            types(
                select(&["users"]),
                &["citext", "percent", "mood", "pg_catalog.int4"],
            ),
        ),
        (
            "a function whose body was parsed",
            calling(select(&["users"]), &["full_name"]),
        ),
        (
            "psql's \\d",
            operators(
                calling(
                    select(&[
                        "pg_catalog.pg_class",
                        "pg_catalog.pg_namespace",
                        "pg_catalog.pg_attribute",
                        "pg_catalog.pg_am",
                    ]),
                    &[
                        "pg_catalog.pg_table_is_visible",
                        "pg_catalog.format_type",
                        "pg_catalog.pg_get_expr",
                    ],
                ),
                &["=", "~"],
            ),
        ),
        (
            "information_schema",
            select(&[
                "information_schema.tables",
                "information_schema.columns",
                "information_schema.table_constraints",
            ]),
        ),
        (
            "what is not there",
            calling(select(&["no_such_table"]), &["no_such_function"]),
        ),
    ]
}

#[tokio::test]
async fn ordinary_reads_only_read() {
    let mut scene = Scene::new(SCHEMA).await;
    for (what, statement) in reads() {
        let closure = scene.close(&statement).await;
        assert_eq!(effects(&closure), [""; 0], "{what}: {:?}", closure.effects);
        assert!(closure.reads_only && !closure.open, "{what}");
        assert_eq!(closure.outside, None, "{what}");
    }
}

#[tokio::test]
async fn ordinary_changes_are_tried() {
    let mut scene = Scene::new(SCHEMA).await;
    for (what, statement, expected) in [
        (
            "identity and defaults",
            change(Usage::Insert, "users"),
            vec![],
        ),
        ("serial and checks", change(Usage::Insert, "orders"), vec![]),
        (
            "updated_at",
            change(Usage::Update, "users"),
            vec!["opaque function:public.touch"],
        ),
        ("a domain", change(Usage::Insert, "rates"), vec![]),
        ("row-level security", change(Usage::Update, "notes"), vec![]),
        ("deleting", change(Usage::Delete, "orders"), vec![]),
        (
            "no trigger for this",
            change(Usage::Delete, "users"),
            vec![],
        ),
    ] {
        let closure = scene.close(&statement).await;
        assert_eq!(effects(&closure), expected, "{what}: {:?}", closure.effects);
        assert_eq!(closure.outside, None, "{what}");
        assert!(!closure.reads_only, "{what}");
        let all_tried = closure.effects.iter().all(|added| added.transactional);
        assert!(all_tried, "{what}");
    }
}

#[tokio::test]
async fn disabled_triggers_do_not_count() {
    let mut scene = Scene::new(&format!("{SCHEMA} ALTER TABLE users DISABLE TRIGGER touch")).await;
    let closure = scene.close(&change(Usage::Update, "users")).await;
    assert_eq!(effects(&closure), [""; 0]);
}

#[tokio::test]
async fn secrets_of_the_server_are_secrets() {
    let mut scene = Scene::new("CREATE VIEW hashes AS SELECT rolpassword FROM pg_authid").await;
    for relation in ["pg_authid", "pg_catalog.pg_shadow", "hashes"] {
        let closure = scene.close(&select(&[relation])).await;
        let secret = closure
            .effects
            .iter()
            .any(|added| added.effect == Effect::SecretRead);
        assert!(secret, "{relation}: {:?}", closure.effects);
        assert!(closure.reads_only, "{relation}");
    }
}

#[tokio::test]
async fn cascades_are_part_of_it() {
    let mut scene = Scene::new(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);
         CREATE TABLE c (id int, b int REFERENCES b ON DELETE CASCADE); CREATE TABLE n (a int REFERENCES a ON DELETE SET NULL);
         CREATE TABLE r (a int REFERENCES a)",
    )
    .await;
    let mut deleted = effects(&*scene.close(&change(Usage::Delete, "a")).await);
    deleted.sort();
    assert_eq!(
        deleted,
        [
            "destroy table:public.b",
            "destroy table:public.c",
            "write table:public.n"
        ]
    );

    let plain = change(Usage::Truncate, "a");
    assert_eq!(effects(&*scene.close(&plain).await), [""; 0]);
    let mut on = plain;
    on.acts.iter_mut().for_each(|act| act.cascade = true);
    let mut truncated = effects(&*scene.close(&on).await);
    truncated.sort();
    let all = ["b", "c", "n", "r"].map(|table| format!("destroy table:public.{table}"));
    assert_eq!(truncated, all);
}
