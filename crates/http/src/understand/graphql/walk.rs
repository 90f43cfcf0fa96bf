//! What an operation asks for below a root field: a normal form of it, and the secrets in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use tagout_core::canonical::canonical_json;
use tagout_core::operation::{PathStep, SecretPath};

use super::Misread;
use super::arguments;
use super::document::{Field, Selection};
use super::select::{Conditioned, Expander};
use crate::understand::pack::Graphql;
use crate::understand::pack::rule::OneOrMore;

/// Levels of an answer that no honest request needs.
const MAX_DEPTH: usize = 64;

/// What is asked for, by `name(arguments)`, without aliases, order and fragments.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tree(BTreeMap<String, Self>);

impl Tree {
    /// The tree as JSON.
    pub(crate) fn json(&self) -> Json {
        let members = self
            .0
            .iter()
            .map(|(name, below)| (name.clone(), below.json()));
        Json::Object(members.collect())
    }

    fn merge(&mut self, other: Self) {
        for (name, below) in other.0 {
            self.0.entry(name).or_default().merge(below);
        }
    }
}

/// A walk below one root field.
pub(crate) struct Walk<'w, 'a> {
    pub(crate) graphql: &'w Graphql,
    pub(crate) expander: &'w mut Expander<'a>,
    /// The names that lead to where the walk is, from the top of the answer.
    pub(crate) path: Vec<PathStep>,
    pub(crate) secrets: Vec<SecretPath>,
}

impl<'a> Walk<'_, 'a> {
    /// Walks the selections below a value of type `parent`.
    pub(crate) fn below(
        &mut self,
        selections: &[&'a [Selection]],
        parent: &str,
    ) -> Result<Tree, Misread> {
        if self.path.len() > MAX_DEPTH {
            return Err(Misread::TooMuch);
        }
        let mut tree = Tree::default();
        for conditioned in self.expander.fields(selections)? {
            let (name, below) = self.field(&conditioned, parent)?;
            tree.0.entry(name).or_default().merge(below);
        }
        Ok(tree)
    }

    fn field(
        &mut self,
        conditioned: &Conditioned<'a>,
        parent: &str,
    ) -> Result<(String, Tree), Misread> {
        let field = conditioned.field;
        let args = arguments::untyped(&field.arguments, self.expander.variables())?;
        let name = call_text(&field.name, &args);
        if field.name == "__typename" {
            return Ok((name, Tree::default()));
        }
        let owner = self.owner(conditioned.on, parent);
        let ty = self.type_of(field, owner)?;
        self.path
            .push(PathStep::Field(field.response_key().to_owned()));
        if self.is_secret(owner, &field.name, &Json::Object(args)) {
            self.mark();
        }
        let below = if field.selections.is_empty() {
            Tree::default()
        } else {
            self.below(&[&field.selections], &ty)?
        };
        self.path.pop();
        Ok((name, below))
    }

    /// Takes everything from here on for a secret.
    pub(crate) fn mark(&mut self) {
        let steps = self.path.iter().cloned().chain([PathStep::All]);
        self.secrets.push(SecretPath(steps.collect()));
    }

    /// The type whose field is meant: that of the fragment if it is an object, else the static one.
    fn owner<'t>(&self, on: Option<&'t str>, parent: &'t str) -> &'t str {
        on.filter(|on| self.graphql.schema.object(on).is_some())
            .unwrap_or(parent)
    }

    /// The base type of a field. Types that the schema only knows as scalars are followed without types.
    fn type_of(&self, field: &Field, owner: &str) -> Result<String, Misread> {
        match self.graphql.schema.object(owner) {
            None => Ok(owner.to_owned()),
            Some(fields) => {
                let known = fields.get(&field.name);
                let known = known.ok_or_else(|| Misread::UnknownField(field.name.clone()))?;
                Ok(known.ty.base().to_owned())
            }
        }
    }

    fn is_secret(&self, owner: &str, name: &str, args: &Json) -> bool {
        let secrets = &self.graphql.secrets;
        if self.graphql.schema.object(owner).is_none() {
            return secrets
                .keys()
                .any(|key| key.split_once('.').is_some_and(|(_, field)| field == name));
        }
        let holds = |when: &OneOrMore| when.all().iter().all(|condition| condition.holds(args));
        let sets = secrets.get(&format!("{owner}.{name}"));
        sets.is_some_and(|sets| sets.iter().any(holds))
    }
}

fn call_text(name: &str, args: &Map<String, Json>) -> String {
    if args.is_empty() {
        return name.to_owned();
    }
    format!("{name}{}", canonical_json(&Json::Object(args.clone())))
}
