//! Finding the GraphQL request in an HTTP message, whatever its content type says.

use serde_json::{Map, Value};

use super::Misread;
use crate::understand::ambiguous::Ambiguous;
use crate::understand::encoding::{self, Content};
use crate::understand::json::{self, NotJson};
use crate::understand::message::Message;

/// Requests in one batch that are still read.
const MAX_BATCH: usize = 500;

/// One GraphQL request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Request {
    pub(crate) query: String,
    pub(crate) variables: Map<String, Value>,
    pub(crate) operation_name: Option<String>,
}

/// What a message holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Requests {
    One(Request),
    Batch(Vec<Request>),
    /// Nothing that asks for anything: a `GET` of the page.
    None,
}

/// Why there is no request to judge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    Ambiguous(Ambiguous),
    Misread(Misread),
}

impl From<Ambiguous> for Trouble {
    fn from(ambiguous: Ambiguous) -> Self {
        Self::Ambiguous(ambiguous)
    }
}

impl From<Misread> for Trouble {
    fn from(misread: Misread) -> Self {
        Self::Misread(misread)
    }
}

/// The parameters of a request, by their names.
const NAMES: [&str; 4] = ["query", "variables", "operationName", "extensions"];

/// Reads the requests in a message.
pub(crate) fn read(message: &Message) -> Result<Requests, Trouble> {
    encoding::check_charset(message)?;
    let url = message.parameters().ok_or(Misread::Parameters)?;
    let in_url: Vec<_> = url
        .iter()
        .filter(|(name, _)| NAMES.contains(&name.as_str()))
        .cloned()
        .collect();
    if encoding::media_type(message).starts_with("multipart/") {
        return Err(Misread::Multipart.into());
    }
    let body = match encoding::content(message) {
        Content::Plain(body) => body,
        Content::Sealed(why) => return Err(Misread::Sealed(why).into()),
    };
    if body.is_empty() {
        return of_url(message, &in_url);
    }
    if let Some((name, _)) = in_url.first() {
        return Err(Ambiguous::ParameterTwice(name.clone()).into());
    }
    of_body(message, &body)
}

/// A page is asked for without any parameters: a server that reads names in another case, or splits
/// them elsewhere, could find a query in others.
fn of_url(message: &Message, parameters: &[(String, String)]) -> Result<Requests, Trouble> {
    let is_bare = message.query.as_deref().is_none_or(str::is_empty);
    match (parameters.is_empty(), message.method.as_str()) {
        (true, "GET" | "HEAD" | "OPTIONS") if is_bare => Ok(Requests::None),
        (true, _) => Err(Misread::NoQuery.into()),
        (false, _) => of_parameters(parameters).map(Requests::One),
    }
}

fn of_body(message: &Message, body: &[u8]) -> Result<Requests, Trouble> {
    let kind = encoding::media_type(message);
    match json::parse(body) {
        Ok(value) => of_json(value),
        Err(NotJson::Ambiguous(ambiguous)) => Err(ambiguous.into()),
        Err(NotJson::Syntax) if kind == "application/graphql" => Ok(Requests::One(Request {
            query: json::text(body)?.to_owned(),
            ..Request::default()
        })),
        Err(NotJson::Syntax) if kind == "application/x-www-form-urlencoded" => {
            let pairs = encoding::parameters(json::text(body)?).ok_or(Misread::Parameters)?;
            of_parameters(&pairs).map(Requests::One)
        }
        Err(NotJson::Syntax) => Err(Misread::NoQuery.into()),
    }
}

fn of_json(value: Value) -> Result<Requests, Trouble> {
    match value {
        Value::Object(members) => of_members(members).map(Requests::One),
        Value::Array(items) if (1..=MAX_BATCH).contains(&items.len()) => {
            let item = |item| match item {
                Value::Object(members) => of_members(members),
                _ => Err(Misread::NoQuery.into()),
            };
            items
                .into_iter()
                .map(item)
                .collect::<Result<_, _>>()
                .map(Requests::Batch)
        }
        _ => Err(Misread::NoQuery.into()),
    }
}

fn of_members(mut members: Map<String, Value>) -> Result<Request, Trouble> {
    let query = match members.remove("query") {
        Some(Value::String(text)) => text,
        _ => return Err(Misread::NoQuery.into()),
    };
    let variables = match members.remove("variables") {
        Some(Value::Object(variables)) => variables,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(Misread::Variables.into()),
    };
    let operation_name = match members.remove("operationName") {
        Some(Value::String(name)) => Some(name),
        None | Some(Value::Null) => None,
        Some(_) => return Err(Misread::WhichOperation.into()),
    };
    Ok(Request {
        query,
        variables,
        operation_name,
    })
}

/// A form's or URL's parameters: the same three, with the variables as JSON text.
fn of_parameters(pairs: &[(String, String)]) -> Result<Request, Trouble> {
    let mut members = Map::new();
    for (name, text) in pairs
        .iter()
        .filter(|(name, _)| NAMES.contains(&name.as_str()))
    {
        let value = match name.as_str() {
            "variables" if text.is_empty() => Value::Null,
            "variables" => nested(text)?,
            _ => Value::from(text.as_str()),
        };
        if members.insert(name.clone(), value).is_some() {
            return Err(Ambiguous::ParameterTwice(name.clone()).into());
        }
    }
    of_members(members)
}

fn nested(text: &str) -> Result<Value, Trouble> {
    json::parse(text.as_bytes()).map_err(|why| match why {
        NotJson::Ambiguous(ambiguous) => ambiguous.into(),
        NotJson::Syntax => Misread::Variables.into(),
    })
}
