//! A server with a database for each test, a session on it, and statements written by hand: what their text
//! mentions is understanding's business, and has tests of its own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tagout_core::effect::{Effect, Reversibility};
use tagout_core::pipeline::Later;
use tagout_postgres::catalog::ask::{Ask, AskError, Rows};
use tagout_postgres::catalog::closure::Closure;
use tagout_postgres::catalog::memory::Memory;
use tagout_postgres::catalog::vetting::{Standing, Vetting};
use tagout_postgres::catalog::{Catalog, SessionNames};
use tagout_postgres::understand::statement::{
    Act, Call, Flow, Mentions, Name, Object, Relation, Statement, Usage,
};
use tagout_postgres::understand::{Limits, Reader};
use tagout_stage::{Postgres, PostgresConfig};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// One server for all tests of this binary; the test process's end stops it.
pub(crate) fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start(&PostgresConfig::default()).unwrap())
}

/// The role that agents work as in these tests: no superuser.
pub(crate) const AGENT: &str = "app";

/// A session of [`AGENT`]'s, and its catalog.
pub(crate) struct Scene {
    pub(crate) session: Session,
    pub(crate) catalog: Catalog,
    pub(crate) memory: Memory,
    pub(crate) database: String,
}

pub(crate) struct Session(pub(crate) Client);

impl Ask for Session {
    fn rows<'a>(&'a mut self, sql: &'a str) -> Later<'a, Result<Rows, AskError>> {
        Box::pin(async move {
            let answer = self
                .0
                .simple_query(sql)
                .await
                .map_err(|error| refused(&error))?;
            Ok(answer.into_iter().filter_map(row).collect())
        })
    }
}

fn refused(error: &tokio_postgres::Error) -> AskError {
    let error = error.as_db_error().unwrap();
    AskError::Refused {
        sqlstate: error.code().code().to_owned(),
        message: error.message().to_owned(),
    }
}

fn row(message: SimpleQueryMessage) -> Option<Vec<Option<String>>> {
    let SimpleQueryMessage::Row(row) = message else {
        return None;
    };
    Some(
        (0..row.len())
            .map(|at| row.get(at).map(str::to_owned))
            .collect(),
    )
}

/// Takes everything of the server's for harmless but a few.
pub(crate) struct Harmless;

impl Vetting for Harmless {
    fn standing(&self, name: &str) -> Standing {
        match name {
            "nextval" => Standing::Changes,
            "pg_sleep" => Standing::Unvetted,
            "pg_terminate_backend" => Standing::Persists("it ends others' sessions"),
            _ => Standing::Observes,
        }
    }
}

impl Scene {
    /// A new database, owned by [`AGENT`], in which a superuser has run `set_up`.
    pub(crate) async fn new(set_up: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let database = format!("d{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = server();
        let role = format!(
            "DO $$ BEGIN CREATE ROLE {AGENT} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$"
        );
        server.psql(&role).unwrap();
        server
            .psql(&format!("CREATE DATABASE {database} OWNER {AGENT}"))
            .unwrap();
        let set_up = format!("GRANT ALL ON SCHEMA public TO {AGENT}; {set_up}");
        let made = server.psql_in(&database, &set_up);
        made.unwrap_or_else(|error| panic!("{error}: {set_up}"));
        let session = connect(&database, AGENT).await;
        let memory = Memory::for_as_long_as(Duration::from_secs(60));
        Self {
            session,
            catalog: Catalog::new(memory.clone(), Arc::new(Harmless)),
            memory,
            database,
        }
    }

    /// What a statement reaches.
    pub(crate) async fn close(&mut self, statement: &Statement) -> Arc<Closure> {
        let names = SessionNames::default();
        let closing = self.catalog.close(&mut self.session, statement, &names);
        closing.await.unwrap()
    }

    /// Runs SQL in the session, past the catalog.
    pub(crate) async fn run(&mut self, sql: &str) {
        self.session.0.batch_execute(sql).await.unwrap();
    }

    /// Runs SQL as a superuser, in a session of its own.
    pub(crate) fn elsewhere(&self, sql: &str) -> String {
        server().psql_in(&self.database, sql).unwrap()
    }
}

/// A session of `role`'s.
pub(crate) async fn connect(database: &str, role: &str) -> Session {
    let settings = format!(
        "host=127.0.0.1 port={} user={role} dbname={database}",
        server().port
    );
    let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.unwrap();
    tokio::spawn(connection);
    Session(client)
}

/// A name, with a schema where there is a dot.
pub(crate) fn name(text: &str) -> Name {
    match text.split_once('.') {
        Some((schema, name)) => Name {
            schema: Some(schema.to_owned()),
            name: name.to_owned(),
        },
        None => Name {
            schema: None,
            name: text.to_owned(),
        },
    }
}

/// A statement as understanding reads it.
pub(crate) fn read(sql: &str) -> Statement {
    static READER: OnceLock<Reader> = OnceLock::new();
    let reader = READER.get_or_init(|| Reader::start(Limits::default()).unwrap());
    let statements = reader.read_blocking(sql.as_bytes()).unwrap();
    assert_eq!(statements.len(), 1, "{sql}");
    statements[0].clone()
}

/// A statement that mentions nothing yet.
pub(crate) fn statement(verb: &'static str, effect: Effect) -> Statement {
    Statement {
        sql: verb.to_owned(),
        verb,
        flow: Flow::Transactional,
        acts: vec![Act {
            effect,
            object: Object {
                kind: "row",
                name: None,
            },
            why: String::new(),
            reversibility: Reversibility::Unknown,
            marks: Vec::new(),
            cascade: false,
        }],
        mentions: Mentions::default(),
    }
}

/// `SELECT` from `relations`.
pub(crate) fn select(relations: &[&str]) -> Statement {
    using(statement("SELECT", Effect::Read), relations, Usage::Select)
}

/// `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`.
pub(crate) fn change(usage: Usage, relation: &str) -> Statement {
    let (verb, effect) = match usage {
        Usage::Insert => ("INSERT", Effect::Write),
        Usage::Update => ("UPDATE", Effect::Write),
        Usage::Delete => ("DELETE", Effect::Destroy),
        Usage::Truncate => ("TRUNCATE TABLE", Effect::Destroy),
        _ => ("ALTER TABLE", Effect::Write),
    };
    let mut statement = using(statement(verb, effect), &[relation], usage);
    for act in &mut statement.acts {
        act.object = Object {
            kind: "table",
            name: Some(name(relation)),
        };
    }
    statement
}

pub(crate) fn using(mut statement: Statement, relations: &[&str], usage: Usage) -> Statement {
    let relations = relations.iter().map(|relation| Relation {
        name: name(relation),
        usage,
    });
    statement.mentions.relations.extend(relations);
    statement
}

pub(crate) fn calling(mut statement: Statement, functions: &[&str]) -> Statement {
    let calls = functions.iter().map(|function| Call {
        name: name(function),
        arguments: 1,
        literals: vec![None],
    });
    statement.mentions.calls.extend(calls);
    statement
}

pub(crate) fn operators(mut statement: Statement, operators: &[&str]) -> Statement {
    let names = operators.iter().map(|operator| Name {
        schema: None,
        name: (*operator).to_owned(),
    });
    statement.mentions.operators.extend(names);
    statement
}

pub(crate) fn types(mut statement: Statement, types: &[&str]) -> Statement {
    statement
        .mentions
        .types
        .extend(types.iter().map(|each| name(each)));
    statement
}

/// The closure's effects as lines, for comparing.
pub(crate) fn effects(closure: &Closure) -> Vec<String> {
    let line = |added: &tagout_postgres::catalog::closure::Added| {
        let reach = if added.transactional { "" } else { " out" };
        format!("{} {}{reach}", added.effect.word(), added.resource)
    };
    closure.effects.iter().map(line).collect()
}
