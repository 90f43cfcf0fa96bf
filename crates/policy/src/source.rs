//! From policy text to single policies with an id, a reason and a place.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use cedar_policy::{Policy, PolicyId, PolicySet as CedarSet};
use miette::Diagnostic;

use crate::error::{Place, Problem};

/// The prefix of ids that only shipped policies have.
const SHIPPED: &str = "tagout.";

/// A policy text and the name it goes by, usually its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name for messages.
    pub name: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// A text by name.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    /// The place of a byte of this text.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let before = self.text.as_bytes().iter().take(offset);
        Place {
            file: self.name.clone(),
            line: before.filter(|byte| **byte == b'\n').count() + 1,
        }
    }

    /// The place of a Cedar error, or the beginning where it has none.
    fn place_of(&self, error: &dyn Diagnostic) -> Place {
        self.place(offset_of(error).unwrap_or_default())
    }
}

/// The byte at which Cedar says an error is.
pub(crate) fn offset_of(error: &dyn Diagnostic) -> Option<usize> {
    let label = error.labels()?.next()?;
    Some(label.offset())
}

/// One policy of a text, renamed to its `@id`.
pub(crate) struct Parsed {
    pub(crate) policy: Policy,
    pub(crate) id: String,
    pub(crate) reason: String,
    pub(crate) instead: Option<String>,
    /// Which of the sources it is from.
    pub(crate) source: usize,
    pub(crate) place: Place,
}

/// Parses all sources. The first `shipped` of them may use our own ids.
pub(crate) fn parse(sources: &[Source], shipped: usize) -> (Vec<Parsed>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut policies: Vec<Parsed> = Vec::new();
    let mut seen: BTreeMap<String, Place> = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        for parsed in parse_one(source, index) {
            let checked = parsed
                .and_then(|parsed| not_reserved(parsed, index < shipped))
                .and_then(|parsed| not_taken(parsed, &mut seen));
            match checked {
                Ok(parsed) => policies.push(parsed),
                Err(problem) => problems.push(problem),
            }
        }
    }
    (policies, problems)
}

fn not_reserved(parsed: Parsed, shipped: bool) -> Result<Parsed, Problem> {
    if parsed.id.starts_with(SHIPPED) && !shipped {
        let Parsed { place, id, .. } = parsed;
        return Err(Problem::ReservedId { place, id });
    }
    Ok(parsed)
}

fn not_taken(parsed: Parsed, seen: &mut BTreeMap<String, Place>) -> Result<Parsed, Problem> {
    if let Some(first) = seen.get(&parsed.id) {
        return Err(Problem::DuplicateId {
            place: parsed.place,
            id: parsed.id,
            first: first.clone(),
        });
    }
    seen.insert(parsed.id.clone(), parsed.place.clone());
    Ok(parsed)
}

/// The policies of one text in its order, each by itself right or wrong.
fn parse_one(source: &Source, index: usize) -> Vec<Result<Parsed, Problem>> {
    let set = match CedarSet::from_str(&source.text) {
        Ok(set) => set,
        Err(errors) => {
            return errors
                .iter()
                .map(|error| Err(syntax(source, error)))
                .collect();
        }
    };
    let templates = set.templates().map(|template| {
        let offset = template.as_ref().loc().map_or(0, |at| at.start());
        let place = source.place(offset);
        (offset, Err(Problem::Template { place }))
    });
    let policies = set.policies().map(|policy| {
        let offset = policy.as_ref().loc().map_or(0, |at| at.start());
        (offset, annotated(policy, source, index, offset))
    });
    let mut all: Vec<_> = templates.chain(policies).collect();
    all.sort_by_key(|(offset, _)| *offset);
    all.into_iter().map(|(_, parsed)| parsed).collect()
}

fn syntax<E: Diagnostic>(source: &Source, error: &E) -> Problem {
    Problem::Syntax {
        place: source.place_of(error),
        what: said(error),
    }
}

/// What Cedar says of an error, in one line.
pub(crate) fn said<E: Diagnostic>(error: &E) -> String {
    let help = error
        .help()
        .map_or_else(String::new, |help| format!(" ({help})"));
    format!("{error}{help}").replace('\n', " ")
}

fn annotated(
    policy: &Policy,
    source: &Source,
    index: usize,
    offset: usize,
) -> Result<Parsed, Problem> {
    let place = source.place(offset);
    let Some(id) = text_of(policy, "id") else {
        return Err(Problem::NoId { place });
    };
    let Some(reason) = text_of(policy, "reason") else {
        return Err(Problem::NoReason { place, id });
    };
    Ok(Parsed {
        policy: policy.new_id(PolicyId::new(&id)),
        id,
        reason,
        instead: text_of(policy, "instead"),
        source: index,
        place,
    })
}

/// The text of an annotation, unless it is empty.
fn text_of(policy: &Policy, annotation: &str) -> Option<String> {
    let text = policy.annotation(annotation)?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
