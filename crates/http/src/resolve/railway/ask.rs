//! One look-up: a fixed GraphQL document of ours, sent under an errand's clearance.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tagout_core::operation::Exact;
use tagout_core::permit::Errand;
use tagout_core::pipeline::{Errands, Throttled, Vault};

use super::backups::Listed;
use crate::execute::{NotWhole, Sender, read_whole};
use crate::limits::{ANSWER_LIMIT_BYTES, LOOK_UP_TIMEOUT};
use crate::message::Message;
use crate::upstream::{Registered, Sent};

/// Where Railway speaks GraphQL.
pub(crate) const GRAPHQL_PATH: &str = "/graphql/v2";

/// What a look-up needs.
#[derive(Clone, Copy)]
pub(crate) struct LookUp<'a> {
    /// The upstream.
    pub(crate) to: &'a Registered,
    /// Uses its credential.
    pub(crate) vault: &'a dyn Vault,
    /// Gives leave.
    pub(crate) errands: &'a dyn Errands,
    /// What was listed already during this resolution.
    pub(crate) listed: &'a Listed,
}

/// Why a look-up found nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFound {
    /// The provider's limit.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// No answer.
    #[error("the look-up got no answer: {0}")]
    NoAnswer(String),
    /// The provider says that it is not there, or not for us to see.
    #[error("the provider does not show it: {0}")]
    Refused(String),
    /// An answer of another shape than the documented one.
    #[error("the look-up's answer is not understood: {0}")]
    NotUnderstood(String),
    /// More pages than we read.
    #[error("there is more than can be looked up")]
    TooMuch,
}

impl From<NotWhole> for NotFound {
    fn from(not_whole: NotWhole) -> Self {
        Self::NoAnswer(not_whole.to_string())
    }
}

impl LookUp<'_> {
    /// Sends `query` with `variables`; the whole of `data`, or nothing at all.
    pub(crate) async fn ask<T: DeserializeOwned>(
        self,
        query: &str,
        variables: Value,
    ) -> Result<T, NotFound> {
        let answer = self.answer(query, &variables).await?;
        if let Some(error) = first_error(&answer) {
            return Err(error);
        }
        let data = answer.get("data").cloned().unwrap_or_default();
        serde_json::from_value(data).map_err(|error| NotFound::NotUnderstood(error.to_string()))
    }

    async fn answer(self, query: &str, variables: &Value) -> Result<Value, NotFound> {
        let clearance = self.errands.leave(&self.to.upstream.name, Errand::LookUp)?;
        let exact = Exact::new(message(query, variables).write());
        let sender = Sender {
            to: self.to,
            vault: self.vault,
        };
        let exchange = async {
            match sender.send(&clearance, &exact).await {
                Sent::Answered(answer) => {
                    Ok(read_whole(answer.into_body(), ANSWER_LIMIT_BYTES).await?)
                }
                Sent::Unsent(why) | Sent::Lost(why) => Err(NotFound::NoAnswer(why)),
                Sent::Late => Err(NotFound::NoAnswer("no answer in time".to_owned())),
            }
        };
        let body = tokio::time::timeout(LOOK_UP_TIMEOUT, exchange).await;
        let body = body.map_err(|_| NotFound::NoAnswer("no answer in time".to_owned()))??;
        serde_json::from_slice(&body).map_err(|error| NotFound::NotUnderstood(error.to_string()))
    }
}

/// The provider's own words for what our credential may not see, or what is not there (any more). Any
/// other error is taken for a failure of the provider, and never for an answer.
const NOT_VISIBLE: [&str; 2] = ["not authorized", "not found"];

fn first_error(answer: &Value) -> Option<NotFound> {
    let error = answer.get("errors")?.as_array()?.first()?;
    let text = error
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or("no message");
    let lower = text.to_ascii_lowercase();
    let shown = text.escape_debug().to_string();
    let is_answer = NOT_VISIBLE.iter().any(|words| lower.contains(words));
    Some(if is_answer {
        NotFound::Refused(shown)
    } else {
        NotFound::NoAnswer(shown)
    })
}

fn message(query: &str, variables: &Value) -> Message {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Message {
        method: Method::POST,
        target: GRAPHQL_PATH.to_owned(),
        headers,
        body: Bytes::from(json!({"query": query, "variables": variables}).to_string()),
    }
}
