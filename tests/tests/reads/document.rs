//! GraphQL requests: a document, its variables, and the name of the operation that runs.

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::schema::Schema;
use super::selection::Selections;

/// One GraphQL request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) query: String,
    pub(crate) variables: Map<String, Value>,
    pub(crate) operation_name: Option<String>,
}

impl Request {
    pub(crate) fn json(&self, dice: &mut Dice) -> Value {
        let mut members = Map::new();
        members.insert("query".to_owned(), json!(self.query));
        if !self.variables.is_empty() || dice.percent(10) {
            members.insert("variables".to_owned(), json!(self.variables));
        }
        if self.operation_name.is_some() || dice.percent(5) {
            members.insert("operationName".to_owned(), json!(self.operation_name));
        }
        if dice.percent(5) {
            let extensions = json!({"persistedQuery": {"version": 1, "sha256Hash": "ab"}});
            members.insert("extensions".to_owned(), extensions);
        }
        if dice.percent(15) {
            members = members.into_iter().rev().collect();
        }
        Value::Object(members)
    }
}

/// One operation of a document.
struct Operation {
    name: Option<String>,
    /// The operation and its fragments.
    definitions: Vec<String>,
    given: Map<String, Value>,
}

/// Any request that the schema allows, and now and then one that it does not.
pub(crate) fn request(schema: &Schema, dice: &mut Dice) -> Request {
    let count = dice.pick(&[1, 1, 1, 1, 1, 1, 2, 2, 3]);
    let mut names = 0;
    let mut operations: Vec<_> = (0..count)
        .map(|_| operation(schema, dice, &mut names, count > 1))
        .collect();
    let runs = dice.roll(operations.len());
    let operation_name = match dice.roll(40) {
        0 => Some("Nobody".to_owned()),
        1 => None,
        roll if count > 1 || roll < 20 => operations[runs].name.clone(),
        _ => None,
    };
    let mut variables = std::mem::take(&mut operations[runs].given);
    if dice.percent(10) {
        variables.extend(operations.iter().flat_map(|other| other.given.clone()));
    }
    let mut definitions: Vec<_> = operations
        .into_iter()
        .flat_map(|operation| operation.definitions)
        .collect();
    let at = dice.roll(definitions.len());
    definitions.rotate_left(at);
    Request {
        query: definitions.join(dice.pick(&[" ", "\n", "\n# mutation { me }\n", ",", "\r\n\t"])),
        variables,
        operation_name,
    }
}

fn operation(
    schema: &Schema,
    dice: &mut Dice,
    names: &mut usize,
    must_be_named: bool,
) -> Operation {
    let (word, ty) = match dice.roll(100) {
        0..60 => ("query", "Query"),
        60..97 => ("mutation", "Mutation"),
        _ => ("subscription", "Subscription"),
    };
    let mut selections = Selections {
        schema,
        dice,
        names,
        declared: Vec::new(),
        given: Map::new(),
        fragments: Vec::new(),
    };
    let body = selections.root(ty);
    let named = must_be_named || selections.dice.percent(50);
    let name = named.then(|| selections.fresh("Op"));
    let bare = word == "query" && !named && selections.declared.is_empty();
    let head = if bare && selections.dice.percent(60) {
        String::new()
    } else {
        let variables = match selections.declared.as_slice() {
            [] => String::new(),
            declared => format!("({})", declared.join(" ")),
        };
        format!("{word} {}{variables} ", name.as_deref().unwrap_or_default())
    };
    let mut definitions = selections.fragments;
    definitions.push(format!("{head}{{ {body} }}"));
    Operation {
        name,
        definitions,
        given: selections.given,
    }
}
