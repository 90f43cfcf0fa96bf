//! `policy test`: cases kept beside the policies, that say what must be allowed, held and denied.
//!
//! A file of cases is TOML with `[[must_allow]]`, `[[must_hold]]` and `[[must_deny]]`. Each case is
//! asked for every one of its effects in every one of its environments, on the `upstream` that the file
//! names at its head. What a case does not say is
//! the plainest: full coverage, one member, no marks, nothing offered, nothing undoable. A verdict that
//! names `safeguards`, `approvals`, `delay_hours`, `because` or `instead` must have exactly these
//! (`because`: at least).

use std::sync::Arc;

use serde::Deserialize;
use tagout_core::effect::{Effect, Mark};
use tagout_core::environment::Environment;
use tagout_core::ids::{ConnectionId, UpstreamName};
use tagout_core::resource::Resource;
use tagout_core::verdict::{Mode, Safeguard};
use toml::Spanned;

use crate::error::{Place, Problem, Rejected};
use crate::question::{Asker, Coverage, Question};
use crate::source::Source;

/// The cases shipped with the default pack, by file.
const DEFAULT_CASES: [(&str, &str); 2] = [
    (
        "default/cases/table.toml",
        include_str!("../packs/default/cases/table.toml"),
    ),
    (
        "default/cases/edges.toml",
        include_str!("../packs/default/cases/edges.toml"),
    ),
];

/// The cases shipped with the default pack, for reading and running.
pub fn default_cases() -> impl Iterator<Item = Source> {
    DEFAULT_CASES
        .into_iter()
        .map(|(name, text)| Source::new(name, text))
}

/// A file of cases, parsed.
#[derive(Clone, Debug)]
pub struct Cases {
    source: Source,
    file: File,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    upstream: UpstreamName,
    #[serde(default)]
    must_allow: Vec<Case>,
    #[serde(default)]
    must_hold: Vec<Case>,
    #[serde(default)]
    must_deny: Vec<Case>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: Spanned<String>,
    effects: Vec<Effect>,
    environments: Vec<Environment>,
    #[serde(default = "full")]
    coverage: CoverageWord,
    #[serde(default)]
    marks: Vec<Mark>,
    #[serde(default)]
    offers: Vec<Safeguard>,
    #[serde(default)]
    emit_named: bool,
    #[serde(default)]
    read_only: bool,
    #[serde(default = "one")]
    members: u64,
    #[serde(default)]
    task_members: u64,
    #[serde(default)]
    undoable_by_us: bool,
    #[serde(default)]
    contained: bool,
    #[serde(default)]
    mode: Mode,
    #[serde(default = "cursor")]
    agent: String,
    #[serde(default = "someone")]
    owner: String,
    task: Option<String>,
    upstream: Option<UpstreamName>,
    #[serde(default = "a_thing")]
    resource: Resource,
    pub(crate) safeguards: Option<Vec<Safeguard>>,
    pub(crate) approvals: Option<u8>,
    pub(crate) delay_hours: Option<u64>,
    pub(crate) because: Option<Vec<String>>,
    pub(crate) instead: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CoverageWord {
    Full,
    OtherEnvironment,
    None,
}

const fn full() -> CoverageWord {
    CoverageWord::Full
}

const fn one() -> u64 {
    1
}

fn cursor() -> String {
    "cursor".to_owned()
}

fn someone() -> String {
    "someone".to_owned()
}

fn a_thing() -> Resource {
    Resource::new("thing", "one")
}

impl From<CoverageWord> for Coverage {
    fn from(word: CoverageWord) -> Self {
        match word {
            CoverageWord::Full => Self::Full,
            CoverageWord::OtherEnvironment => Self::OtherEnvironment,
            CoverageWord::None => Self::None,
        }
    }
}

impl Cases {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// Where the text is not TOML, a word is unknown, or a case asks nothing.
    pub fn parse(source: Source) -> Result<Self, Rejected> {
        let file: File = toml::from_str(&source.text).map_err(|error| Problem::Case {
            place: source.place(error.span().map_or(0, |span| span.start)),
            what: error.message().to_owned(),
        })?;
        let cases = Self { source, file };
        cases.all_ask_something()?;
        Ok(cases)
    }

    /// What a case of this file asks.
    pub(crate) fn questions(&self, case: &Case) -> Vec<Question> {
        case.questions(&self.file.upstream)
    }

    fn all_ask_something(&self) -> Result<(), Problem> {
        let mut all = self.groups().flat_map(|(_, group)| group);
        match all.find(|case| case.effects.is_empty() || case.environments.is_empty()) {
            None => Ok(()),
            Some(case) => Err(Problem::Case {
                place: self.place(case),
                what: "this case has no effect or no environment".to_owned(),
            }),
        }
    }

    /// The cases by the verdict that they must get.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&'static str, &[Case])> {
        let file = &self.file;
        [
            ("allow", file.must_allow.as_slice()),
            ("hold", file.must_hold.as_slice()),
            ("deny", file.must_deny.as_slice()),
        ]
        .into_iter()
    }

    /// Where a case begins.
    pub(crate) fn place(&self, case: &Case) -> Place {
        self.source.place(case.name.span().start)
    }
}

impl Case {
    /// What a case asks: every one of its effects in every one of its environments.
    fn questions(&self, upstream: &UpstreamName) -> Vec<Question> {
        let each = |effect: &Effect| {
            let effect = *effect;
            let ask =
                move |environment: &Environment| self.question(upstream, effect, *environment);
            self.environments.iter().map(ask)
        };
        self.effects.iter().flat_map(each).collect()
    }

    fn question(
        &self,
        upstream: &UpstreamName,
        effect: Effect,
        environment: Environment,
    ) -> Question {
        let asker = Arc::new(Asker {
            agent: self.agent.clone(),
            owner: self.owner.clone(),
            connection: ConnectionId::from_bits([0; 16]),
            grant: None,
            task: self.task.clone(),
        });
        let upstream = self.upstream.as_ref().unwrap_or(upstream).clone();
        let resource = self.resource.clone();
        Question {
            mode: self.mode,
            marks: self.marks.clone(),
            coverage: self.coverage.into(),
            emit_named: self.emit_named,
            read_only: self.read_only,
            members: self.members,
            task_members: self.task_members,
            undoable_by_us: self.undoable_by_us,
            contained: self.contained,
            offers: self.offers.iter().copied().collect(),
            ..Question::new(asker, upstream, effect, resource, environment)
        }
    }
}
