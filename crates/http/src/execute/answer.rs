//! From an upstream's answer to an outcome and what the agent may see of it.

use std::sync::Arc;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use http_body::Body as _;
use tagout_core::operation::SecretPath;
use tagout_core::pipeline::{Executed, Outcome, Vault};
use tagout_core::refusal::{Refusal, RefusalKind};

use crate::execute::decode::{decode, is_encoded};
use crate::execute::redact::redact;
use crate::execute::send::{Answered, Sender};
use crate::execute::{Scrubbed, headers, outcome, read_whole};
use crate::limits::{ANSWER_LIMIT_BYTES, SMALL_ANSWER_BYTES};
use crate::refused::{Shape, refusal_reply};
use crate::reply::Reply;
use crate::upstream::AnswerBody;

/// What the operation lets us expect of its answer.
#[derive(Clone)]
pub(crate) struct Expected<'a> {
    /// The method that was sent: an answer to `HEAD` has no body.
    pub(crate) method: Method,
    /// Whether the answer is GraphQL's.
    pub(crate) shape: Shape,
    /// Whether anything but observing was asked.
    pub(crate) effect: bool,
    /// How many root fields a GraphQL request has: each may have happened without the others.
    pub(crate) members: usize,
    /// What must not reach the agent.
    pub(crate) secrets: &'a [SecretPath],
    /// Who knows the credential, for an answer that is passed on after this call.
    pub(crate) vault: Arc<dyn Vault>,
}

/// Reads an answer as far as needed.
pub(crate) async fn receive(
    sender: Sender<'_>,
    answer: Answered,
    expected: Expected<'_>,
) -> Executed<Reply> {
    let (mut head, body) = answer.into_parts();
    let encoded = is_encoded(&head.headers);
    let from = &sender.to.endpoint;
    headers::clean(
        &mut head.headers,
        from,
        &sender.to.upstream.name,
        sender.vault,
    );
    if let Some(why) = not_for_agents(head.status) {
        return answered(
            expected.outcome_of_status(head.status),
            withheld(&expected, why),
        );
    }
    if expected.method == Method::HEAD {
        let outcome = expected.outcome_of_status(head.status);
        return answered(
            outcome,
            Reply::whole(head.status, head.headers, Bytes::new()),
        );
    }
    if !(encoded || is_small(&body) || expected.needs_whole()) {
        return streamed(sender, head, body, expected);
    }
    match read_whole(body, ANSWER_LIMIT_BYTES).await {
        Ok(body) => whole(sender, head, body, &expected),
        Err(why) => {
            let outcome = expected.outcome_without_body(&head, &why.to_string());
            answered(outcome, withheld(&expected, &why.to_string()))
        }
    }
}

/// Answers that would only mislead. One that says 401 speaks of the gateway's own credential; agents
/// take it for theirs and look for another.
fn not_for_agents(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::UNAUTHORIZED => Some(
            "the upstream does not accept the credential that the gateway holds for it. A person has to renew that one; no other credential helps here",
        ),
        status if status.is_informational() => Some("the upstream wants to leave HTTP"),
        _ => None,
    }
}

/// Whether it is not worth to pass an answer on piece by piece.
fn is_small(body: &AnswerBody) -> bool {
    body.size_hint()
        .exact()
        .is_some_and(|length| length <= SMALL_ANSWER_BYTES)
}

fn streamed(
    sender: Sender<'_>,
    mut head: Parts,
    body: AnswerBody,
    expected: Expected<'_>,
) -> Executed<Reply> {
    // What is taken out changes the length.
    head.headers.remove(header::CONTENT_LENGTH);
    let outcome = expected.outcome_of_status(head.status);
    let body = Scrubbed::new(body, sender.to.upstream.name.clone(), expected.vault);
    answered(outcome, Reply::streamed(head.status, head.headers, body))
}

const fn answered(outcome: Outcome, reply: Reply) -> Executed<Reply> {
    Executed {
        outcome,
        reply: Some(reply),
    }
}

impl Expected<'_> {
    fn is_graphql_effect(&self) -> bool {
        self.effect && self.shape == Shape::GraphQl
    }

    fn needs_whole(&self) -> bool {
        self.is_graphql_effect() || !self.secrets.is_empty()
    }

    fn outcome(&self, head: &Parts, body: &[u8]) -> Outcome {
        if self.is_graphql_effect() {
            outcome::of_graphql(head.status, body, self.members)
        } else {
            self.outcome_of_status(head.status)
        }
    }

    fn outcome_of_status(&self, status: StatusCode) -> Outcome {
        if self.effect {
            outcome::of_status(status)
        } else {
            outcome::of_read(status)
        }
    }

    /// The body of a GraphQL answer says what happened; elsewhere the status does.
    fn outcome_without_body(&self, head: &Parts, why: &str) -> Outcome {
        match self.outcome_of_status(head.status) {
            Outcome::Done(_) if self.is_graphql_effect() => Outcome::Unknown(why.to_owned()),
            outcome => outcome,
        }
    }
}

fn whole(
    sender: Sender<'_>,
    mut head: Parts,
    body: Bytes,
    expected: &Expected<'_>,
) -> Executed<Reply> {
    // The encoding is still among the headers: `clean` takes only what must not pass.
    let Some(plain) = decode(&head.headers, body, ANSWER_LIMIT_BYTES) else {
        let why = "the answer's encoding could not be undone";
        return answered(
            expected.outcome_without_body(&head, why),
            withheld(expected, why),
        );
    };
    // Before anything is made of it: what became of the effect is told and recorded too.
    let mut plain = Vec::from(plain);
    sender.vault.scrub(&sender.to.upstream.name, &mut plain);
    let outcome = expected.outcome(&head, &plain);
    let Some(mut shown) = without_secrets(plain, expected) else {
        let why = "secret fields could not be taken out of the answer";
        return answered(outcome, withheld(expected, why));
    };
    // Once more: what was written anew may spell it plainly now.
    sender.vault.scrub(&sender.to.upstream.name, &mut shown);
    head.headers.remove(header::CONTENT_ENCODING);
    if !(shown.is_empty() && is_bodiless(head.status)) {
        head.headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(shown.len()));
    }
    answered(
        outcome,
        Reply::whole(head.status, head.headers, shown.into()),
    )
}

/// Statuses whose answers have no body, and so say no length of one.
fn is_bodiless(status: StatusCode) -> bool {
    status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

fn without_secrets(plain: Vec<u8>, expected: &Expected<'_>) -> Option<Vec<u8>> {
    if expected.secrets.is_empty() {
        return Some(plain);
    }
    redact(&plain, expected.secrets)
}

/// What the agent gets instead of an answer that can't be shown.
fn withheld(expected: &Expected<'_>, why: &str) -> Reply {
    let what = format!("the request was sent, but its answer is withheld: {why}.");
    refusal_reply(
        &Refusal::new(RefusalKind::Upstream, &what),
        expected.shape,
        None,
    )
}
