//! What a statement really reaches: the live catalog, asked on the session's own connection.
//!
//! A text says `SELECT lower(name) FROM users`; the catalog says which `lower`, which `users`, which view's
//! functions, which row-level policies. Volatility is what a function's author claims, and decides nothing. What
//! can't be looked into is unknown.
//!
//! **Staleness.** Answers are kept for [`WINDOW`] and then asked for anew, because another client may create
//! `public.lower(varchar)` at any moment. What went through this gateway, in whatever session, is seen at once
//! ([`Catalog::settled`]). Within the window an answer may be out of date by what others have changed in the
//! database past the gateway: then a statement taken for a read fails, because reads run in a read-only
//! transaction of ours, and a write is measured before it commits, whatever was expected of it. (The same holds
//! between a fresh answer and the statement; PostgreSQL locks no functions.)
//!
//! Nothing in here decides, changes anything, or raises an error in the session's transaction by asking for what is
//! not there. Every name in our questions has its schema, so that nothing that users made runs in them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tagout_core::effect::Effect;

use crate::understand::statement::{Act, Call, Name, Object, Statement, Usage};

pub mod ask;
pub mod closure;
mod code;
pub mod database;
mod dependants;
mod extension;
mod follow;
mod function;
pub mod here;
pub mod impact;
mod mask;
pub mod measure;
pub mod memory;
mod names;
mod quote;
mod relation;
pub mod targets;
mod tree;
mod usage;
pub mod vetting;

use ask::{Ask, AskError};
use closure::Closure;
use follow::{Node, Walk};
use here::Here;
use memory::{Key, Memory};
use names::{Meanings, Names};
use vetting::{Standing, Vetting};

/// How long an answer is good for.
pub const WINDOW: Duration = Duration::from_millis(500);

/// What a session believes of its own settings: when it believes something else than before, they are asked
/// for anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionNames {
    /// `search_path`, as it was last set.
    pub search_path: Option<String>,
    /// The role, as it was last set.
    pub role: Option<String>,
}

/// One session's view of the catalog.
pub struct Catalog {
    memory: Memory,
    vetting: Arc<dyn Vetting>,
    here: Option<(Here, SessionNames, Instant)>,
    /// Something that the catalog depends on may have changed in this session's transaction, which others do
    /// not see.
    moved: bool,
}

impl Catalog {
    /// For a new session; `memory` is shared by all sessions in one database.
    #[must_use]
    pub fn new(memory: Memory, vetting: Arc<dyn Vetting>) -> Self {
        Self {
            memory,
            vetting,
            here: None,
            moved: false,
        }
    }

    /// To be called after this session ran anything but what [`Closure::reads_only`], or a plain change of rows
    /// that was not [`Closure::open`]: names may mean something else now, for this session at least.
    pub fn moved(&mut self) {
        self.moved = true;
        self.here = None;
    }

    /// To be called when a transaction has ended, either way: what it changed, others see now, or nobody.
    pub fn settled(&mut self) {
        if std::mem::take(&mut self.moved) {
            self.here = None;
            self.memory.forget();
        }
    }

    /// Where the session stands.
    ///
    /// # Errors
    /// When the session can't be asked.
    pub async fn here(
        &mut self,
        ask: &mut dyn Ask,
        names: &SessionNames,
    ) -> Result<Here, AskError> {
        if let Some((here, believed, since)) = &self.here
            && believed == names
            && since.elapsed() < self.memory.window()
        {
            return Ok(here.clone());
        }
        let here = Here::ask(ask).await?;
        self.here = Some((here.clone(), names.clone(), Instant::now()));
        Ok(here)
    }

    /// What a statement reaches.
    ///
    /// # Errors
    /// When the session can't be asked. The statement must not run then: [`Closure::unknown`].
    pub async fn close(
        &mut self,
        ask: &mut dyn Ask,
        statement: &Statement,
        names: &SessionNames,
    ) -> Result<Arc<Closure>, AskError> {
        let here = self.here(ask, names).await?;
        let key = Key::new(&here, statement);
        if !self.moved
            && let Some(known) = self.memory.recall(&key)
        {
            return Ok(known);
        }
        let since = self.memory.generation();
        let closure = Arc::new(self.look(ask, statement, &here).await?);
        if !self.moved {
            self.memory.keep(key, Arc::clone(&closure), since);
        }
        Ok(closure)
    }

    async fn look(
        &self,
        ask: &mut dyn Ask,
        statement: &Statement,
        here: &Here,
    ) -> Result<Closure, AskError> {
        let names = names_of(statement);
        let meanings = names.meanings(ask, here).await?;
        let mut walk = Walk::new(here, self.vetting.as_ref());
        walk.truncates_on = cascades(statement, "TRUNCATE");
        walk.begin(statement, &names, &meanings);
        if statement.verb == "DO" {
            walk.follow_block(ask, &statement.sql).await?;
        }
        for object in dropped_with_dependants(statement) {
            walk.reach_dependants(ask, object).await?;
        }
        if fires_event_triggers(statement) {
            walk.closure.reads_only = false;
            for (name, function) in code::event_triggers(ask).await? {
                let name = tagout_core::untrusted::Untrusted::from(name);
                walk.reach(
                    Node::Function(function),
                    &format!("the event trigger `{name}`"),
                );
            }
        }
        let mut closure = walk.finish(ask).await?;
        mark_named(&mut closure, &names, &meanings);
        for name in databases_of(statement) {
            let oid = code::database(ask, name).await?;
            closure.databases.insert(name.to_owned(), oid);
        }
        Ok(closure)
    }
}

impl Walk<'_> {
    /// Begins with what the statement itself mentions.
    fn begin(&mut self, statement: &Statement, names: &Names<'_>, meanings: &Meanings) {
        let relations = statement.mentions.relations.iter().zip(&meanings.relations);
        for (relation, oid) in relations {
            if let Some(oid) = oid {
                self.reach(Node::Relation(*oid, relation.usage), "the statement");
            }
        }
        // What only its acts name is acted on itself.
        let mentioned = statement.mentions.relations.len();
        let acted_on = names
            .relations
            .iter()
            .zip(&meanings.relations)
            .skip(mentioned);
        for (name, oid) in acted_on {
            let known = statement
                .mentions
                .relations
                .iter()
                .any(|it| it.name == **name);
            if let Some(oid) = oid.filter(|_| !known) {
                self.reach(Node::Relation(oid, Usage::Define), "the statement");
            }
        }
        for (name, functions) in names.functions.iter().zip(&meanings.functions) {
            self.begin_call(name, functions);
        }
        for function in &meanings.attributes {
            self.reach(Node::Function(*function), "the statement");
        }
        for function in &meanings.operators {
            self.reach(Node::Function(*function), "an operator");
        }
        for each in &meanings.types {
            self.reach_type(*each);
        }
        self.closure.reads_only &= statement.only_observes();
        // What the text itself can't see into may do anything to any table.
        let unseen = |act: &Act| matches!(act.effect, Effect::Opaque | Effect::Unknown);
        self.closure.open |= statement.acts.iter().any(unseen);
    }

    /// A call that can only mean the server's own function is understood by its name, unless nobody has vetted
    /// it. One that could mean another is followed to all that it could mean.
    fn begin_call(&mut self, name: &Name, functions: &std::collections::BTreeSet<u32>) {
        let servers = functions.iter().all(|oid| *oid < relation::FIRST_OF_USERS);
        if servers && self.vetting.standing(&name.name) != Standing::Unvetted {
            return;
        }
        for function in functions {
            self.reach(Node::Function(*function), "the statement");
        }
    }
}

/// Which names the catalog is asked about. Relations come first in the order of the mentions. What is written
/// as a call may be a cast to a type.
fn names_of(statement: &Statement) -> Names<'_> {
    let mentions = &statement.mentions;
    let calls = || mentions.calls.iter().map(|call: &Call| &call.name);
    let acted_on = statement.acts.iter().filter_map(|act| {
        let relation = RELATIONS.contains(&act.object.kind);
        act.object.name.as_ref().filter(|_| relation)
    });
    Names {
        relations: mentions
            .relations
            .iter()
            .map(|it| &it.name)
            .chain(acted_on)
            .collect(),
        functions: calls().collect(),
        operators: mentions.operators.iter().collect(),
        types: mentions.types.iter().chain(calls()).collect(),
        attributes: &mentions.attributes,
    }
}

/// What a statement drops together with what depends on it.
fn dropped_with_dependants(statement: &Statement) -> impl Iterator<Item = &Object> {
    let dropping = |act: &&Act| act.cascade && act.effect == Effect::Destroy;
    let acts = statement.acts.iter().filter(dropping);
    acts.map(|act| &act.object)
        .filter(|_| !statement.verb.starts_with("TRUNCATE"))
}

/// Databases that a statement names.
fn databases_of(statement: &Statement) -> impl Iterator<Item = &str> {
    let objects = statement.acts.iter().map(|act| &act.object);
    let databases = objects.filter(|object| object.kind == "database");
    databases.filter_map(|object| object.name.as_ref().map(|name| name.name.as_str()))
}

/// Kinds of objects that are relations.
const RELATIONS: [&str; 6] = [
    "table",
    "view",
    "materialized_view",
    "foreign_table",
    "sequence",
    "index",
];

fn mark_named(closure: &mut Closure, names: &Names<'_>, meanings: &Meanings) {
    for (name, oid) in names.relations.iter().zip(&meanings.relations) {
        closure.names.insert((*name).clone(), *oid);
        if let Some(reached) = oid.and_then(|oid| closure.relations.get_mut(&oid)) {
            reached.named = true;
        }
    }
}

fn cascades(statement: &Statement, verb: &str) -> bool {
    statement.verb.starts_with(verb) && statement.acts.iter().any(|act| act.cascade)
}

/// Whether event triggers may fire: with whatever is not known to be about rows or about the session only.
fn fires_event_triggers(statement: &Statement) -> bool {
    let defines = statement
        .mentions
        .relations
        .iter()
        .any(|it| it.usage == Usage::Define);
    let reads = statement.acts.iter().all(|act| act.effect == Effect::Read);
    let about_rows = |verb: &&str| statement.verb.split(' ').next() == Some(*verb);
    defines || (!reads && !ABOUT_ROWS.iter().any(about_rows))
}

/// First words of commands that fire no event triggers.
const ABOUT_ROWS: [&str; 30] = [
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "CLOSE",
    "COMMIT",
    "COPY",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DISCARD",
    "DO",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "INSERT",
    "LISTEN",
    "LOCK",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "PREPARE",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "TRUNCATE",
    "UPDATE",
];
