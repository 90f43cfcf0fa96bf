//! The documents that were parsed lately, by their exact text: clients send the same few with other variables.
//! The same text always parses alike, so nothing here can be wrong; it can only be forgotten.
//!
//! Only queries are kept: the text of anything else may hold what an agent wants to store.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::document::{Definition, Document, OperationDefinition, OperationKind};
use super::{Misread, parse};
use crate::understand::generations::Generations;

/// Longer texts are rare and not worth their room.
const LONGEST_BYTES: usize = 16 * 1024;

/// Texts of one generation. A document takes about fifteen times as much.
const GENERATION_BYTES: usize = 256 * 1024;

/// A document, and how it is printed where its only operation runs.
#[derive(Debug)]
pub(crate) struct Parsed {
    document: Document,
    printed: OnceLock<String>,
}

impl Parsed {
    /// The text of the operation that runs, with what it reaches; `print` makes it. It is the same each time
    /// where there is one operation only.
    pub(crate) fn printed(&self, print: impl FnOnce() -> String) -> String {
        if self.operations().count() == 1 {
            self.printed.get_or_init(print).clone()
        } else {
            print()
        }
    }

    fn operations(&self) -> impl Iterator<Item = &OperationDefinition> {
        let definitions = self.document.definitions.iter();
        definitions.filter_map(|definition| match definition {
            Definition::Operation(operation) => Some(operation),
            Definition::Fragment(_) => None,
        })
    }

    fn only_asks(&self) -> bool {
        self.operations()
            .all(|operation| operation.kind == OperationKind::Query)
    }
}

impl Deref for Parsed {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.document
    }
}

/// What is kept.
pub(crate) struct Documents(Mutex<Generations<String, Arc<Parsed>>>);

impl Default for Documents {
    fn default() -> Self {
        Self(Mutex::new(Generations::new(GENERATION_BYTES)))
    }
}

impl Documents {
    /// Parses a text, or finds what it parsed to.
    pub(crate) fn parse(&self, text: &str) -> Result<Arc<Parsed>, Misread> {
        if let Some(known) = self.known().get(text, text.len()) {
            return Ok(known);
        }
        let parsed = Arc::new(Parsed {
            document: parse::parse(text)?,
            printed: OnceLock::new(),
        });
        if text.len() <= LONGEST_BYTES && parsed.only_asks() {
            let kept = Arc::clone(&parsed);
            self.known().keep(text.to_owned(), kept, text.len());
        }
        Ok(parsed)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Generations<String, Arc<Parsed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Documents(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_parsed_once_and_nothing_else_is_kept() {
        let documents = Documents::default();
        for (text, kept) in [
            ("{ me { id } }", true),
            ("query a($x: ID) { project(id: $x) { id } }", true),
            ("mutation { volumeDelete(volumeId: \"v\") }", false),
            (
                "query a { me { id } } mutation b { volumeDelete(volumeId: \"v\") }",
                false,
            ),
        ] {
            let first = documents.parse(text).unwrap();
            let again = documents.parse(text).unwrap();
            assert_eq!(Arc::ptr_eq(&first, &again), kept, "{text}");
            assert_eq!(first.document, parse::parse(text).unwrap());
        }
        let long = format!("{{ me {{ id }} }} #{}", "x".repeat(LONGEST_BYTES));
        let first = documents.parse(&long).unwrap();
        assert!(!Arc::ptr_eq(&first, &documents.parse(&long).unwrap()));
        assert_eq!(documents.parse("{ me { id }").unwrap_err(), Misread::Syntax);
    }

    #[test]
    fn a_document_of_several_operations_is_printed_for_each() {
        let documents = Documents::default();
        let one = documents.parse("{ me { id } }").unwrap();
        assert_eq!(one.printed(|| "one".to_owned()), "one");
        assert_eq!(one.printed(|| "two".to_owned()), "one");
        let two = documents.parse("query a { me { id } } query b { me { id } }");
        let two = two.unwrap();
        assert_eq!(two.printed(|| "a".to_owned()), "a");
        assert_eq!(two.printed(|| "b".to_owned()), "b");
    }
}
