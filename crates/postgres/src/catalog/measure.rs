//! Measuring what a transaction did, inside it, before it is committed: how many rows of each table were
//! added, changed and removed, by whatever means, and what was locked so that it could be emptied or dropped.
//!
//! The counters are the server's own (`pg_stat_get_xact_tuples_*`). They include what this session did shortly
//! before, so a baseline is taken first; and what a savepoint rolled back, so they may say too much and never
//! too little. TRUNCATE and DROP do not count; they show as locks, as another file, or as a table that is gone.
//!
//! A statement whose closure is known costs one look at the tables in it. Where somebody's code runs, all tables
//! are looked at, the server's own included: a function that grants or creates is seen there.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{AskError, Rows};
use super::closure::{Closure, Reached};
use super::quote::{EQ, GE, NE};
use super::relation::FIRST_OF_USERS;
use crate::understand::statement::Usage;

/// What has to be known before a transaction to measure it at its end. Lives as long as the transaction.
#[derive(Clone, Debug, Default)]
pub struct Measure {
    /// Counters before; a table that is not here was at zero, if `whole`.
    before: BTreeMap<u32, Counts>,
    /// Tables that statements were expected to change.
    expected: BTreeMap<u32, Expected>,
    /// Relations that statements lock exclusively by their own words.
    explained: BTreeSet<u32>,
    /// All tables are looked at.
    whole: bool,
    /// Relations that were there, with the files of their rows.
    files: BTreeMap<u32, String>,
}

#[derive(Clone, Debug)]
struct Expected {
    schema: String,
    name: String,
    rows: Option<u64>,
}

/// Rows of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Added.
    pub inserted: u64,
    /// Changed.
    pub updated: u64,
    /// Removed.
    pub deleted: u64,
}

/// What a transaction did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Tables whose rows it changed. Temporary tables do not count.
    pub tables: Vec<MeasuredTable>,
    /// The server's own tables that it changed, where code ran that we can't see into: rights, functions,
    /// large objects.
    pub catalogs: Vec<MeasuredTable>,
    /// Whether it wrote anything at all, row locks and temporary tables included.
    pub wrote: bool,
    /// Relations that it locked exclusively, gone or changed, other than by a statement's own words.
    pub exclusive: Vec<Exclusive>,
}

/// A table, and what was done to its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredTable {
    /// Its OID.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What was done.
    pub counts: Counts,
    /// How many rows there are, as the server last estimated.
    pub rows: Option<u64>,
}

/// A relation that was locked exclusively.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusive {
    /// Its OID.
    pub oid: u32,
    /// Schema and name, where it is still there.
    pub name: Option<(String, String)>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a relation that was locked exclusively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Dropped.
    Gone,
    /// Its rows are in another file: it was emptied or rewritten.
    Rewritten,
    /// Still there; its structure may be another.
    Locked,
}

impl Measure {
    /// Notes that a statement is about to run, and gives the question for the baseline that is still missing,
    /// to be asked before the statement, in the same transaction. Its rows go to [`Self::began`].
    #[must_use]
    pub fn before(&mut self, closure: &Closure) -> Option<String> {
        let words = closure.relations.values().filter(|it| acts_by_words(it));
        self.explained.extend(words.map(|it| it.oid));
        if self.whole {
            return None;
        }
        if closure.open {
            self.whole = true;
            return Some(whole_baseline());
        }
        let new: Vec<u32> = closure.changeable().map(|it| it.oid).collect();
        let new: Vec<u32> = new
            .into_iter()
            .filter(|oid| !self.expected.contains_key(oid))
            .collect();
        self.expected
            .extend(closure.changeable().map(|it| (it.oid, Expected::of(it))));
        (!new.is_empty()).then(|| counters(&new))
    }

    /// Takes the rows of the question that [`Self::before`] gave.
    ///
    /// # Errors
    /// When they are not the answer to it. Then nothing can be measured, and nothing may be committed.
    pub fn began(&mut self, rows: &Rows) -> Result<(), AskError> {
        for row in rows {
            let row = Row(row);
            match row.kind()? {
                "table" => {
                    self.before.entry(row.oid()?).or_insert(row.counts()?);
                }
                "file" => {
                    self.files.insert(row.oid()?, row.text(4)?.to_owned());
                }
                _ => return Err(row.strange()),
            }
        }
        Ok(())
    }

    /// The question at the commit point. One statement, so that it can be sent in front of the COMMIT.
    #[must_use]
    pub fn after(&self) -> String {
        if self.whole {
            return whole_counters();
        }
        let tables: Vec<u32> = self.expected.keys().copied().collect();
        if tables.is_empty() {
            return XID.to_owned();
        }
        format!("{} UNION ALL {XID}", counters(&tables))
    }

    /// What the rows of the question that [`Self::after`] gave mean.
    ///
    /// # Errors
    /// When they are not the answer to it. Then nothing may be committed.
    pub fn measured(&self, rows: &Rows) -> Result<Measured, AskError> {
        let mut measured = Measured::default();
        let mut answered = false;
        for row in rows {
            let row = Row(row);
            match row.kind()? {
                "table" => self.note_table(&row, &mut measured)?,
                "lock" => measured.exclusive.extend(self.exclusive(&row)?),
                "xid" => {
                    answered = true;
                    measured.wrote = row.optional(4).is_some();
                }
                _ => return Err(row.strange()),
            }
        }
        if answered {
            Ok(measured)
        } else {
            Err(AskError::Unreadable(
                "no row about the transaction".to_owned(),
            ))
        }
    }

    fn note_table(&self, row: &Row<'_>, measured: &mut Measured) -> Result<(), AskError> {
        let oid = row.oid()?;
        let before = self.before.get(&oid).copied().unwrap_or_default();
        let counts = row.counts()?.since(before);
        if counts == Counts::default() {
            return Ok(());
        }
        let table = self.table(row, oid, counts)?;
        if oid >= FIRST_OF_USERS || table.schema != "pg_catalog" {
            measured.tables.push(table);
        } else if matters(&table) {
            measured.catalogs.push(table);
        }
        Ok(())
    }

    fn table(&self, row: &Row<'_>, oid: u32, counts: Counts) -> Result<MeasuredTable, AskError> {
        let (schema, name, rows) = match (row.optional(2), self.expected.get(&oid)) {
            (Some(schema), _) => {
                let rows = row.optional(7).and_then(|rows| rows.parse().ok());
                (schema.to_owned(), row.text(3)?.to_owned(), rows)
            }
            (None, Some(known)) => (known.schema.clone(), known.name.clone(), known.rows),
            (None, None) => return Err(row.strange()),
        };
        Ok(MeasuredTable {
            oid,
            schema,
            name,
            counts,
            rows,
        })
    }

    /// What a lock means; nothing, if a statement says so itself or the relation is new.
    fn exclusive(&self, row: &Row<'_>) -> Result<Option<Exclusive>, AskError> {
        let oid = row.oid()?;
        let Some(file) = self.files.get(&oid) else {
            return Ok(None);
        };
        if self.explained.contains(&oid) {
            return Ok(None);
        }
        let name = row.optional(2).zip(row.optional(3));
        let fate = match row.optional(4) {
            None => Fate::Gone,
            Some(now) if now != file => Fate::Rewritten,
            Some(_) => Fate::Locked,
        };
        Ok(Some(Exclusive {
            oid,
            name: name.map(|(schema, name)| (schema.to_owned(), name.to_owned())),
            fate,
        }))
    }
}

/// Whether a statement's own words lock it exclusively.
fn acts_by_words(reached: &Reached) -> bool {
    let words = |usage: &Usage| matches!(usage, Usage::Truncate | Usage::Define);
    reached.usages.iter().any(words)
}

/// The server's own tables whose change means something: a function or a trigger was made, rights were changed,
/// a large object was written. Those that change with every temporary table do not count.
fn matters(table: &MeasuredTable) -> bool {
    const MATTER: &[&str] = &[
        "pg_auth_members",
        "pg_authid",
        "pg_cast",
        "pg_database",
        "pg_db_role_setting",
        "pg_default_acl",
        "pg_event_trigger",
        "pg_extension",
        "pg_foreign_data_wrapper",
        "pg_foreign_server",
        "pg_foreign_table",
        "pg_language",
        "pg_largeobject",
        "pg_largeobject_metadata",
        "pg_operator",
        "pg_policy",
        "pg_proc",
        "pg_publication",
        "pg_publication_rel",
        "pg_rewrite",
        "pg_seclabel",
        "pg_subscription",
        "pg_tablespace",
        "pg_trigger",
        "pg_user_mapping",
    ];
    MATTER.contains(&table.name.as_str())
}

impl Expected {
    fn of(reached: &Reached) -> Self {
        Self {
            schema: reached.schema.clone(),
            name: reached.name.clone(),
            rows: reached.rows,
        }
    }
}

impl Counts {
    /// What was added to `before`. A counter that is lower than before was sent to the server's statistics in
    /// between: all of it is new.
    fn since(self, before: Self) -> Self {
        let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        Self {
            inserted: since(self.inserted, before.inserted),
            updated: since(self.updated, before.updated),
            deleted: since(self.deleted, before.deleted),
        }
    }
}

/// The columns of every row: kind, OID, schema, name, four more.
struct Row<'a>(&'a [Option<String>]);

impl Row<'_> {
    fn optional(&self, at: usize) -> Option<&str> {
        self.0.get(at)?.as_deref()
    }

    fn text(&self, at: usize) -> Result<&str, AskError> {
        self.optional(at).ok_or_else(|| self.strange())
    }

    fn kind(&self) -> Result<&str, AskError> {
        self.text(0)
    }

    fn oid(&self) -> Result<u32, AskError> {
        self.text(1)?.parse().map_err(|_| self.strange())
    }

    fn count(&self, at: usize) -> Result<u64, AskError> {
        self.text(at)?.parse().map_err(|_| self.strange())
    }

    fn counts(&self) -> Result<Counts, AskError> {
        Ok(Counts {
            inserted: self.count(4)?,
            updated: self.count(5)?,
            deleted: self.count(6)?,
        })
    }

    fn strange(&self) -> AskError {
        AskError::Unreadable(format!("{:?}", self.0))
    }
}

/// Whether this transaction has an id, which it gets with its first write.
const XID: &str = "SELECT 'xid', NULL, NULL, NULL, \
    pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text, NULL, NULL, NULL";

/// The three counters of the table `oid`, as columns.
fn counts_of(oid: &str) -> String {
    let counter =
        |what: &str| format!("pg_catalog.pg_stat_get_xact_tuples_{what}({oid})::pg_catalog.text");
    ["inserted", "updated", "deleted"].map(counter).join(", ")
}

/// The counters of tables whose names are known.
fn counters(tables: &[u32]) -> String {
    let select = |oid: &u32| {
        let oid = format!("'{oid}'::pg_catalog.oid");
        format!(
            "SELECT 'table', {oid}::pg_catalog.text, NULL, NULL, {}, NULL",
            counts_of(&oid)
        )
    };
    let selects: Vec<String> = tables.iter().map(select).collect();
    selects.join(" UNION ALL ")
}

/// The counters of all tables but temporary ones, where they are not zero.
fn all_counters() -> String {
    let sum = ["inserted", "updated", "deleted"]
        .map(|what| format!("pg_catalog.pg_stat_get_xact_tuples_{what}(c.oid)"))
        .join(" OPERATOR(pg_catalog.+) ");
    format!(
        "SELECT 'table', c.oid::pg_catalog.text, n.nspname::pg_catalog.text, \
         c.relname::pg_catalog.text, {}, CASE WHEN c.reltuples OPERATOR(pg_catalog.>=) '0'::pg_catalog.float4 \
         THEN c.reltuples::pg_catalog.int8::pg_catalog.text END \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid {EQ} c.relnamespace \
         WHERE c.relkind {EQ} ANY ('{{r,m}}'::pg_catalog.\"char\"[]) \
         AND c.relpersistence {NE} 't'::pg_catalog.\"char\" \
         AND {sum} OPERATOR(pg_catalog.>) '0'::pg_catalog.int8",
        counts_of("c.oid")
    )
}

/// Counters, and which relations there are.
fn whole_baseline() -> String {
    format!(
        "{} UNION ALL SELECT 'file', c.oid::pg_catalog.text, NULL, NULL, \
         c.relfilenode::pg_catalog.text, NULL, NULL, NULL FROM pg_catalog.pg_class c \
         WHERE c.relkind {EQ} ANY ('{{r,p,v,m,f,S}}'::pg_catalog.\"char\"[]) \
         AND c.relpersistence {NE} 't'::pg_catalog.\"char\" \
         AND c.oid {GE} '{FIRST_OF_USERS}'::pg_catalog.oid",
        all_counters()
    )
}

/// Counters, the transaction's id, and what it has locked exclusively.
fn whole_counters() -> String {
    format!(
        "{} UNION ALL {XID} UNION ALL SELECT 'lock', l.relation::pg_catalog.text, \
         n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relfilenode::pg_catalog.text, \
         NULL, NULL, NULL FROM pg_catalog.pg_locks l \
         LEFT JOIN pg_catalog.pg_class c ON c.oid {EQ} l.relation \
         LEFT JOIN pg_catalog.pg_namespace n ON n.oid {EQ} c.relnamespace \
         WHERE l.pid {EQ} pg_catalog.pg_backend_pid() \
         AND l.locktype {EQ} 'relation'::pg_catalog.text \
         AND l.mode {EQ} 'AccessExclusiveLock'::pg_catalog.text AND l.granted \
         AND l.relation {GE} '{FIRST_OF_USERS}'::pg_catalog.oid",
        all_counters()
    )
}
