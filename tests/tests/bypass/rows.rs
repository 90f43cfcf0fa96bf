//! The attacks, and what is there before each.

use tagout_tests::spoken::Say::{Bind, Call, Close, Execute, Flush, Parse, Query, Sync};

use super::Row;

/// Run as the owner of everything, in an empty schema `public`.
pub(crate) const SETUP: &str = "
CREATE TABLE bookings (id int PRIMARY KEY, guest text);
INSERT INTO bookings SELECT n, 'guest ' || n FROM generate_series(1, 50) n;
CREATE SEQUENCE tickets;
CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM bookings; RETURN 1; END';
CREATE FUNCTION calm() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM wipe(); RETURN 1; END';
CREATE FUNCTION still() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN PERFORM wipe(); RETURN 1; END';
CREATE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN DELETE FROM bookings; COMMIT; END';
CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE plpgsql AS 'BEGIN DELETE FROM bookings; RETURN $1; END';
CREATE VIEW quiet AS SELECT wipe() AS one;
CREATE SCHEMA IF NOT EXISTS other;
DROP TABLE IF EXISTS other.bookings;
CREATE TABLE other.bookings (id int PRIMARY KEY, guest text);
INSERT INTO other.bookings SELECT n, 'other ' || n FROM generate_series(1, 50) n;
";

const fn row(name: &'static str, says: &'static [&'static [tagout_tests::spoken::Say]]) -> Row {
    Row {
        name,
        says,
        bites: true,
    }
}

const fn harmless(
    name: &'static str,
    says: &'static [&'static [tagout_tests::spoken::Say]],
) -> Row {
    Row {
        name,
        says,
        bites: false,
    }
}

/// All of them.
pub(crate) const ROWS: &[Row] = &[
    // By the words.
    row(
        "a delete within a query",
        &[&[Query(
            "WITH d AS (DELETE FROM bookings RETURNING id) SELECT count(*) FROM d",
        )]],
    ),
    row(
        "EXPLAIN ANALYZE",
        &[&[Query("EXPLAIN ANALYZE DELETE FROM bookings")]],
    ),
    row(
        "EXPLAIN of a function that lies",
        &[&[Query("EXPLAIN SELECT calm()")]],
    ),
    row(
        "EXPLAIN of a condition that lies",
        &[&[Query("EXPLAIN SELECT 1 FROM bookings WHERE id = still()")]],
    ),
    row("DO", &[&[Query("DO 'BEGIN DELETE FROM bookings; END'")]]),
    row(
        "DO with COMMIT inside",
        &[&[Query("DO 'BEGIN DELETE FROM bookings; COMMIT; END'")]],
    ),
    row("CALL that commits", &[&[Query("CALL commits()")]]),
    row("a function", &[&[Query("SELECT wipe()")]]),
    row(
        "a function by the name of the server's",
        &[&[Query("SELECT lower('A'::varchar)")]],
    ),
    row("a view", &[&[Query("SELECT * FROM quiet")]]),
    row(
        "every view as XML",
        &[&[Query("SELECT database_to_xml(true, true, '')")]],
    ),
    row(
        "a query as text",
        &[&[Query(
            "SELECT query_to_xml('SELECT wipe()', true, true, '')",
        )]],
    ),
    row(
        "COPY of a delete",
        &[&[Query("COPY (DELETE FROM bookings RETURNING id) TO STDOUT")]],
    ),
    row(
        "SELECT INTO",
        &[&[Query("SELECT * INTO copied FROM bookings")]],
    ),
    row(
        "a password of our own",
        &[&[
            Query("ALTER ROLE app PASSWORD 'other-password'"),
            Query("ALTER ROLE app PASSWORD 'app-password-for-tests-only'"),
        ]],
    ),
    row(
        "settings that last",
        &[
            &[Query("ALTER ROLE app SET work_mem = '5MB'")],
            &[Query("SELECT 1")],
        ],
    ),
    row("a sequence", &[&[Query("SELECT nextval('tickets')")]]),
    row(
        "a large object",
        &[&[Query("SELECT lo_from_bytea(0, 'abc')")]],
    ),
    row(
        "a rewritten function",
        &[&[Query(
            "CREATE OR REPLACE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'SELECT 2'",
        )]],
    ),
    harmless(
        "COPY to a program",
        &[&[Query("COPY bookings TO PROGRAM 'true'")]],
    ),
    harmless("a function by its number", &[&[Call(2323)]]),
    // Transactions.
    row(
        "a commit and a drop in one",
        &[&[Query("BEGIN; SELECT 1; COMMIT; DROP TABLE bookings")]],
    ),
    row(
        "writable again",
        &[&[Query(
            "BEGIN READ ONLY; SET TRANSACTION READ WRITE; DELETE FROM bookings; COMMIT",
        )]],
    ),
    row(
        "writable again, by a function",
        &[&[
            Query("SELECT set_config('default_transaction_read_only', 'off', false)"),
            Query("DELETE FROM bookings"),
        ]],
    ),
    row(
        "a savepoint",
        &[&[Query(
            "BEGIN; SAVEPOINT s; SELECT wipe(); ROLLBACK TO s; DELETE FROM bookings WHERE id = 1; COMMIT",
        )]],
    ),
    row(
        "COMMIT AND CHAIN",
        &[&[
            Query("BEGIN"),
            Query("DELETE FROM bookings"),
            Query("COMMIT AND CHAIN"),
            Query("ROLLBACK"),
        ]],
    ),
    harmless(
        "two phases",
        &[&[
            Query("BEGIN"),
            Query("DELETE FROM bookings"),
            Query("PREPARE TRANSACTION 'x'"),
        ]],
    ),
    harmless(
        "a commit that fails",
        &[&[
            Query("BEGIN"),
            Query("DELETE FROM bookings"),
            Query("SELECT 1/0"),
            Query("COMMIT"),
        ]],
    ),
    // Cursors.
    row(
        "a cursor",
        &[&[
            Query("BEGIN"),
            Query("DECLARE c CURSOR FOR SELECT wipe()"),
            Query("FETCH c"),
            Query("COMMIT"),
        ]],
    ),
    row(
        "a cursor that runs at the commit",
        &[&[
            Query("BEGIN"),
            Query("DECLARE c CURSOR WITH HOLD FOR SELECT wipe()"),
            Query("COMMIT"),
        ]],
    ),
    row(
        "a cursor by its portal",
        &[&[
            Query("BEGIN"),
            Query("DECLARE c CURSOR FOR SELECT wipe()"),
            Execute("c"),
            Sync,
            Query("COMMIT"),
        ]],
    ),
    // Names of prepared statements.
    row(
        "PREPARE and EXECUTE",
        &[&[
            Query("PREPARE p AS DELETE FROM bookings"),
            Query("EXECUTE p"),
        ]],
    ),
    row(
        "PREPARE, then Bind",
        &[
            &[Query("PREPARE p AS DELETE FROM bookings")],
            &[Bind("", "p"), Execute(""), Sync],
        ],
    ),
    row(
        "Parse, then EXECUTE",
        &[
            &[Parse("p", "DELETE FROM bookings"), Sync],
            &[Query("EXECUTE p")],
        ],
    ),
    row(
        "PREPARE in a query that fails, then Bind",
        &[
            &[Query("PREPARE p AS DELETE FROM bookings; SELECT 1/0")],
            &[Bind("", "p"), Execute(""), Sync],
        ],
    ),
    row(
        "PREPARE in a query that fails, then EXECUTE",
        &[
            &[Query("PREPARE p AS DELETE FROM bookings; SELECT 1/0")],
            &[Query("EXECUTE p")],
        ],
    ),
    row(
        "Parse in a series that fails, then Bind",
        &[
            &[
                Parse("p", "DELETE FROM bookings"),
                Parse("", "UPDATE bookings SET id = 1/0"),
                Bind("", ""),
                Execute(""),
                Sync,
            ],
            &[Bind("", "p"), Execute(""), Sync],
        ],
    ),
    row(
        "the nameless one after an error",
        &[
            &[Parse("", "SELECT 1"), Bind("", ""), Execute(""), Sync],
            &[
                Parse("x", "UPDATE bookings SET id = 1/0"),
                Parse("", "DELETE FROM bookings"),
                Bind("", "x"),
                Execute(""),
                Sync,
            ],
            &[Bind("", ""), Execute(""), Sync],
        ],
    ),
    row(
        "a Close that was passed over",
        &[
            &[Parse("p", "DELETE FROM bookings"), Sync],
            &[
                Parse("", "SELECT 1/0"),
                Bind("", ""),
                Execute(""),
                Close("p"),
                Sync,
            ],
            &[Bind("", "p"), Execute(""), Sync],
        ],
    ),
    row(
        "another statement behind a name, in one query",
        &[
            &[Query("PREPARE p AS SELECT 1")],
            &[Query(
                "DEALLOCATE p; PREPARE p AS DELETE FROM bookings; EXECUTE p",
            )],
        ],
    ),
    row(
        "a commit behind a name",
        &[
            &[Parse("c", "COMMIT"), Sync],
            &[
                Query("BEGIN"),
                Query("DELETE FROM bookings"),
                Query("EXECUTE c"),
            ],
        ],
    ),
    row(
        "a commit behind two names",
        &[
            &[Parse("c", "COMMIT"), Parse("d", "EXECUTE c"), Sync],
            &[
                Query("BEGIN"),
                Query("DELETE FROM bookings"),
                Query("EXECUTE d"),
            ],
        ],
    ),
    row(
        "a commit behind a name that is bound",
        &[
            &[Parse("c", "COMMIT"), Parse("d", "EXECUTE c"), Sync],
            &[
                Query("BEGIN"),
                Query("DELETE FROM bookings"),
                Bind("", "d"),
                Execute(""),
                Sync,
            ],
        ],
    ),
    harmless(
        "our own commit, bound",
        &[
            &[Query("SELECT 1")],
            &[
                Query("BEGIN"),
                Query("DELETE FROM bookings"),
                Bind("", "__tagout_commit"),
                Execute(""),
                Sync,
            ],
        ],
    ),
    harmless(
        "our own commit, executed",
        &[
            &[Query("SELECT 1")],
            &[
                Query("BEGIN"),
                Query("DELETE FROM bookings"),
                Query("EXECUTE __tagout_commit"),
            ],
        ],
    ),
    row(
        "our own beginning, replaced",
        &[
            &[Query("SELECT 1")],
            &[Query(
                "DEALLOCATE ALL; PREPARE __tagout_begin_reading AS SELECT 1",
            )],
            &[Query("SELECT wipe()")],
        ],
    ),
    row(
        "our own beginning, closed",
        &[
            &[Query("SELECT 1")],
            &[Close("__tagout_begin_reading"), Sync],
            &[Query("SELECT wipe()")],
        ],
    ),
    row(
        "everything forgotten in a query that fails",
        &[
            &[Query("SELECT 1")],
            &[Query("DEALLOCATE ALL; SELECT 1/0")],
            &[Query("SELECT wipe()")],
        ],
    ),
    row(
        "DISCARD ALL",
        &[
            &[Query("SELECT 1")],
            &[Query("DISCARD ALL")],
            &[Query("SELECT wipe()")],
        ],
    ),
    row(
        "our own beginning, replaced in a query that fails",
        &[
            &[Query("SELECT 1")],
            &[Query(
                "DEALLOCATE __tagout_begin_reading; PREPARE __tagout_begin_reading AS SELECT 1; SELECT 1/0",
            )],
            &[Query("SELECT wipe()")],
        ],
    ),
    harmless(
        "everything forgotten by itself",
        &[
            &[Query("SELECT 1")],
            &[Query("DEALLOCATE ALL")],
            &[Query("DISCARD ALL")],
            &[Query("SELECT 1")],
        ],
    ),
    // Portals.
    row(
        "a portal that is run later",
        &[
            &[Query("BEGIN")],
            &[Parse("", "DELETE FROM bookings"), Bind("a", ""), Sync],
            &[Execute("a"), Sync],
            &[Query("COMMIT")],
        ],
    ),
    row(
        "messages behind one that is held",
        &[&[
            Parse("", "DROP TABLE other.bookings"),
            Bind("", ""),
            Execute(""),
            Parse("", "DELETE FROM bookings"),
            Bind("", ""),
            Execute(""),
            Sync,
        ]],
    ),
    row(
        "a series without an end",
        &[&[
            Parse("", "DELETE FROM bookings"),
            Bind("", ""),
            Execute(""),
            Flush,
            Sync,
        ]],
    ),
    // What names mean.
    row(
        "a search path set by a function",
        &[
            &[Query("DELETE FROM bookings WHERE id = 1")],
            &[
                Query("SELECT set_config('search_path', 'other', false)"),
                Query("DELETE FROM bookings"),
            ],
        ],
    ),
    row(
        "a temporary table in front",
        &[&[
            Query("CREATE TEMP TABLE bookings (id int)"),
            Query("DELETE FROM bookings"),
            Query("DROP TABLE bookings; DELETE FROM bookings"),
        ]],
    ),
];
