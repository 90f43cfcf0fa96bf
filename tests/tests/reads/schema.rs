//! The stand-in's own schema, as it tells it by introspection.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// The query that a stand-in is asked; types within types go deep enough for `[T!]!`.
pub(crate) const INTROSPECTION: &str = "{ __schema { types { kind name \
    fields { name args { name type { ...T } } type { ...T } } \
    inputFields { name type { ...T } } enumValues { name } } } } \
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// A reference to a type.
#[derive(Clone, Debug)]
pub(crate) enum Ty {
    Named(String),
    List(Box<Self>),
    NonNull(Box<Self>),
}

impl Ty {
    fn read(value: &Value) -> Self {
        match value["kind"].as_str().unwrap() {
            "NON_NULL" => Self::NonNull(Box::new(Self::read(&value["ofType"]))),
            "LIST" => Self::List(Box::new(Self::read(&value["ofType"]))),
            _ => Self::Named(text(value)),
        }
    }

    /// The name of the innermost type.
    pub(crate) fn base(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::List(inner) | Self::NonNull(inner) => inner.base(),
        }
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(out, "{name}"),
            Self::List(inner) => write!(out, "[{inner}]"),
            Self::NonNull(inner) => write!(out, "{inner}!"),
        }
    }
}

/// An argument or a member of an input object.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) ty: Ty,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) arguments: Vec<Input>,
    pub(crate) ty: Ty,
}

/// What is known of the schema, by the names of its types.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) objects: BTreeMap<String, Vec<Field>>,
    pub(crate) inputs: BTreeMap<String, Vec<Input>>,
    pub(crate) enums: BTreeMap<String, Vec<String>>,
}

impl Schema {
    /// Reads the answer to [`INTROSPECTION`].
    pub(crate) fn read(answer: &Value) -> Self {
        let mut schema = Self::default();
        for ty in list(&answer["data"]["__schema"]["types"]) {
            let name = text(ty);
            match ty["kind"].as_str().unwrap() {
                _ if name.starts_with("__") => {}
                "OBJECT" => drop(schema.objects.insert(name, fields(ty))),
                "INPUT_OBJECT" => drop(schema.inputs.insert(name, inputs(&ty["inputFields"]))),
                "ENUM" => drop(
                    schema
                        .enums
                        .insert(name, list(&ty["enumValues"]).iter().map(text).collect()),
                ),
                _ => {}
            }
        }
        schema
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(named: &Value) -> String {
    named["name"].as_str().unwrap().to_owned()
}

fn fields(ty: &Value) -> Vec<Field> {
    let field = |field: &Value| Field {
        name: text(field),
        arguments: inputs(&field["args"]),
        ty: Ty::read(&field["type"]),
    };
    list(&ty["fields"]).iter().map(field).collect()
}

fn inputs(inputs: &Value) -> Vec<Input> {
    let input = |input: &Value| Input {
        name: text(input),
        ty: Ty::read(&input["type"]),
    };
    list(inputs).iter().map(input).collect()
}
