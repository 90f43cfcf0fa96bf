//! What a session stands on: names, identity, what statements reach, and what they were measured to do.

use std::sync::Arc;

use tagout_core::digest::BytesDigest;
use tagout_core::effect::{Effect, EffectOn, Mark};
use tagout_core::operation::{Attempt, Exact};
use tagout_core::pipeline::Later;
use tagout_core::resolved::Target;
use tagout_core::resource::Resource;

use super::Session;
use super::asked::{Asked, observes};
use super::exchange::{Answers, Exchange, GoesOn};
use super::halt::Halt;
use super::link::Link;
use super::script::{BEGIN_READING, BEGIN_TRIAL, COMMIT, Expected, Route, Script, Until};
use crate::catalog::ask::{Ask, AskError, Rows};
use crate::catalog::closure::Closure;
use crate::catalog::impact::add_impact;
use crate::catalog::measure::Measured;
use crate::catalog::targets::{measured_targets, targets};
use crate::error::PostgresError;
use crate::understand::statement::{Act, Call, Flow, Statement, Usage};
use crate::unit::{Names, Step, Unit};
use crate::wire::client::Target as Named;
use crate::wire::write;

/// How much is seen of what statements reach.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    /// It is about to run where it can be taken back and measured: what code in it does, is not guessed.
    Foreseen,
    /// It does not run: everything that it might do counts.
    Unrun,
    /// It ran, and was measured: numbers stand in the place of words about rows.
    Measured(&'a Measured),
}

impl Seen<'_> {
    /// A statement and its closure as they are seen.
    fn of(
        self,
        statement: &Arc<Statement>,
        closure: &Arc<Closure>,
    ) -> (Arc<Statement>, Arc<Closure>) {
        if matches!(statement.flow, Flow::Prepare { .. }) {
            // What is prepared counts when it is executed.
            let mut prepare = statement.as_ref().clone();
            prepare.acts.clear();
            return (Arc::new(prepare), Arc::new(Closure::default()));
        }
        let closure = match self {
            Self::Unrun => Arc::clone(closure),
            Self::Foreseen | Self::Measured(_) => {
                let mut closure = closure.as_ref().clone();
                closure.effects.retain(|added| !added.transactional);
                Arc::new(closure)
            }
        };
        let statement = match self {
            Self::Foreseen | Self::Unrun => Arc::clone(statement),
            // No counter shows what was written: its words stand.
            Self::Measured(measured) if measured.wrote && measured.tables.is_empty() => {
                Arc::clone(statement)
            }
            Self::Measured(_) => {
                let mut statement = statement.as_ref().clone();
                let changes = rows_changed(&statement);
                statement.acts.retain(|act| !changes(act));
                Arc::new(statement)
            }
        };
        (statement, closure)
    }
}

/// What a cursor is held open for runs when the transaction commits, after everything was measured. So it must
/// be known to only read.
fn outlives_measuring(statement: &Statement, closure: &Closure) -> Result<(), Halt> {
    match statement.flow {
        Flow::DeclareCursor { hold: true, .. } if !closure.reads_only => Err(Halt::denied(
            "a cursor WITH HOLD runs its query at the commit, where nothing can be measured any more, and this query runs code; leave out WITH HOLD. It was not executed.",
        )),
        _ => Ok(()),
    }
}

/// Code that a statement itself brings is not as acceptable for having been tried as what others can see.
fn marked(statement: &Statement, mut target: Target) -> Target {
    if target.on.effect == Effect::Opaque && matches!(statement.verb, "DO" | "CALL") {
        target.on.marks.push(Mark::Procedural);
    }
    // Sessions are the whole server's: this database's label says nothing of whose are ended.
    if target.on.resource.kind() == "session" {
        target.places.clear();
    }
    target
}

/// Which acts of a statement are changes of rows, which are counted when it has run.
fn rows_changed(statement: &Statement) -> impl Fn(&Act) -> bool + use<> {
    let counted = |usage: Usage| matches!(usage, Usage::Insert | Usage::Update | Usage::Delete);
    let relations = statement.mentions.relations.iter();
    let counted: Vec<_> = relations
        .filter(|it| counted(it.usage))
        .map(|it| it.name.clone())
        .collect();
    move |act| {
        matches!(act.effect, Effect::Write | Effect::Destroy)
            && act
                .object
                .name
                .as_ref()
                .is_some_and(|name| counted.contains(name))
    }
}

/// The same effect on the same thing is one, with all that is known of it.
fn merge(all: &mut Vec<Target>, target: Target) {
    let same = |other: &&mut Target| {
        other.on.effect == target.on.effect
            && other.on.resource == target.on.resource
            && other.places == target.places
            && other.on.marks == target.on.marks
    };
    match all.iter_mut().find(same) {
        Some(other) => {
            other.on.members = other.on.members.max(target.on.members);
            other.on.reversibility = other.on.reversibility.max(target.on.reversibility);
            for count in target.counts {
                if !other.counts.iter().any(|it| it.of == count.of) {
                    other.counts.push(count);
                }
            }
        }
        None => all.push(target),
    }
}

/// Look-ups on the session's own connection.
pub(crate) struct OnLink<'a> {
    pub(crate) link: &'a mut Link,
    pub(crate) goes_on: GoesOn<'a>,
}

impl Ask for OnLink<'_> {
    fn rows<'a>(&'a mut self, sql: &'a str) -> Later<'a, Result<Rows, AskError>> {
        Box::pin(async move {
            let mut script = Script::default();
            script.own_query(sql);
            let sent = Exchange::new(self.link, self.goes_on).run(script).await;
            let answers = sent.map_err(|_| AskError::Lost)?;
            match answers.own_error {
                None => Ok(answers.rows.into_iter().next_back().unwrap_or_default()),
                Some(error) => Err(AskError::Refused {
                    sqlstate: error.sqlstate,
                    message: error.message.escape_debug().to_string(),
                }),
            }
        })
    }
}

impl Session {
    /// What statements reach, by the catalog as this session sees it now.
    pub(super) async fn close(&mut self, asked: &Asked) -> Result<Vec<Arc<Closure>>, Halt> {
        let mut link = self.adapter.link.lock().await;
        let goes_on = self.adapter.goes_on.as_ref();
        let mut ask = OnLink {
            link: &mut link,
            goes_on,
        };
        self.here = Some(self.catalog.here(&mut ask, &self.names).await?);
        let mut closures = Vec::with_capacity(asked.statements.len());
        for statement in &asked.statements {
            let closure = self.catalog.close(&mut ask, statement, &self.names).await?;
            outlives_measuring(statement, &closure)?;
            closures.push(closure);
        }
        Ok(closures)
    }

    /// A unit of work under the names as they stand.
    pub(super) fn unit(&self, steps: Vec<Step>) -> Unit {
        let here = self.here.as_ref();
        Unit {
            names: Names {
                database: self.database.id(),
                role: here.map_or_else(String::new, |here| here.role.clone()),
                search_path: here.map_or_else(Vec::new, |here| here.schemas.clone()),
            },
            steps,
        }
    }

    pub(super) fn attempt(&self, unit: &Unit) -> Attempt {
        Attempt {
            upstream: self.adapter.upstream.clone(),
            bytes: unit.bytes(),
        }
    }

    pub(super) fn exact_of(attempt: &Attempt) -> BytesDigest {
        Exact::new(attempt.bytes.clone()).digest()
    }

    /// What is reached, as far as it is seen.
    pub(super) fn targets(
        &self,
        asked: &Asked,
        closures: &[Arc<Closure>],
        seen: Seen<'_>,
    ) -> Vec<Target> {
        let nothing = Arc::new(Closure::default());
        let mut all = Vec::new();
        for (at, statement) in asked.statements.iter().enumerate() {
            let closure = closures.get(at).unwrap_or(&nothing);
            let (statement, closure) = seen.of(statement, closure);
            let found = targets(&statement, &closure, &self.database);
            let found = found.into_iter().map(|target| marked(&statement, target));
            found.for_each(|target| merge(&mut all, target));
        }
        if let Seen::Measured(measured) = seen {
            let found = measured_targets(measured, &self.database);
            found.into_iter().for_each(|target| merge(&mut all, target));
            if measured.wrote && all.iter().all(|target| target.on.effect.only_observes()) {
                let why = "it wrote something that neither its words nor the counters show";
                let unseen = EffectOn::new(Effect::Unknown, Resource::anything(), why);
                let place = vec![self.database.place()];
                all.push(Target {
                    places: place,
                    ..Target::not_found(unseen)
                });
            }
        }
        // The gravest first, as a person reads them.
        all.sort_by_key(|target| std::cmp::Reverse((target.on.effect, target.on.members)));
        all
    }

    /// The same with what a person wants to know before it runs.
    pub(super) async fn impact(
        &mut self,
        asked: &Asked,
        closures: &[Arc<Closure>],
    ) -> Result<Vec<Target>, Halt> {
        let mut targets = self.targets(asked, closures, Seen::Unrun);
        if self.block.work().is_some() {
            return Ok(targets);
        }
        let mut link = self.adapter.link.lock().await;
        let mut ask = OnLink {
            link: &mut link,
            goes_on: self.adapter.goes_on.as_ref(),
        };
        for closure in closures {
            add_impact(&mut ask, closure, &mut targets).await?;
        }
        Ok(targets)
    }

    /// Whatever is not plainly reading, or a plain change of rows, may change what names mean.
    pub(super) fn catalog_moved(&mut self, asked: &Asked, closures: &[Arc<Closure>]) {
        let plain =
            |(statement, closure): (&Arc<_>, &Arc<Closure>)| !closure.open && is_plain(statement);
        let all = asked.statements.len() == closures.len()
            && asked.statements.iter().zip(closures).all(plain);
        if !all {
            self.catalog.moved();
        }
    }

    /// Makes the gateway's own prepared statements, where they are not there.
    pub(super) async fn own_statements(&mut self) -> Result<(), PostgresError> {
        if self.prepared.has_own() {
            return Ok(());
        }
        let mut script = Script::default();
        // Whatever may stand there by now, goes first; that there is nothing is no error.
        for (name, sql) in [
            (BEGIN_READING, "BEGIN READ ONLY"),
            (BEGIN_TRIAL, "BEGIN"),
            (COMMIT, "COMMIT"),
        ] {
            write::close(&mut script.bytes, Named::Statement(name));
            script.expected.push_back(Expected {
                until: Until::Forgotten,
                route: Route::Own,
            });
            write::parse(&mut script.bytes, name, sql, &[]);
            script.expected.push_back(Expected {
                until: Until::ParseComplete,
                route: Route::Own,
            });
        }
        script.sync(Route::Own);
        let answers = self.exchange(script).await?;
        if answers.own_error.is_some() {
            return Err(PostgresError::Confused(
                "the server prepares nothing for us",
            ));
        }
        self.prepared.own_are_there();
        Ok(())
    }

    pub(super) async fn exchange_for_sign(
        &mut self,
        script: Script,
        sqlstate: &'static str,
    ) -> Result<Answers, PostgresError> {
        let mut link = self.adapter.link.lock().await;
        let goes_on = self.adapter.goes_on.as_ref();
        let exchange = Exchange::new(&mut link, goes_on).taking_as_sign(sqlstate);
        let answers = exchange.run(script).await?;
        self.parsed = self.parsed.max(answers.parsed);
        Ok(answers)
    }

    /// Where the agent's buffer stands.
    pub(super) async fn client_mark(&self) -> usize {
        self.adapter.link.lock().await.client.out.len()
    }

    /// Takes back what the agent was about to hear since then.
    pub(super) async fn back_to(&self, mark: usize) {
        self.adapter.link.lock().await.client.out.truncate(mark);
    }
}

fn is_plain(statement: &Statement) -> bool {
    let plain_change = matches!(statement.verb, "INSERT" | "UPDATE" | "DELETE" | "MERGE");
    let session = matches!(
        statement.flow,
        Flow::Set { .. } | Flow::ResetAll | Flow::Discard(_)
    );
    let sets = |call: &Call| call.name.name == "set_config";
    let session = session || statement.mentions.calls.iter().any(sets);
    !session && (observes(statement) || plain_change)
}
