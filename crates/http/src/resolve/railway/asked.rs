//! What was asked for, field by field, as the classifier wrote it down.

use serde_json::{Map, Value};
use tagout_core::operation::Operation;

/// One root field of a GraphQL request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    args: Option<&'a Map<String, Value>>,
}

impl<'a> Field<'a> {
    /// An argument that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.args?.get(name)?.as_str()
    }

    /// An argument that is given and not null.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.args?.get(name).filter(|value| !value.is_null())
    }
}

/// Every root field of every request in an operation.
pub(crate) fn fields(operation: &Operation) -> Vec<Field<'_>> {
    let requests = operation.canonical.get("graphql").and_then(Value::as_array);
    let fields = requests
        .into_iter()
        .flatten()
        .filter_map(|request| request.get("fields")?.as_array());
    fields.flatten().filter_map(field).collect()
}

/// The field of an operation that has exactly one.
pub(crate) fn only_field(operation: &Operation) -> Option<Field<'_>> {
    match fields(operation).as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

fn field(value: &Value) -> Option<Field<'_>> {
    let name = value.get("name")?.as_str()?;
    Some(Field {
        name,
        args: value.get("args").and_then(Value::as_object),
    })
}
