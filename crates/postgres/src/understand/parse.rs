//! From bytes to statements, on whichever thread it is called: it needs a large stack, see `Reader`.

use pg_query::ParseResult;

use super::classify::{self, statement_node};
use super::statement::Statement;

/// Texts longer than this are not looked into: PostgreSQL itself takes up to a gigabyte, but nobody writes
/// statements of more than a megabyte by hand, loads go by `COPY`, and reading them costs about 100 ms a
/// megabyte.
pub const LONGEST_BYTES: usize = 1024 * 1024;

/// Why bytes have no meaning that we know. None of them may run unseen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// Not UTF-8: the server could read other characters than we do.
    #[error("the statement is not UTF-8")]
    NotUtf8,
    /// A zero byte, at which C programs stop reading.
    #[error("the statement has a zero byte in it")]
    Nul,
    /// Longer than the limit.
    #[error("the statement has {bytes} bytes, more than {limit}; load rows with `COPY`")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// PostgreSQL's grammar refuses it, nested too deeply included. Its message holds text of the statement.
    #[error("PostgreSQL's grammar does not read the statement: {0}")]
    Syntax(String),
    /// It took too long, or too many others waited.
    #[error("reading the statement took more than {limit_ms} ms")]
    TooSlow {
        /// The limit.
        limit_ms: u64,
    },
    /// The parser failed in a way that it should not.
    #[error("the parser failed on the statement")]
    Failed,
}

/// Everything that a text says, statement by statement; no statement at all is an empty list.
pub(super) fn understand(
    sql: &[u8],
    longest_bytes: usize,
) -> Result<Vec<Statement>, NotUnderstood> {
    let text = text(sql, longest_bytes)?;
    let parsed = tree(text)?;
    parsed
        .protobuf
        .stmts
        .iter()
        .map(|raw| {
            let node = statement_node(raw).ok_or(NotUnderstood::Failed)?;
            Ok(classify::statement(
                own_text(text, raw.stmt_location, raw.stmt_len),
                node,
            ))
        })
        .collect()
}

/// The bytes as text, if they have only one reading.
pub(super) fn text(sql: &[u8], longest_bytes: usize) -> Result<&str, NotUnderstood> {
    if sql.len() > longest_bytes {
        return Err(NotUnderstood::TooLong {
            bytes: sql.len(),
            limit: longest_bytes,
        });
    }
    if sql.contains(&0) {
        return Err(NotUnderstood::Nul);
    }
    std::str::from_utf8(sql).map_err(|_| NotUnderstood::NotUtf8)
}

/// The tree of a text, as PostgreSQL's grammar reads it with its settings as they are by default: sessions
/// are kept at those that change the reading.
pub(super) fn tree(sql: &str) -> Result<ParseResult, NotUnderstood> {
    pg_query::parse(sql, pg_query::ParserOptions::DEFAULT).map_err(|error| match error {
        pg_query::Error::Parse(message) => NotUnderstood::Syntax(message),
        _ => NotUnderstood::Failed,
    })
}

/// The part of a text that is one statement. A length of zero means: up to the end.
fn own_text(sql: &str, from: i32, length: i32) -> &str {
    let from = usize::try_from(from).unwrap_or(0);
    let rest = sql.get(from..).unwrap_or(sql);
    let own = match usize::try_from(length) {
        Ok(length @ 1..) => rest.get(..length).unwrap_or(rest),
        _ => rest,
    };
    own.trim()
}
