//! What an agent asks for in one go: a simple query, or a series of messages up to its Sync or Flush.

use std::sync::Arc;

use tagout_core::effect::Effect;

use super::script::{Route, Script, Until};
use crate::understand::statement::{Act, Flow, Statement, Usage};
use crate::unit::Step;
use crate::wire::Frame;

/// What is asked, what it means, and how it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) statements: Vec<Arc<Statement>>,
    pub(crate) steps: Vec<Step>,
    pub(crate) sending: Sending,
}

/// How it is sent.
#[derive(Clone, Debug)]
pub(crate) enum Sending {
    /// As a simple query of this text.
    Simple(String),
    /// As the messages that came.
    Series(Vec<(Frame, Until)>),
}

/// Commands that change rows.
const ROW_VERBS: &[&str] = &[
    "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "SELECT", "VALUES",
];

impl Asked {
    /// What it is called to remember what was decided about it.
    pub(crate) fn text(&self) -> String {
        let texts: Vec<_> = self.steps.iter().map(|step| step.sql.as_str()).collect();
        texts.join(";\n")
    }

    /// Whether by their own words all of it only observes, and nothing of it has to be tried.
    pub(crate) fn observes(&self) -> bool {
        self.statements.iter().all(|statement| observes(statement))
    }

    /// The statement that refuses to run in a transaction, if there is one.
    ///
    /// Some refuse by themselves; others would run, and no rollback would take back what they do.
    pub(crate) fn outside(&self) -> Option<&Statement> {
        let mut statements = self.statements.iter();
        let outside = statements.find(|statement| statement.flow == Flow::Outside);
        outside.map(Arc::as_ref)
    }

    /// Whether it changes rows and nothing else, so that a trial of it takes no table away from others.
    pub(crate) fn only_rows(&self) -> bool {
        let rows = |usage: Usage| !matches!(usage, Usage::Define | Usage::Truncate);
        self.statements.iter().all(|statement| {
            let mut relations = statement.mentions.relations.iter();
            is_about_rows(statement) && relations.all(|it| rows(it.usage))
        })
    }

    /// Whether it sets a sequence, which no rollback takes back although it runs in any transaction.
    pub(crate) fn persists(&self) -> bool {
        self.statements.iter().any(|statement| {
            let sets = |act: &Act| act.object.kind == "sequence" && act.effect == Effect::Write;
            is_about_rows(statement) && statement.acts.iter().any(sets)
        })
    }

    pub(crate) fn copies_in(&self) -> bool {
        self.statements
            .iter()
            .any(|statement| statement.flow == Flow::CopyIn)
    }

    /// Puts it into a script. With `keep_back` the agent hears that the last of it is complete only later.
    pub(crate) fn put(&self, script: &mut Script, keep_back: bool) {
        let last = if keep_back {
            Route::KeepBack
        } else {
            Route::Agent
        };
        match &self.sending {
            Sending::Simple(sql) => {
                script.query(sql, last);
            }
            Sending::Series(messages) => {
                let executes = |(_, until): &(Frame, Until)| *until == Until::Executed;
                let at = messages.iter().rposition(executes);
                for (index, (frame, until)) in messages.iter().enumerate() {
                    let route = if Some(index) >= at {
                        last
                    } else {
                        Route::Agent
                    };
                    script.frame(frame, *until, route);
                }
            }
        }
    }

    pub(crate) const fn is_series(&self) -> bool {
        matches!(self.sending, Sending::Series(_))
    }
}

/// Whether its command reads or changes rows.
pub(crate) fn is_about_rows(statement: &Statement) -> bool {
    ROW_VERBS.contains(&statement.verb)
}

/// Whether a statement needs no trial: it observes, or changes only the session.
pub(crate) fn observes(statement: &Statement) -> bool {
    match &statement.flow {
        Flow::Prepare { .. } => true,
        Flow::Outside => false,
        _ => statement.only_observes(),
    }
}

/// What a statement does to the transaction itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Begin,
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    /// A savepoint is made, released or gone back to.
    Savepoint,
}

impl Control {
    pub(crate) fn of(statement: &Statement) -> Option<Self> {
        match statement.flow {
            Flow::Begin { .. } => Some(Self::Begin),
            Flow::Commit { chain } => Some(Self::Commit { chain }),
            Flow::Rollback { chain } => Some(Self::Rollback { chain }),
            Flow::Savepoint(_) | Flow::RollbackTo(_) | Flow::Release(_) => Some(Self::Savepoint),
            _ => None,
        }
    }
}
