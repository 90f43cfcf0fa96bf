//! Between our types and SQLite's columns. Words and ids are kept as their serde text, compound values
//! as canonical JSON, times as milliseconds.

use rusqlite::{Row, ToSql, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tagout_core::canonical::canonical_json;
use tagout_core::time::UnixMs;

use super::failure::Failure;

fn unreadable(column: &'static str, cause: &dyn ToString) -> Failure {
    Failure::Column {
        column,
        cause: cause.to_string(),
    }
}

/// The text of a value that serialises to a string.
pub(crate) fn word<T: Serialize>(value: &T) -> Result<String, Failure> {
    Ok(serde_json::from_value(serde_json::to_value(value)?)?)
}

/// The canonical JSON of a value.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    Ok(canonical_json(&serde_json::to_value(value)?))
}

/// SQLite's whole numbers end at 2⁶³ − 1; a later time is kept as the latest there is.
pub(crate) fn ms(time: UnixMs) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

fn from_text<T: DeserializeOwned>(column: &'static str, text: String) -> Result<T, Failure> {
    serde_json::from_value(Value::String(text)).map_err(|cause| unreadable(column, &cause))
}

/// Reads what [`word`] wrote.
pub(crate) fn get_word<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &'static str,
) -> Result<T, Failure> {
    from_text(column, row.get(column)?)
}

/// Reads what [`word`] wrote, or nothing.
pub(crate) fn get_some_word<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &'static str,
) -> Result<Option<T>, Failure> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| from_text(column, text)).transpose()
}

/// Reads what [`json`] wrote.
pub(crate) fn get_json<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &'static str,
) -> Result<T, Failure> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|cause| unreadable(column, &cause))
}

/// Reads a time.
pub(crate) fn get_ms(row: &Row<'_>, column: &'static str) -> Result<UnixMs, Failure> {
    get_number(row, column).map(UnixMs)
}

/// Reads a time, or nothing.
pub(crate) fn get_some_ms(row: &Row<'_>, column: &'static str) -> Result<Option<UnixMs>, Failure> {
    let value: Option<i64> = row.get(column)?;
    value
        .map(|value| u64::try_from(value).map(UnixMs))
        .transpose()
        .map_err(|cause| unreadable(column, &cause))
}

/// Reads a number that fits `T`.
pub(crate) fn get_number<T: TryFrom<i64>>(row: &Row<'_>, column: &'static str) -> Result<T, Failure>
where
    T::Error: ToString,
{
    let value: i64 = row.get(column)?;
    T::try_from(value).map_err(|cause| unreadable(column, &cause))
}

/// Every row of a query, each read by `read`.
pub(crate) fn all<T>(
    tx: &Transaction<'_>,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut statement = tx.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The first row of a query, if it has one.
pub(crate) fn first<T>(
    tx: &Transaction<'_>,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let mut statement = tx.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    rows.next()?.map(read).transpose()
}

/// A count, from a query that gives one.
pub(crate) fn count(
    tx: &Transaction<'_>,
    sql: &str,
    values: &[&dyn ToSql],
) -> Result<usize, Failure> {
    let found: i64 = tx
        .prepare_cached(sql)?
        .query_row(values, |row| row.get(0))?;
    Ok(usize::try_from(found).unwrap_or_default())
}

/// Runs a statement; gives how many rows it changed.
pub(crate) fn run(
    tx: &Transaction<'_>,
    sql: &str,
    values: &[&dyn ToSql],
) -> Result<usize, Failure> {
    Ok(tx.prepare_cached(sql)?.execute(values)?)
}
