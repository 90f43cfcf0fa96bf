//! Turns a request into operations, whatever its content type says: GET parameters, JSON, an array
//! of JSON, a form, or bare GraphQL.

use std::collections::BTreeMap;

use async_graphql::Request as Operation;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value};

use super::{body, is_get};

/// What one request carries.
pub(super) struct Batch {
    pub(super) operations: Vec<Operation>,
    /// Whether it came as an array, and is to be answered by one.
    pub(super) is_array: bool,
}

/// Why a request carries nothing that could be run.
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
        }
    }

    fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }
}

impl Batch {
    fn one(operation: Operation) -> Self {
        Self {
            operations: vec![operation],
            is_array: false,
        }
    }

    /// Names of the root fields of all operations; of those that do not parse, none.
    pub(super) fn root_fields(&self) -> Vec<String> {
        let documents = self
            .operations
            .iter()
            .filter_map(|o| parse_query(&o.query).ok());
        documents
            .flat_map(|document| root_fields(&document))
            .collect()
    }
}

fn root_fields(document: &ExecutableDocument) -> Vec<String> {
    let mut names = Vec::new();
    for (_, operation) in document.operations.iter() {
        collect(document, &operation.node.selection_set.node, 0, &mut names);
    }
    names
}

fn collect(document: &ExecutableDocument, set: &SelectionSet, depth: u8, names: &mut Vec<String>) {
    for item in set.items.iter().filter(|_| depth < 8) {
        match &item.node {
            Selection::Field(field) => names.push(field.node.name.node.to_string()),
            Selection::InlineFragment(inline) => {
                collect(document, &inline.node.selection_set.node, depth + 1, names);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    collect(
                        document,
                        &fragment.node.selection_set.node,
                        depth + 1,
                        names,
                    );
                }
            }
        }
    }
}

/// Reads the request to its end.
pub(super) async fn read(request: Request<Incoming>) -> Result<Batch, Refused> {
    let (head, incoming) = request.into_parts();
    if is_get(&head.method) {
        return form(head.uri.query().unwrap_or_default().as_bytes());
    }
    let bytes = body::read(&head.headers, incoming).await?;
    let content_type = head
        .headers
        .get("content-type")
        .and_then(|v| v.to_str().ok());
    match bytes.trim_ascii_start().first() {
        None => form(head.uri.query().unwrap_or_default().as_bytes()),
        _ if content_type
            .is_some_and(|t| t.starts_with("application/graphql") && !t.contains("json")) =>
        {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok(Batch::one(Operation::new(text)))
        }
        Some(b'{' | b'[') => from_json(&bytes),
        Some(_) => form(&bytes),
    }
}

fn from_json(bytes: &[u8]) -> Result<Batch, Refused> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|_| Refused::bad("POST body sent invalid JSON."))?;
    match value {
        Value::Array(members) if members.is_empty() => Err(Refused::bad("No operations received.")),
        Value::Array(members) => {
            let members = members.into_iter().map(operation);
            Ok(Batch {
                operations: members.collect::<Result<_, _>>()?,
                is_array: true,
            })
        }
        single => operation(single).map(Batch::one),
    }
}

/// The last of several equal keys counts, as it does where the provider's server is written.
fn operation(value: Value) -> Result<Operation, Refused> {
    let Value::Object(fields) = value else {
        return Err(Refused::bad("POST body is not an operation."));
    };
    let wanted = ["query", "operationName", "variables", "extensions"];
    let known = fields
        .into_iter()
        .filter(|(k, v)| wanted.contains(&k.as_str()) && !v.is_null());
    let known: Map<_, _> = known.collect();
    if !known.contains_key("query") {
        return Err(Refused::bad(
            "GraphQL operations must contain a non-empty `query`.",
        ));
    }
    serde_json::from_value(Value::Object(known)).map_err(|e| Refused::bad(e.to_string()))
}

fn form(encoded: &[u8]) -> Result<Batch, Refused> {
    let fields: BTreeMap<String, String> = form_urlencoded::parse(encoded).into_owned().collect();
    let parsed = fields.into_iter().map(|(name, text)| match name.as_str() {
        "variables" | "extensions" => {
            let value = serde_json::from_str(&text);
            value
                .map(|v| (name, v))
                .map_err(|_| Refused::bad("Variables are invalid JSON."))
        }
        _ => Ok((name, Value::String(text))),
    });
    operation(Value::Object(parsed.collect::<Result<_, _>>()?)).map(Batch::one)
}
