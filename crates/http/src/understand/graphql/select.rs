//! Which operation of a document runs, and which root fields it asks for: fragments expanded,
//! `@skip` and `@include` evaluated, fields of one response key merged.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use super::Misread;
use super::arguments::Variables;
use super::document::{
    Definition, Directive, Document, Field, FragmentDefinition, OperationDefinition, Selection,
    Value,
};

/// Fields visited while expanding; more is an attack on whoever expands.
const MAX_VISITED: usize = 20_000;

/// Fragments within fragments.
const MAX_SPREADS: usize = 64;

/// A document's fragments by name.
pub(crate) type Fragments<'a> = HashMap<&'a str, &'a FragmentDefinition>;

/// Picks the operation that runs, as a server's `execute` does.
pub(crate) fn operation<'a>(
    document: &'a Document,
    wanted: Option<&str>,
) -> Result<&'a OperationDefinition, Misread> {
    let operations: Vec<_> = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            Definition::Operation(operation) => Some(operation),
            Definition::Fragment(_) => None,
        })
        .collect();
    let mut names = HashSet::new();
    let distinct = operations
        .iter()
        .all(|operation| names.insert(operation.name.as_deref()));
    let lonely =
        operations.len() == 1 || operations.iter().all(|operation| operation.name.is_some());
    if !distinct || !lonely {
        return Err(Misread::Twice);
    }
    match (wanted, operations.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Misread::WhichOperation),
        (Some(name), all) => {
            let named = all
                .iter()
                .find(|operation| operation.name.as_deref() == Some(name));
            named.copied().ok_or(Misread::WhichOperation)
        }
    }
}

/// The fragments of a document; a name twice is an error.
pub(crate) fn fragments(document: &Document) -> Result<Fragments<'_>, Misread> {
    let mut out = HashMap::new();
    for definition in &document.definitions {
        if let Definition::Fragment(fragment) = definition
            && out.insert(fragment.name.as_str(), fragment).is_some()
        {
            return Err(Misread::Twice);
        }
    }
    Ok(out)
}

/// One field of an answer: every place that asks for it under this key agrees on name and arguments.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) key: &'a str,
    pub(crate) first: &'a Field,
    /// Selections below it, from all places, with the type that they were written for.
    pub(crate) below: Vec<&'a [Selection]>,
}

/// A field with the type condition of the fragment that holds it, if any.
pub(crate) struct Conditioned<'a> {
    pub(crate) on: Option<&'a str>,
    pub(crate) field: &'a Field,
}

/// Expands selections. Counts what it visits over its whole life.
pub(crate) struct Expander<'a> {
    fragments: &'a Fragments<'a>,
    variables: &'a Variables,
    visited: usize,
    /// While the root is expanded: the only type that a fragment may be on.
    root: Option<&'a str>,
}

impl<'a> Expander<'a> {
    pub(crate) const fn new(fragments: &'a Fragments<'a>, variables: &'a Variables) -> Self {
        Self {
            fragments,
            variables,
            visited: 0,
            root: None,
        }
    }

    pub(crate) const fn variables(&self) -> &'a Variables {
        self.variables
    }

    /// The fields at the root of an operation, whose type is `root`.
    pub(crate) fn root_fields(
        &mut self,
        selections: &'a [Selection],
        root: &'a str,
    ) -> Result<Vec<Asked<'a>>, Misread> {
        self.root = Some(root);
        let fields = self.fields(&[selections]);
        self.root = None;
        merged(
            fields?
                .into_iter()
                .map(|conditioned| conditioned.field)
                .collect(),
        )
    }

    /// The fields of these selections, in order, without those that are skipped.
    pub(crate) fn fields(
        &mut self,
        selections: &[&'a [Selection]],
    ) -> Result<Vec<Conditioned<'a>>, Misread> {
        let mut out = Vec::new();
        for selections in selections {
            self.collect(selections, None, &mut Vec::new(), &mut out)?;
        }
        Ok(out)
    }

    fn collect(
        &mut self,
        selections: &'a [Selection],
        on: Option<&'a str>,
        inside: &mut Vec<&'a str>,
        out: &mut Vec<Conditioned<'a>>,
    ) -> Result<(), Misread> {
        for selection in selections {
            self.visited += 1;
            if self.visited > MAX_VISITED {
                return Err(Misread::TooMuch);
            }
            match selection {
                Selection::Field(field) if self.included(&field.directives)? => {
                    out.push(Conditioned { on, field });
                }
                Selection::Inline {
                    on: inner,
                    directives,
                    selections,
                } if self.included(directives)? => {
                    self.check_root(inner.as_deref())?;
                    self.collect(selections, inner.as_deref().or(on), inside, out)?;
                }
                Selection::Spread { name, directives } if self.included(directives)? => {
                    self.spread(name, inside, out)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn spread(
        &mut self,
        name: &'a str,
        inside: &mut Vec<&'a str>,
        out: &mut Vec<Conditioned<'a>>,
    ) -> Result<(), Misread> {
        if inside.contains(&name) || inside.len() >= MAX_SPREADS {
            return Err(Misread::Cycle);
        }
        let fragment = *self.fragments.get(name).ok_or(Misread::UnknownFragment)?;
        self.check_root(Some(&fragment.on))?;
        inside.push(name);
        self.collect(&fragment.selections, Some(&fragment.on), inside, out)?;
        inside.pop();
        Ok(())
    }

    fn check_root(&self, on: Option<&str>) -> Result<(), Misread> {
        match (self.root, on) {
            (Some(root), Some(on)) if root != on => Err(Misread::TypeCondition),
            _ => Ok(()),
        }
    }

    /// Whether a selection with these directives is part of the answer. What can't be evaluated is.
    fn included(&self, directives: &[Directive]) -> Result<bool, Misread> {
        let mut included = true;
        let mut seen = HashSet::new();
        for directive in directives {
            if !seen.insert(&directive.name) {
                return Err(Misread::Directive);
            }
            let condition = self.condition(directive)?;
            match (directive.name.as_str(), condition) {
                ("include", Some(false)) | ("skip", Some(true)) => included = false,
                ("include" | "skip", _) => {}
                _ => return Err(Misread::Directive),
            }
        }
        Ok(included)
    }

    fn condition(&self, directive: &Directive) -> Result<Option<bool>, Misread> {
        match directive.arguments.as_slice() {
            [(name, value)] if name == "if" => match value {
                Value::Boolean(value) => Ok(Some(*value)),
                Value::Variable(name) => match self.variables.given(name)? {
                    Some(Json::Bool(value)) => Ok(Some(*value)),
                    None => Ok(None),
                    Some(_) => Err(Misread::Directive),
                },
                _ => Err(Misread::Directive),
            },
            _ => Err(Misread::Directive),
        }
    }
}

/// Checks that no definition carries directives of its own: we know of none.
pub(crate) fn check_definitions(document: &Document) -> Result<(), Misread> {
    let bare = |definition: &Definition| match definition {
        Definition::Operation(operation) => operation.directives.is_empty(),
        Definition::Fragment(fragment) => fragment.directives.is_empty(),
    };
    if document.definitions.iter().all(bare) {
        Ok(())
    } else {
        Err(Misread::Directive)
    }
}

/// Merges fields of one response key. Those that disagree are no valid request.
fn merged(fields: Vec<&Field>) -> Result<Vec<Asked<'_>>, Misread> {
    let mut out: Vec<Asked<'_>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for field in fields {
        let key = field.response_key();
        match places.get(key).and_then(|place| out.get_mut(*place)) {
            Some(asked) if same_call(asked.first, field) => asked.below.push(&field.selections),
            Some(_) => return Err(Misread::Twice),
            None => {
                places.insert(key, out.len());
                out.push(Asked {
                    key,
                    first: field,
                    below: vec![&field.selections],
                });
            }
        }
    }
    Ok(out)
}

fn same_call(a: &Field, b: &Field) -> bool {
    let holds = |(name, value): &(String, Value)| {
        b.arguments
            .iter()
            .any(|(other, also)| name == other && value == also)
    };
    a.name == b.name && a.arguments.len() == b.arguments.len() && a.arguments.iter().all(holds)
}
