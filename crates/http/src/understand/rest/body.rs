//! What the body of a plain HTTP request says, as far as it is read.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::understand::ambiguous::Ambiguous;
use crate::understand::encoding::{self, Content};
use crate::understand::json::{self, NotJson};
use crate::understand::message::{self, Message};

const FORM: &str = "application/x-www-form-urlencoded";

/// A body.
pub(crate) enum Body {
    Empty,
    Json(Value),
    Form(Vec<(String, String)>),
    /// Other content: passed on as it is.
    Other,
    Sealed(&'static str),
    /// Content that claims to be JSON, or a form, and is not.
    Broken,
}

impl Body {
    /// Reads a body. JSON is looked for where it is announced, and where nothing else is: curl announces
    /// a form whatever it sends.
    pub(crate) fn read(message: &Message) -> Result<Self, Ambiguous> {
        let bytes = match encoding::content(message) {
            Content::Plain(bytes) => bytes,
            Content::Sealed(why) => return Ok(Self::Sealed(why)),
        };
        if bytes.is_empty() {
            return Ok(Self::Empty);
        }
        let kind = encoding::media_type(message);
        let says_json = kind == "application/json" || kind.ends_with("+json");
        if !says_json && !["", "text/plain", FORM].contains(&kind.as_str()) {
            return Ok(Self::Other);
        }
        match json::parse(&bytes) {
            Ok(value) if says_json || value.is_object() || value.is_array() => {
                encoding::check_charset(message)?;
                Ok(Self::Json(value))
            }
            Err(NotJson::Ambiguous(ambiguous)) if kind != "text/plain" => Err(ambiguous),
            Err(_) if says_json => Ok(Self::Broken),
            _ if kind == FORM => form(message, &bytes),
            _ => Ok(Self::Other),
        }
    }

    /// The content type and the bytes that are sent for it, where it is written anew. What was read as
    /// JSON is announced as JSON, so that the server can't read it as a form.
    pub(crate) fn written(&self, message: &Message) -> Option<(String, Bytes)> {
        let Self::Json(value) = self else { return None };
        let given = message.header("content-type").filter(|_| {
            let kind = encoding::media_type(message);
            kind != FORM && !kind.is_empty()
        });
        let kind = given.unwrap_or("application/json");
        Some((kind.to_owned(), Bytes::from(value.to_string())))
    }

    /// The body as rules see it.
    pub(crate) fn value(&self) -> Result<Value, Ambiguous> {
        match self {
            Self::Json(value) => Ok(value.clone()),
            Self::Form(pairs) => members(pairs),
            _ => Ok(Value::Null),
        }
    }

    /// Whether there is content that rules do not see.
    pub(crate) const fn is_unseen(&self) -> bool {
        matches!(self, Self::Other | Self::Sealed(_) | Self::Broken)
    }
}

fn form(message: &Message, bytes: &[u8]) -> Result<Body, Ambiguous> {
    encoding::check_charset(message)?;
    let Some(pairs) = encoding::parameters(json::text(bytes)?) else {
        return Ok(Body::Broken);
    };
    match pairs.iter().find(|(name, _)| message::is_override(name)) {
        Some((name, _)) => Err(Ambiguous::MethodOverride(name.clone())),
        None => Ok(Body::Form(pairs)),
    }
}

/// Parameters as members. One that ends in `[]` may be repeated; any other is ambiguous twice.
pub(crate) fn members(pairs: &[(String, String)]) -> Result<Value, Ambiguous> {
    let mut out = Map::new();
    for (name, text) in pairs {
        let twice = || Ambiguous::ParameterTwice(name.clone());
        if let Some(list) = name.strip_suffix("[]") {
            let list = out.entry(list).or_insert_with(|| json!([]));
            let items = list.as_array_mut().ok_or_else(twice)?;
            items.push(text.as_str().into());
        } else if out.insert(name.clone(), text.as_str().into()).is_some() {
            return Err(twice());
        }
    }
    Ok(Value::Object(out))
}
