//! GraphQL over HTTP: what a request's root fields do.
//!
//! Nothing of the agent's text is forwarded: the body that goes upstream is printed from what was
//! parsed. So it does not matter how another parser would have read the original.

pub(crate) mod arguments;
pub(crate) mod document;
pub(crate) mod documents;
pub(crate) mod judge;
pub(crate) mod parse;
pub(crate) mod print;
pub(crate) mod request;
pub(crate) mod select;
mod strings;
pub(crate) mod walk;

use serde_json::Value as Json;

use super::ambiguous::Ambiguous;
use super::draft::{self, Draft};
use super::message::Message;
use super::pack::Pack;
use judge::Judged;
use request::{Requests, Trouble};

/// Why a request, or a part of it, is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misread {
    #[error("the GraphQL text is not one that every parser accepts")]
    Syntax,
    #[error("the document defines types and is not only executed")]
    NotExecutable,
    #[error("a directive is not plain `@skip` or `@include`")]
    Directive,
    #[error("a name that must be unique stands there twice")]
    Twice,
    #[error("it is not clear which operation of the document runs")]
    WhichOperation,
    #[error("a fragment is used that the document does not define")]
    UnknownFragment,
    #[error("fragments use each other in a circle, or too deep")]
    Cycle,
    #[error("a fragment on another type stands at the root")]
    TypeCondition,
    #[error("the document asks for too much or too deep")]
    TooMuch,
    #[error("the pack does not know the field `{0}`")]
    UnknownField(String),
    #[error("the pack does not know the argument or input field `{0}`")]
    UnknownArgument(String),
    #[error("`{0}` is needed and missing")]
    Missing(String),
    #[error("a value does not fit its type `{0}`")]
    Misfit(String),
    #[error("the variable `{0}` is used and not declared")]
    UndeclaredVariable(String),
    #[error("the variables are not an object")]
    Variables,
    #[error("there is no query text; a hash alone does not say what runs")]
    NoQuery,
    #[error("the parameters are not valid percent encoding")]
    Parameters,
    #[error("multipart bodies are not read")]
    Multipart,
    #[error("{0}")]
    Sealed(&'static str),
}

/// What a message on a GraphQL path means.
pub(crate) fn classify(pack: &Pack, message: &Message) -> Result<Draft, Ambiguous> {
    let requests = match request::read(message) {
        Ok(requests) => requests,
        Err(Trouble::Ambiguous(ambiguous)) => return Err(ambiguous),
        Err(Trouble::Misread(misread)) => {
            return Ok(draft::not_understood(message, &misread.to_string()));
        }
    };
    let judged = match &requests {
        Requests::None => return Ok(draft::page(message)),
        Requests::One(request) => judge::request(pack, request).map(|judged| vec![judged]),
        Requests::Batch(requests) => requests
            .iter()
            .map(|request| judge::request(pack, request))
            .collect(),
    };
    match judged {
        Ok(judged) => Ok(assemble(
            message,
            judged,
            matches!(requests, Requests::Batch(_)),
        )),
        Err(misread) => Ok(draft::not_understood(message, &misread.to_string())),
    }
}

fn assemble(message: &Message, judged: Vec<Judged>, batch: bool) -> Draft {
    let mut bodies = Vec::with_capacity(judged.len());
    let mut canonical = Vec::with_capacity(judged.len());
    let mut lines = Vec::with_capacity(judged.len());
    let (mut effects, mut secrets) = (Vec::new(), Vec::new());
    for judged in judged {
        bodies.push(judged.body);
        canonical.push(judged.canonical);
        lines.extend(judged.calls);
        effects.extend(judged.effects);
        secrets.extend(judged.secrets);
    }
    let body = if batch {
        Json::Array(bodies)
    } else {
        bodies.pop().unwrap_or_default()
    };
    Draft {
        method: "POST".to_owned(),
        target: message.path.clone(),
        summary: lines.join("; "),
        shown: lines.join("\n"),
        canonical: judge::object([
            ("graphql", Json::Array(canonical)),
            ("path", Json::from(message.path.as_str())),
        ]),
        body: Some(("application/json".to_owned(), body.to_string().into())),
        effects,
        secrets,
    }
}
