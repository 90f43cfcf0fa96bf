//! One statement, as its text says: what it does by its own words, and what it mentions that only the
//! catalog can explain.

use tagout_core::effect::{Effect, Mark, Reversibility};

/// A name as PostgreSQL reads it: folded to lower case unless it was quoted, without a database part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The schema, where the text names one.
    pub schema: Option<String>,
    /// The object.
    pub name: String,
}

/// One of the statements of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its own text, without what separates it from its neighbours.
    pub sql: String,
    /// The command in a word or two, as in a command tag: `DELETE`, `DROP TABLE`.
    pub verb: &'static str,
    /// How a session has to carry it.
    pub flow: Flow,
    /// What it does by its own words, in the order of the text; never empty. A statement that only
    /// observes has acts of [`Effect::Read`] on each relation that it reads, or one on nothing.
    pub acts: Vec<Act>,
    /// What has to be looked up to know more.
    pub mentions: Mentions,
}

/// How a session carries a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Begins a transaction block.
    Begin {
        /// `READ ONLY` or `READ WRITE`, where it says so.
        read_only: Option<bool>,
    },
    /// `COMMIT`, `END`.
    Commit {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `ROLLBACK`, `ABORT`.
    Rollback {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `SAVEPOINT name`.
    Savepoint(String),
    /// `ROLLBACK TO name`.
    RollbackTo(String),
    /// `RELEASE name`.
    Release(String),
    /// Works inside a transaction, and its work goes with it.
    Transactional,
    /// Takes rows or data from the client: `COPY … FROM STDIN`.
    CopyIn,
    /// Sends data to the client: `COPY … TO STDOUT`.
    CopyOut,
    /// Refuses to run inside a transaction block, or commits by itself: `VACUUM`,
    /// `CREATE INDEX CONCURRENTLY`, `CREATE DATABASE`. Also what no rollback takes back:
    /// `COPY … TO PROGRAM`, `dblink_exec(…)`. To be decided before it runs, never tried.
    Outside,
    /// `PREPARE name AS …`. The acts are those of what is prepared, and count when it is executed.
    Prepare {
        /// The name, in the namespace that it shares with Parse messages.
        name: String,
        /// What is prepared.
        inner: Box<Statement>,
    },
    /// `EXECUTE name (…)`, or what runs it: its acts are those of what was prepared under that name.
    Execute(String),
    /// `DEALLOCATE name`; `None` for `ALL`.
    Deallocate(Option<String>),
    /// `SET`, `SET LOCAL`, `RESET` of one setting, `set_config` not included.
    Set {
        /// The setting, in lower case; `transaction_isolation` and the like for `SET TRANSACTION`.
        name: String,
        /// The value as text; `None` for `DEFAULT` and `RESET`.
        value: Option<String>,
        /// `SET LOCAL`.
        local: bool,
    },
    /// `RESET ALL`.
    ResetAll,
    /// `DISCARD what`.
    Discard(&'static str),
    /// `DECLARE name CURSOR … FOR …`: observes as its query does, which goes on when it is fetched from.
    DeclareCursor {
        /// The cursor.
        name: String,
        /// `WITH HOLD`: lives beyond the transaction.
        hold: bool,
    },
    /// Changes only what this session listens to or holds open: `FETCH`, `MOVE`, `CLOSE`, `LISTEN`,
    /// `UNLISTEN`, `SHOW`, `CHECKPOINT` is not one.
    SessionOnly,
}

/// What a statement does to one thing, by its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// What.
    pub effect: Effect,
    /// To what.
    pub object: Object,
    /// The rule behind it, for a person.
    pub why: String,
    /// Whether it can be taken back once it is committed.
    pub reversibility: Reversibility,
    /// What makes it graver.
    pub marks: Vec<Mark>,
    /// `CASCADE`: what depends on it goes as well.
    pub cascade: bool,
}

/// A thing in a database, as written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    /// `table`, `view`, `index`, `sequence`, `function`, `role`, `database`, `schema`, `server`, …, `row`
    /// for nothing that has a name.
    pub kind: &'static str,
    /// Its name; `None` for all of that kind, or where the text cannot tell.
    pub name: Option<Name>,
}

/// What a statement mentions that only a catalog can explain. Each list without repetitions, in the order
/// of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Relations (tables, views, foreign tables, sequences), and how each is used. Names of common table
    /// expressions are not relations.
    pub relations: Vec<Relation>,
    /// Functions that are called, procedures and aggregates included.
    pub calls: Vec<Call>,
    /// Operators that are used, as written; `OPERATOR(schema.op)` has a schema.
    pub operators: Vec<Name>,
    /// Types that values are cast to or that columns have: casts and domain checks can run code.
    pub types: Vec<Name>,
    /// Names written as `x.name` or `(x).name`: columns, but also calls of a function `name` with the one
    /// argument `x`, where there is no such column: `SELECT (1234).pg_terminate_backend`.
    pub attributes: Vec<String>,
}

/// A relation and how it is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation {
    /// As written.
    pub name: Name,
    /// How.
    pub usage: Usage,
}

/// How a relation is used: what runs with it differs (views' queries, triggers, rules, policies, defaults).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Usage {
    /// Read from.
    Select,
    /// `SELECT … FOR UPDATE` and the like.
    SelectForUpdate,
    /// Rows are added.
    Insert,
    /// Rows are changed.
    Update,
    /// Rows are removed.
    Delete,
    /// `TRUNCATE`.
    Truncate,
    /// Its structure or itself is acted on by the statement's own words.
    Define,
}

/// A call of a function by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// As written.
    pub name: Name,
    /// How many arguments.
    pub arguments: usize,
    /// The arguments that are plain string literals, by position; the rest `None`. For functions that
    /// run SQL which they are given as text.
    pub literals: Vec<Option<String>>,
}

impl Mentions {
    /// Adds what another statement mentions.
    pub(super) fn take(&mut self, other: Self) {
        fn add<T: PartialEq>(to: &mut Vec<T>, from: Vec<T>) {
            for each in from {
                if !to.contains(&each) {
                    to.push(each);
                }
            }
        }
        add(&mut self.relations, other.relations);
        add(&mut self.calls, other.calls);
        add(&mut self.operators, other.operators);
        add(&mut self.types, other.types);
        add(&mut self.attributes, other.attributes);
    }
}

impl Statement {
    /// Whether by its own words it only observes.
    #[must_use]
    pub fn only_observes(&self) -> bool {
        self.acts.iter().all(|act| act.effect.only_observes())
    }
}
