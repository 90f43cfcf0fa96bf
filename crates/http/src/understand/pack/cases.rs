//! A pack's own cases: requests with what must become of them.

use bytes::Bytes;
use serde_json::{Value, json};
use tagout_core::effect::{Effect, EffectOn, Reach};
use tagout_core::operation::Operation;

use super::format::{CaseFile, CasesFile, PackFile};
use crate::understand::ambiguous::Ambiguous;

/// One case of a pack.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The request, as one HTTP/1.1 message.
    pub request: Bytes,
    /// What must become of it.
    pub expectation: Expectation,
}

/// What must become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Does something in production that a person is asked about.
    Held,
    /// Reads, writes, or reads a secret that is redacted: nobody is asked.
    Allowed,
    /// Has these effects: all of them in order, written `destroy volume:x` or
    /// `write service:y in environment`; or at least the given worst one.
    Is {
        /// Every effect.
        effects: Option<Vec<String>>,
        /// The worst effect.
        worst: Option<Effect>,
    },
}

impl Case {
    /// Compares what was understood with what is expected; the error says how they differ.
    pub fn check(&self, understood: &Result<Operation, Ambiguous>) -> Result<(), String> {
        let (effects, worst) = match understood {
            Ok(operation) => (
                operation.effects.iter().map(written).collect(),
                operation.worst(),
            ),
            Err(ambiguous) => (vec![format!("refused: {ambiguous}")], Effect::Unknown),
        };
        let allowed = matches!(worst, Effect::Read | Effect::Write | Effect::SecretRead);
        let as_expected = match &self.expectation {
            Expectation::Held => !allowed,
            Expectation::Allowed => allowed,
            Expectation::Is {
                effects: wanted,
                worst: wanted_worst,
            } => {
                wanted.as_ref().is_none_or(|wanted| *wanted == effects)
                    && wanted_worst.is_none_or(|wanted| wanted == worst)
            }
        };
        if as_expected {
            return Ok(());
        }
        Err(format!(
            "`{}` expects {:?} and is {effects:?}",
            self.name, self.expectation
        ))
    }
}

/// One effect as cases write it.
fn written(on: &EffectOn) -> String {
    let place = match &on.reach {
        Reach::Everywhere => String::new(),
        Reach::Environment(id) => format!(" in {id}"),
    };
    format!("{} {}{place}", on.effect.word(), on.resource)
}

/// Reads the cases of a pack.
pub(crate) fn read(pack: &PackFile, file: CasesFile) -> Result<Vec<Case>, String> {
    let held = file
        .must_hold
        .into_iter()
        .map(|case| (case, Some(Expectation::Held)));
    let allowed = file
        .must_allow
        .into_iter()
        .map(|case| (case, Some(Expectation::Allowed)));
    let is = file.must_be.into_iter().map(|case| (case, None));
    held.chain(allowed)
        .chain(is)
        .map(|(case, expectation)| one(pack, case, expectation))
        .collect()
}

fn one(pack: &PackFile, case: CaseFile, expectation: Option<Expectation>) -> Result<Case, String> {
    let request = match (&case.graphql, &case.request) {
        (Some(document), None) => graphql_request(pack, document, case.variables.as_deref())?,
        (None, Some(line)) => plain_request(pack, line, case.body.as_deref()),
        _ => {
            return Err(format!(
                "case `{}`: give either `graphql` or `request`",
                case.name
            ));
        }
    };
    let wanted = Expectation::Is {
        effects: case.effects,
        worst: case.worst,
    };
    let says_nothing = wanted
        == Expectation::Is {
            effects: None,
            worst: None,
        };
    match (expectation, says_nothing) {
        (Some(expectation), true) => Ok(Case {
            name: case.name,
            request,
            expectation,
        }),
        (None, false) => Ok(Case {
            name: case.name,
            request,
            expectation: wanted,
        }),
        _ => Err(format!(
            "case `{}`: `effects` and `worst` belong to `must_be`, and it needs one",
            case.name
        )),
    }
}

fn host(pack: &PackFile) -> &str {
    pack.hosts.first().map_or("case.invalid", String::as_str)
}

fn graphql_request(
    pack: &PackFile,
    document: &str,
    variables: Option<&str>,
) -> Result<Bytes, String> {
    let paths = pack.graphql.as_ref().map(|graphql| &graphql.paths);
    let path = paths
        .and_then(|paths| paths.first())
        .ok_or("the pack speaks no GraphQL")?;
    let variables: Value =
        serde_json::from_str(variables.unwrap_or("{}")).map_err(|error| error.to_string())?;
    let body = json!({"query": document, "variables": variables}).to_string();
    Ok(plain_request(pack, &format!("POST {path}"), Some(&body)))
}

fn plain_request(pack: &PackFile, line: &str, body: Option<&str>) -> Bytes {
    let body = body.unwrap_or_default();
    let kind = if body.is_empty() {
        ""
    } else {
        "content-type: application/json\r\n"
    };
    let head = format!(
        "{line} HTTP/1.1\r\nhost: {}\r\n{kind}content-length: {}\r\n\r\n",
        host(pack),
        body.len()
    );
    Bytes::from(head + body)
}
