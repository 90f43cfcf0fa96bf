//! Arguments of a field, already checked against the schema by the GraphQL engine.

use serde_json::{Map, Value};

use crate::error::Refusal;

/// A JSON object of arguments or input fields.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a>(&'a Map<String, Value>);

impl<'a> Args<'a> {
    pub(crate) fn new(map: &'a Map<String, Value>) -> Self {
        Self(map)
    }

    /// The value as given; `Some(Null)` is an explicit null, `None` is absent.
    pub(crate) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    pub(crate) fn opt_text(self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }

    pub(crate) fn text(self, name: &str) -> Result<&'a str, Refusal> {
        self.opt_text(name)
            .ok_or_else(|| Refusal::Missing(name.to_owned()))
    }

    pub(crate) fn owned(self, name: &str) -> Option<String> {
        self.opt_text(name).map(str::to_owned)
    }

    pub(crate) fn flag(self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }

    pub(crate) fn int(self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::as_i64)
    }

    pub(crate) fn size(self, name: &str) -> Option<usize> {
        self.int(name).and_then(|n| usize::try_from(n).ok())
    }

    /// The strings of a list argument; absent and null are the empty list.
    pub(crate) fn texts(self, name: &str) -> Vec<&'a str> {
        let items = self.get(name).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    pub(crate) fn map(self, name: &str) -> Result<&'a Map<String, Value>, Refusal> {
        let found = self.get(name).and_then(Value::as_object);
        found.ok_or_else(|| Refusal::Missing(name.to_owned()))
    }

    pub(crate) fn object(self, name: &str) -> Result<Self, Refusal> {
        self.map(name).map(Self)
    }

    pub(crate) fn entries(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.0.iter()
    }
}
