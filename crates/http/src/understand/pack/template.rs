//! Resources from arguments: `volume:{volumeId}`, `variable:{input.name}`, `service:{1}`.

use serde::Deserialize;
use serde_json::Value;
use tagout_core::resource::Resource;

use super::condition::Path;

/// A resource with one placeholder at most in its id. `{path}` is looked up among the arguments,
/// `{.path}` in the value at hand, `{1}` is what the first wildcard of `each` stands for. A list gives
/// one resource for each element; a value that is missing gives all of the kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Template {
    kind: String,
    id: Id,
}

#[derive(Clone, Debug)]
enum Id {
    Fixed(String),
    Argument(Path),
    Here(Path),
    Wildcard(usize),
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not a resource; write `kind:id`, `kind:{{argument}}` or `kind:*`")
        };
        let (kind, id) = text.split_once(':').ok_or_else(wrong)?;
        if kind.is_empty() || id.is_empty() {
            return Err(wrong());
        }
        let inner = id.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let id = match inner {
            None if id.contains(['{', '}']) => return Err(wrong()),
            None => Id::Fixed(id.to_owned()),
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => Id::Wildcard(
                number
                    .parse::<usize>()
                    .ok()
                    .and_then(|n| n.checked_sub(1))
                    .ok_or_else(wrong)?,
            ),
            Some(".") => Id::Here(Path::try_from(".".to_owned())?),
            Some(path) => match path.strip_prefix('.') {
                Some(here) => Id::Here(Path::try_from(here.to_owned())?),
                None => Id::Argument(Path::try_from(path.to_owned())?),
            },
        };
        Ok(Self {
            kind: kind.to_owned(),
            id,
        })
    }
}

impl Template {
    /// The resources meant.
    pub(crate) fn resources(
        &self,
        args: &Value,
        here: &Value,
        wildcards: &[String],
    ) -> Vec<Resource> {
        match &self.id {
            Id::Fixed(id) => vec![Resource::new(&self.kind, id)],
            Id::Argument(path) => self.of_value(path.one(args)),
            Id::Here(path) => self.of_value(path.one(here)),
            Id::Wildcard(index) => vec![self.of_text(wildcards.get(*index).map(String::as_str))],
        }
    }

    fn of_value(&self, value: Option<&Value>) -> Vec<Resource> {
        match value {
            Some(Value::Array(items)) => items
                .iter()
                .flat_map(|item| self.of_value(Some(item)))
                .collect(),
            Some(Value::String(text)) => vec![self.of_text(Some(text))],
            Some(Value::Number(number)) => vec![self.of_text(Some(&number.to_string()))],
            _ => vec![self.of_text(None)],
        }
    }

    fn of_text(&self, text: Option<&str>) -> Resource {
        match text {
            Some(text) if !text.is_empty() => Resource::new(&self.kind, text),
            _ => Resource::all(&self.kind),
        }
    }

    /// The path that this template looks for among the arguments.
    pub(crate) const fn path(&self) -> Option<&Path> {
        match &self.id {
            Id::Argument(path) => Some(path),
            _ => None,
        }
    }
}
