//! How the catalog is asked: text in, rows of text out, on the session's own connection.

use serde::de::DeserializeOwned;
use tagout_core::pipeline::Later;

/// The rows of an answer, as text; `None` for NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// Why an answer can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The server refused the question.
    #[error("the server refused a look-up with {sqlstate}: `{message}`")]
    Refused {
        /// Its SQLSTATE.
        sqlstate: String,
        /// What it said, escaped.
        message: String,
    },
    /// The connection is gone.
    #[error("the connection ended during a look-up")]
    Lost,
    /// The answer has another shape than the question.
    #[error("a look-up was answered with what can't be read: `{0}`")]
    Unreadable(String),
}

/// One simple query on the session's own connection, so that the answer sees what the session sees: its
/// temporary tables, its search path, what its transaction has not committed yet.
pub trait Ask: Send {
    /// The rows of one simple query in text.
    fn rows<'a>(&'a mut self, sql: &'a str) -> Later<'a, Result<Rows, AskError>>;
}

/// Asks a question whose rows are one JSON object each.
pub(super) async fn objects<T: DeserializeOwned>(
    ask: &mut dyn Ask,
    sql: &str,
) -> Result<Vec<T>, AskError> {
    let rows = ask.rows(sql).await?;
    rows.into_iter().map(object).collect()
}

fn object<T: DeserializeOwned>(row: Vec<Option<String>>) -> Result<T, AskError> {
    let text = row.into_iter().next().flatten().unwrap_or_default();
    serde_json::from_str(&text).map_err(|error| AskError::Unreadable(error.to_string()))
}
