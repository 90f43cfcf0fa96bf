//! All ways to write a statement have one verdict.

use proptest::prelude::*;

use crate::summary;

/// Statements in pieces that may stand further apart, or have other cases.
const PIECES: [&[&str]; 8] = [
    &["DROP", "TABLE", "users", "CASCADE"],
    &["DELETE", "FROM", "users", "WHERE", "id", "=", "1"],
    &[
        "WITH",
        "d",
        "AS",
        "(",
        "DELETE",
        "FROM",
        "users",
        "RETURNING",
        "*",
        ")",
        "SELECT",
        "*",
        "FROM",
        "d",
    ],
    &[
        "SELECT", "*", "FROM", "users", "JOIN", "orders", "USING", "(", "id", ")",
    ],
    &["SET", "session_replication_role", "=", "replica"],
    &["SELECT", "pg_terminate_backend", "(", "1", ")"],
    &["ALTER", "TABLE", "users", "DROP", "COLUMN", "email"],
    &[
        "EXPLAIN", "ANALYZE", "UPDATE", "users", "SET", "a", "=", "1",
    ],
];

const GAPS: [&str; 8] = [
    " ",
    "\n\t",
    "/* DROP TABLE x; */",
    "/* a /* nested */ b */",
    "-- SELECT 1;\n",
    "\r\n\r\n",
    " /**/ ",
    "\u{c}",
];

fn written(pieces: &[&str], gaps: &[usize], cases: &[bool]) -> String {
    let mut sql = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        sql.push_str(GAPS[gaps[at % gaps.len()] % GAPS.len()]);
        let upper = cases[at % cases.len()];
        sql.push_str(&if upper {
            piece.to_uppercase()
        } else {
            piece.to_lowercase()
        });
    }
    sql
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn space_comments_and_case_change_nothing(
        which in 0..PIECES.len(),
        gaps in prop::collection::vec(0..GAPS.len(), 1..8),
        cases in prop::collection::vec(any::<bool>(), 1..8),
        semicolons in 0..3_usize,
    ) {
        let pieces = PIECES[which];
        let sql = written(pieces, &gaps, &cases) + &";".repeat(semicolons);
        prop_assert_eq!(summary(&sql), summary(&pieces.join(" ")), "{}", sql);
    }

    #[test]
    fn any_text_is_answered(sql in "\\PC{0,80}") {
        prop_assert!(!summary(&sql).is_empty());
    }

    #[test]
    fn what_is_quoted_is_not_run(text in "[a-zA-Z ;*()=-]{0,40}") {
        for sql in [
            format!("SELECT '{text}'"),
            format!("SELECT $tag${text}$tag$"),
            format!("SELECT E'{text}'"),
            format!("SELECT 1 AS \"x{text}\""),
            format!("SELECT /* {} */ 1", text.replace('*', "")),
            format!("SELECT 1 -- {text}"),
        ] {
            prop_assert_eq!(summary(&sql), "read row:*", "{}", sql);
        }
    }
}

#[test]
fn quoting_escapes_and_parentheses_change_nothing() {
    for (plain, rewrites) in [
        (
            "DELETE FROM users",
            &[
                "DELETE FROM \"users\"",
                "DELETE FROM USERS",
                "DELETE FROM U&\"\\0075sers\"",
                "DELETE FROM U&\"!0075sers\" UESCAPE '!'",
                "DELETE FROM users AS u",
                "DELETE FROM users *",
                "DELETE FROM ONLY (users)",
            ][..],
        ),
        (
            "SELECT * FROM users",
            &["TABLE users", "((SELECT * FROM users))", "(TABLE users)"],
        ),
        (
            "SELECT set_config('role', 'admin', false)",
            &[
                "SELECT set_config('ROLE', 'admin', false)",
                "SELECT set_config(E'\\x72ole', 'admin', false)",
                "SELECT set_config(E'\\u0072ole', 'admin', false)",
                "SELECT set_config(U&'\\0072ole', 'admin', false)",
                "SELECT set_config($$role$$, 'admin', false)",
                "SELECT set_config('ro'\n'le', 'admin', false)",
                "SELECT set_config('role'::text, 'admin', false)",
                "SELECT set_config(CAST('role' AS text), 'admin', false)",
                "SELECT set_config(text 'role', 'admin', false)",
                "SELECT (set_config((('role')), 'admin', false))",
                "SELECT pg_catalog.set_config('role', 'admin', false)",
                "SELECT \"set_config\"('role', 'admin', false)",
            ],
        ),
        (
            "SET role = admin",
            &[
                "SET ROLE admin",
                "SET \"role\" TO 'admin'",
                "SET SESSION ROLE admin",
            ],
        ),
        (
            "SET client_encoding = 'sjis'",
            &["SET NAMES 'SJIS'", "SET \"client_encoding\" TO SJIS"],
        ),
    ] {
        for rewrite in rewrites {
            assert_eq!(summary(rewrite), summary(plain), "{rewrite}");
        }
    }
    // Names that only look alike are others.
    assert_ne!(
        summary("DELETE FROM \"Users\""),
        summary("DELETE FROM users")
    );
    assert_ne!(
        summary("DELETE FROM staging.users"),
        summary("DELETE FROM prod.users")
    );
}
