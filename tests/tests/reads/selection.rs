//! Fields with their arguments and what is asked for below them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::schema::{Field, Input, Schema, Ty};
use super::values::{Literal, Values, is_writable};

/// Levels below a root field.
const DEEPEST: usize = 3;

/// Response keys that lie about what they stand for.
const LIES: [&str; 6] = [
    "me",
    "project",
    "volumeDelete",
    "__typename",
    "query",
    "mutation",
];

/// Writes one operation's selections, and collects what they need elsewhere in the document.
pub(crate) struct Selections<'w> {
    pub(crate) schema: &'w Schema,
    pub(crate) dice: &'w mut Dice,
    /// For names that are used once in a whole document.
    pub(crate) names: &'w mut usize,
    /// `$v1: String!`, with defaults.
    pub(crate) declared: Vec<String>,
    pub(crate) given: Map<String, Value>,
    /// Definitions of named fragments.
    pub(crate) fragments: Vec<String>,
}

impl Selections<'_> {
    pub(crate) fn fresh(&mut self, prefix: &str) -> String {
        *self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// The root: some calls of this type's fields.
    pub(crate) fn root(&mut self, ty: &str) -> String {
        let count = self.dice.pick(&[1, 1, 1, 2, 3]);
        let mut keys = BTreeSet::new();
        let mut calls = String::new();
        for _ in 0..count {
            let call = match self.dice.roll(25) {
                0 => "__typename".to_owned(),
                1 => "__schema { queryType { name } }".to_owned(),
                _ => self.call(ty, &mut keys),
            };
            let call = self.wrapped(&call, ty);
            calls.push_str(&call);
            calls.push(' ');
        }
        calls
    }

    fn call(&mut self, ty: &str, keys: &mut BTreeSet<String>) -> String {
        let schema = self.schema;
        let fields = &schema.objects[ty];
        let preview = fields
            .iter()
            .find(|field| field.name == "environmentPreviewChangeSet");
        let field = match preview {
            Some(preview) if self.dice.percent(10) => preview,
            _ => self.dice.point(fields),
        };
        let key = match self.dice.roll(10) {
            0 => (self.dice.pick(&LIES)).to_owned(),
            1 | 2 => self.fresh("k"),
            _ => field.name.clone(),
        };
        let key = if keys.insert(key.clone()) {
            key
        } else {
            self.fresh("k")
        };
        self.field(&key, field, 0)
    }

    fn field(&mut self, key: &str, field: &Field, depth: usize) -> String {
        let alias = if key == field.name {
            String::new()
        } else {
            format!("{key}: ")
        };
        let arguments = self.arguments(field);
        let directive = self.directive();
        let below = self.below(field.ty.base(), depth + 1);
        format!("{alias}{}{arguments}{directive}{below}", field.name)
    }

    fn arguments(&mut self, field: &Field) -> String {
        let values = Values::new(self.schema, &field.name, self.dice);
        let mut written = Vec::new();
        for input in &field.arguments {
            let value = values.of(input, self.dice);
            if let Some(text) = self.argument(input, value) {
                written.push(format!("{}: {text}", input.name));
            }
        }
        if self.dice.percent(30) {
            written.reverse();
        }
        if written.is_empty() {
            return String::new();
        }
        format!(
            "({})",
            written.join(self.dice.pick(&[", ", " ", ",\n", " #)\n"]))
        )
    }

    fn argument(&mut self, input: &Input, value: Option<Literal>) -> Option<String> {
        match value {
            None if self.dice.percent(15) => {
                let name = self.fresh("v");
                self.declared.push(format!("${name}: {}", input.ty));
                Some(format!("${name}"))
            }
            None => None,
            Some(value) if self.dice.percent(40) || !is_writable(&value) => {
                Some(self.variable(&input.ty, &value))
            }
            Some(value) => Some(self.with_variables(&input.ty, value).text()),
        }
    }

    /// Declares a variable with this value: given along, or by default.
    fn variable(&mut self, ty: &Ty, value: &Literal) -> String {
        let name = self.fresh("v");
        let default = is_writable(value) && self.dice.percent(25);
        if default {
            let ty = ty.to_string();
            let optional = ty.trim_end_matches('!');
            let ty = if matches!(value, Literal::Plain(Value::Null)) {
                optional
            } else {
                &ty
            };
            self.declared
                .push(format!("${name}: {ty} = {}", value.text()));
        } else {
            self.declared.push(format!("${name}: {ty}"));
            self.given.insert(name.clone(), value.json());
        }
        format!("${name}")
    }

    /// Variables in place of some members of an input object.
    fn with_variables(&mut self, ty: &Ty, value: Literal) -> Literal {
        let schema = self.schema;
        let (Literal::Object(members), Some(inputs)) = (&value, schema.inputs.get(ty.base()))
        else {
            return value;
        };
        let members = members.iter().map(|(name, value)| {
            let input = inputs.iter().find(|input| input.name == *name);
            let value = match input {
                Some(input) if self.dice.percent(20) || !is_writable(value) => {
                    let variable = self.variable(&input.ty, value);
                    Literal::Variable(variable.trim_start_matches('$').to_owned())
                }
                _ => value.clone(),
            };
            (name.clone(), value)
        });
        Literal::Object(members.collect())
    }

    fn directive(&mut self) -> String {
        if !self.dice.percent(10) {
            return String::new();
        }
        let word = self.dice.pick(&["include", "skip"]);
        let value = self.dice.percent(50);
        if self.dice.percent(60) {
            return format!(" @{word}(if: {value})");
        }
        let ty = Ty::NonNull(Box::new(Ty::Named("Boolean".to_owned())));
        let variable = self.variable(&ty, &Literal::Plain(json!(value)));
        format!(" @{word}(if: {variable})")
    }

    /// The selections below a value of this type; nothing for a leaf.
    fn below(&mut self, ty: &str, depth: usize) -> String {
        let schema = self.schema;
        let Some(fields) = schema.objects.get(ty) else {
            return String::new();
        };
        let mut chosen = BTreeSet::new();
        for _ in 0..=self.dice.roll(4) {
            chosen.insert(self.dice.roll(fields.len()));
        }
        let mut out = String::new();
        for field in chosen.into_iter().map(|index| &fields[index]) {
            let is_leaf = !schema.objects.contains_key(field.ty.base());
            if is_leaf || depth < DEEPEST {
                let key = if self.dice.percent(10) {
                    self.fresh("k")
                } else {
                    field.name.clone()
                };
                let field = self.field(&key, field, depth);
                out.push_str(&self.wrapped(&field, ty));
                out.push(' ');
            }
        }
        if out.is_empty() {
            out.push_str("__typename");
        }
        format!(" {{ {out} }}")
    }

    /// The same selection within a fragment, perhaps.
    fn wrapped(&mut self, selection: &str, ty: &str) -> String {
        let directive = self.directive();
        match self.dice.roll(12) {
            0 => format!("... on {ty}{directive} {{ {selection} }}"),
            1 => format!("...{directive} {{ {selection} }}"),
            2 => {
                let name = self.fresh("F");
                self.fragments
                    .push(format!("fragment {name} on {ty} {{ {selection} }}"));
                format!("...{name}{directive}")
            }
            _ => selection.to_owned(),
        }
    }
}
