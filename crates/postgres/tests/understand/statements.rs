//! What a statement says besides its effects: its text, its flow, and what has to be looked up.

use tagout_core::effect::{Mark, Reversibility};
use tagout_postgres::understand::statement::{Flow, Name, Statement, Usage};

use crate::reader;

fn read(sql: &str) -> Vec<Statement> {
    reader().read_blocking(sql.as_bytes()).unwrap().to_vec()
}

fn one(sql: &str) -> Statement {
    let mut all = read(sql);
    assert_eq!(all.len(), 1, "{sql}");
    all.remove(0)
}

#[test]
fn texts_and_verbs_are_their_own() {
    let found: Vec<_> = read(" -- first\nSELECT 'é;' ;; DROP TABLE \"ü\";\n\tVACUUM")
        .into_iter()
        .map(|statement| (statement.sql, statement.verb))
        .collect();
    let expected = [
        ("SELECT 'é;'", "SELECT"),
        ("DROP TABLE \"ü\"", "DROP TABLE"),
        ("VACUUM", "VACUUM"),
    ];
    assert_eq!(found, expected.map(|(sql, verb)| (sql.to_owned(), verb)));
    assert!(read("").is_empty() && read("-- x").is_empty());
}

#[test]
fn flows() {
    let set = |name: &str, value: Option<&str>, local| Flow::Set {
        name: name.to_owned(),
        value: value.map(str::to_owned),
        local,
    };
    let begin = |read_only| Flow::Begin { read_only };
    for (sql, flow) in [
        ("BEGIN", begin(None)),
        (
            "START TRANSACTION READ ONLY, READ WRITE",
            begin(Some(false)),
        ),
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
            begin(Some(true)),
        ),
        ("END AND CHAIN", Flow::Commit { chain: true }),
        ("ABORT", Flow::Rollback { chain: false }),
        ("SAVEPOINT \"A\"", Flow::Savepoint("A".into())),
        ("ROLLBACK TO SAVEPOINT a", Flow::RollbackTo("a".into())),
        ("RELEASE a", Flow::Release("a".into())),
        ("SELECT 1", Flow::Transactional),
        ("UPDATE t SET a = 1", Flow::Transactional),
        ("ANALYZE t", Flow::Transactional),
        ("REINDEX TABLE t", Flow::Transactional),
        ("CREATE INDEX ON t (a)", Flow::Transactional),
        ("COPY t FROM '/tmp/x'", Flow::Transactional),
        ("COPY t FROM STDIN", Flow::CopyIn),
        ("COPY t TO STDOUT", Flow::CopyOut),
        ("COPY t TO PROGRAM 'x'", Flow::Outside),
        ("COPY t TO '/tmp/x'", Flow::Outside),
        ("VACUUM t", Flow::Outside),
        ("CREATE INDEX CONCURRENTLY ON t (a)", Flow::Outside),
        ("DROP INDEX CONCURRENTLY i", Flow::Outside),
        ("REINDEX (CONCURRENTLY) TABLE t", Flow::Outside),
        ("REINDEX SCHEMA s", Flow::Outside),
        ("CREATE DATABASE d", Flow::Outside),
        ("DROP DATABASE d", Flow::Outside),
        ("ALTER SYSTEM SET a = 1", Flow::Outside),
        ("CLUSTER", Flow::Outside),
        (
            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
            Flow::Outside,
        ),
        ("ALTER TABLE t DETACH PARTITION p", Flow::Transactional),
        ("PREPARE TRANSACTION 'x'", Flow::Outside),
        ("COMMIT PREPARED 'x'", Flow::Outside),
        ("SELECT dblink_exec('a', 'b')", Flow::Outside),
        ("SELECT pg_terminate_backend(1)", Flow::Outside),
        ("SELECT pg_drop_replication_slot('x')", Flow::Outside),
        ("EXECUTE p (1)", Flow::Execute("p".into())),
        ("EXPLAIN ANALYZE EXECUTE p", Flow::Execute("p".into())),
        ("CREATE TABLE t AS EXECUTE p", Flow::Execute("p".into())),
        ("DEALLOCATE p", Flow::Deallocate(Some("p".into()))),
        ("DEALLOCATE PREPARE ALL", Flow::Deallocate(None)),
        ("SET a TO b, c", set("a", Some("b, c"), false)),
        (
            "SET LOCAL Work_Mem = 100",
            set("work_mem", Some("100"), true),
        ),
        ("SET x = -1.5", set("x", Some("-1.5"), false)),
        ("SET a TO DEFAULT", set("a", None, false)),
        ("RESET a", set("a", None, false)),
        (
            "SET TIME ZONE INTERVAL '1' HOUR",
            set("timezone", Some("1"), false),
        ),
        (
            "SET TRANSACTION READ WRITE",
            set("transaction_read_only", Some("off"), true),
        ),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
            set("default_transaction_read_only", Some("on"), false),
        ),
        (
            "SET NAMES 'utf8'",
            set("client_encoding", Some("utf8"), false),
        ),
        ("RESET ALL", Flow::ResetAll),
        ("DISCARD ALL", Flow::Discard("ALL")),
        ("DISCARD SEQUENCES", Flow::Discard("SEQUENCES")),
        (
            "DECLARE c CURSOR FOR SELECT 1",
            Flow::DeclareCursor {
                name: "c".into(),
                hold: false,
            },
        ),
        (
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            Flow::DeclareCursor {
                name: "c".into(),
                hold: true,
            },
        ),
        ("FETCH c", Flow::SessionOnly),
        ("SHOW ALL", Flow::SessionOnly),
        ("LISTEN x", Flow::SessionOnly),
        ("CHECKPOINT", Flow::Transactional),
    ] {
        assert_eq!(one(sql).flow, flow, "{sql}");
    }
    let Flow::Prepare { name, inner } = one("PREPARE P AS DELETE FROM t").flow else {
        panic!("not prepared");
    };
    assert_eq!((name.as_str(), inner.verb), ("p", "DELETE"));
}

#[test]
fn mentions_are_complete_and_without_names_of_with() {
    let sql = "WITH RECURSIVE a AS (SELECT lower(x) FROM app.t UNION SELECT y FROM a), \
        d AS (DELETE FROM gone USING a WHERE z ~ 'x' RETURNING *) \
        UPDATE users u SET at = now(), kind = $1::app.kind FROM d, LATERAL f(1, 'lit', u.id) \
        WHERE u.id OPERATOR(app.===) d.id AND (u.row).attr AND b IN (SELECT c FROM other)";
    let mentions = one(sql).mentions;
    let relations: Vec<_> = mentions
        .relations
        .iter()
        .map(|each| (each.name.to_string(), each.usage))
        .collect();
    let expected = [
        ("users", Usage::Update),
        ("app.t", Usage::Select),
        ("gone", Usage::Delete),
        ("other", Usage::Select),
    ];
    assert_eq!(
        relations,
        expected.map(|(name, usage)| (name.to_owned(), usage))
    );
    let calls: Vec<_> = mentions
        .calls
        .iter()
        .map(|each| (each.name.to_string(), each.arguments, each.literals.clone()))
        .collect();
    assert!(calls.contains(&("lower".into(), 1, vec![None])));
    assert!(calls.contains(&("f".into(), 3, vec![None, Some("lit".into()), None])));
    assert!(calls.iter().any(|(name, ..)| name == "now"));
    assert!(mentions.operators.contains(&Name::within("app", "===")));
    assert!(mentions.operators.contains(&Name::bare("~")));
    assert!(mentions.operators.contains(&Name::bare("=")));
    assert_eq!(mentions.types, [Name::within("app", "kind")]);
    for attribute in ["id", "row", "attr"] {
        assert!(
            mentions.attributes.contains(&attribute.to_owned()),
            "{attribute}"
        );
    }
}

#[test]
fn implied_operators_and_calls_are_mentioned() {
    let operators = |sql: &str| {
        let operators = one(sql).mentions.operators;
        operators
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(operators("SELECT a BETWEEN 1 AND 2"), ">= <=");
    assert_eq!(operators("SELECT a IN (SELECT 1)"), "=");
    assert_eq!(operators("SELECT CASE a WHEN 1 THEN 2 END"), "=");
    assert_eq!(operators("SELECT * FROM a JOIN b USING (c)"), "=");
    assert_eq!(operators("SELECT a LIKE b, a IS DISTINCT FROM b"), "~~ =");
    assert_eq!(operators("SELECT 1 ORDER BY a USING OPERATOR(s.<)"), "s.<");
    let calls = |sql: &str| {
        one(sql)
            .mentions
            .calls
            .into_iter()
            .map(|call| call.name.name)
            .next()
    };
    assert_eq!(
        calls("SELECT JSON_VALUE(a, '$')").as_deref(),
        Some("json_value")
    );
    assert_eq!(
        calls("SELECT JSON_SCALAR(a)").as_deref(),
        Some("json_scalar")
    );
    assert_eq!(calls("SELECT JSON(a)").as_deref(), Some("json"));
    assert_eq!(
        calls("SELECT EXTRACT(day FROM a)").as_deref(),
        Some("extract")
    );
}

#[test]
fn what_can_be_taken_back_and_what_is_graver() {
    use Reversibility::{Costly, Irreversible, Undoable};
    for (sql, reversibility, marks) in [
        ("SELECT 1", Undoable, &[][..]),
        ("INSERT INTO t VALUES (1)", Costly, &[]),
        ("UPDATE t SET a = 1", Irreversible, &[]),
        ("DELETE FROM t", Irreversible, &[]),
        ("DROP TABLE t", Irreversible, &[]),
        ("DROP VIEW v CASCADE", Costly, &[]),
        ("DROP INDEX i", Costly, &[]),
        ("DROP FUNCTION f", Costly, &[]),
        ("DROP TYPE t CASCADE", Irreversible, &[]),
        (
            "DROP DATABASE d",
            Irreversible,
            &[Mark::Whole, Mark::Foundation],
        ),
        ("DROP TABLESPACE d", Irreversible, &[Mark::Whole]),
        ("CREATE ROLE r PASSWORD 'x'", Costly, &[Mark::Mint]),
        ("ALTER ROLE r PASSWORD NULL", Costly, &[]),
        ("CREATE ROLE r", Costly, &[]),
    ] {
        let act = one(sql).acts.remove(0);
        assert_eq!(
            (act.reversibility, act.marks.as_slice()),
            (reversibility, marks),
            "{sql}"
        );
    }
    assert!(one("TRUNCATE t CASCADE").acts[0].cascade);
    assert!(one("ALTER TABLE t DROP COLUMN a CASCADE").acts[0].cascade);
    assert!(!one("DROP TABLE t").acts[0].cascade);
}

/// The compiler sees to it that each node of the grammar is named; this sees to it that it can.
#[test]
fn no_wildcard_takes_nodes_that_nobody_thought_about() {
    let source = include_str!("../../src/understand/classify/mod.rs");
    let from = source.find("fn node(&mut self").unwrap();
    let to = source.find("fn parts(&mut self").unwrap();
    let walk = &source[from..to];
    assert!(!walk.contains("_ =>"), "the walk has a wildcard");
    let table = include_str!("../../src/understand/tree.rs");
    assert!(
        !table.contains(".. }") && !table.contains("_ =>"),
        "the table of nodes has a gap"
    );
}
