//! What is at stake, for the card of something that is held without being run: how many rows, how large, what
//! depends on it, when it was last worked on, and a few rows with their values masked.
//!
//! Asked in a read-only transaction of its own with short timeouts, never while the session owns locks. Nothing
//! that users made runs: views are not read, row-level security is off or the table is not read, and only
//! values of the server's own types are shown.

use serde::Deserialize;
use tagout_core::effect::Effect;
use tagout_core::resolved::{Count, Fact, Provenance, Target};
use tagout_core::untrusted::Untrusted;

use super::ask::{Ask, AskError, objects};
use super::closure::{Closure, Reached, RelationKind};
use super::mask::masked;
use super::quote::{EQ, NE, identifier};
use super::relation::FIRST_OF_USERS;
use super::targets::resolved;

/// How many tables are looked at.
const MOST_TABLES: usize = 12;

/// Rows are counted up to here.
const MOST_ROWS: u64 = 1_000_000;

/// Rows in the sample.
const SAMPLE: usize = 5;

/// Columns in the sample.
const MOST_COLUMNS: usize = 12;

/// Begins a look. Each question has a savepoint of its own, since a table may be locked by somebody.
const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = 500; SET LOCAL lock_timeout = 100; \
    SET LOCAL row_security = off";

/// Adds to each target what is at stake in it.
///
/// # Errors
/// When the session can't be asked, or is inside a transaction. A table that can't be looked at in time is
/// no error: the card then says less of it.
pub async fn add_impact(
    ask: &mut dyn Ask,
    closure: &Closure,
    targets: &mut [Target],
) -> Result<(), AskError> {
    let at_stake = closure
        .relations
        .values()
        .filter(|it| is_at_stake(it, targets));
    let tables: Vec<&Reached> = at_stake.take(MOST_TABLES).collect();
    ask.rows(BEGIN).await?;
    for table in tables {
        let impact = look(ask, table).await?;
        let resource = table.resource();
        for target in targets.iter_mut().filter(|it| it.on.resource == resource) {
            impact.add_to(target);
        }
    }
    ask.rows("ROLLBACK").await?;
    Ok(())
}

fn is_at_stake(reached: &Reached, targets: &[Target]) -> bool {
    let resource = reached.resource();
    targets
        .iter()
        .any(|it| it.on.resource == resource && it.on.effect != Effect::Read)
}

#[derive(Debug, Default)]
struct Impact {
    counts: Vec<Count>,
    facts: Vec<Fact>,
}

impl Impact {
    fn add_to(&self, target: &mut Target) {
        target.counts.extend(self.counts.iter().cloned());
        target.facts.extend(self.facts.iter().cloned());
    }

    fn count(&mut self, of: &str, count: u64, provenance: Provenance) {
        self.counts.push(Count {
            of: of.to_owned(),
            count,
            provenance,
        });
    }
}

async fn look(ask: &mut dyn Ask, table: &Reached) -> Result<Impact, AskError> {
    let mut impact = Impact::default();
    if let Some(size) = attempt(ask, &size(table)).await?.first_number() {
        impact.count("bytes", size, Provenance::Measured);
    }
    let dependants = attempt(ask, &dependants(table)).await?;
    impact.note_dependants(&dependants);
    let history = attempt(ask, &history(table)).await?;
    impact
        .facts
        .extend(history.first().and_then(last_worked_on));
    if can_be_read(table) {
        impact.note_rows(attempt(ask, &count(table)).await?.first_number());
        sample(ask, table, &mut impact).await?;
    }
    Ok(impact)
}

/// Partitions may be on other servers, and views run what users made.
fn can_be_read(table: &Reached) -> bool {
    matches!(
        table.kind,
        RelationKind::Table | RelationKind::MaterializedView
    )
}

/// Rows of an answer; none, if it could not be had in time.
struct Answer(Vec<Vec<Option<String>>>);

impl Answer {
    fn first(&self) -> Option<&str> {
        self.0.first()?.first()?.as_deref()
    }

    fn first_number(&self) -> Option<u64> {
        self.first()?.parse().ok()
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|row| row.first()?.as_deref())
    }
}

/// Asks, and forgets that it asked if the server refuses.
async fn attempt(ask: &mut dyn Ask, sql: &str) -> Result<Answer, AskError> {
    ask.rows("SAVEPOINT tagout").await?;
    match ask.rows(sql).await {
        Ok(rows) => {
            ask.rows("RELEASE SAVEPOINT tagout").await?;
            Ok(Answer(rows))
        }
        Err(AskError::Refused { .. }) => {
            ask.rows("ROLLBACK TO SAVEPOINT tagout").await?;
            Ok(Answer(Vec::new()))
        }
        Err(error) => Err(error),
    }
}

fn name_of(table: &Reached) -> String {
    format!("{}.{}", identifier(&table.schema), identifier(&table.name))
}

fn size(table: &Reached) -> String {
    format!(
        "SELECT pg_catalog.pg_total_relation_size('{}'::pg_catalog.regclass)::pg_catalog.text",
        table.oid
    )
}

/// Counts one more than is shown, to know whether there are more. Children have a card line of their own.
fn count(table: &Reached) -> String {
    format!(
        "SELECT pg_catalog.count(*)::pg_catalog.text FROM (SELECT FROM ONLY {} LIMIT {}) AS t",
        name_of(table),
        MOST_ROWS + 1
    )
}

/// What depends on it: views over views, foreign keys of others, sequences that go with it.
fn dependants(table: &Reached) -> String {
    format!(
        "WITH RECURSIVE v(oid) AS (SELECT '{oid}'::pg_catalog.oid \
         UNION SELECT r.ev_class FROM v JOIN pg_catalog.pg_depend p ON p.refobjid {EQ} v.oid \
         AND p.refclassid {EQ} '1259'::pg_catalog.oid AND p.classid {EQ} '2618'::pg_catalog.oid \
         JOIN pg_catalog.pg_rewrite r ON r.oid {EQ} p.objid), \
         d(oid, kind) AS (SELECT v.oid, NULL::pg_catalog.text FROM v \
         UNION ALL SELECT k.conrelid, 'foreign key of' FROM pg_catalog.pg_constraint k \
         WHERE k.confrelid {EQ} '{oid}'::pg_catalog.oid AND k.contype {EQ} 'f'::pg_catalog.\"char\" \
         UNION ALL SELECT p.objid, NULL FROM pg_catalog.pg_depend p \
         JOIN pg_catalog.pg_class s ON s.oid {EQ} p.objid AND s.relkind {EQ} 'S'::pg_catalog.\"char\" \
         WHERE p.classid {EQ} '1259'::pg_catalog.oid AND p.refclassid {EQ} '1259'::pg_catalog.oid \
         AND p.refobjid {EQ} '{oid}'::pg_catalog.oid) \
         SELECT pg_catalog.json_build_array(COALESCE(d.kind, \
         CASE WHEN c.relkind {EQ} 'm'::pg_catalog.\"char\" THEN 'materialized view' \
         WHEN c.relkind {EQ} 'S'::pg_catalog.\"char\" THEN 'sequence' \
         WHEN c.relkind {EQ} 'v'::pg_catalog.\"char\" THEN 'view' ELSE 'rule of' END), \
         n.nspname, c.relname)::pg_catalog.text FROM d \
         JOIN pg_catalog.pg_class c ON c.oid {EQ} d.oid AND c.oid {NE} '{oid}'::pg_catalog.oid \
         JOIN pg_catalog.pg_namespace n ON n.oid {EQ} c.relnamespace LIMIT 200",
        oid = table.oid
    )
}

/// What the server remembers of the work on it.
fn history(table: &Reached) -> String {
    format!(
        "SELECT pg_catalog.json_build_object(\
         'inserted', pg_catalog.pg_stat_get_tuples_inserted('{oid}'::pg_catalog.oid), \
         'updated', pg_catalog.pg_stat_get_tuples_updated('{oid}'::pg_catalog.oid), \
         'deleted', pg_catalog.pg_stat_get_tuples_deleted('{oid}'::pg_catalog.oid), \
         'analyzed', GREATEST(pg_catalog.pg_stat_get_last_analyze_time('{oid}'::pg_catalog.oid), \
         pg_catalog.pg_stat_get_last_autoanalyze_time('{oid}'::pg_catalog.oid)), \
         'since', pg_catalog.pg_stat_get_mod_since_analyze('{oid}'::pg_catalog.oid))::pg_catalog.text",
        oid = table.oid
    )
}

#[derive(Deserialize)]
struct History {
    inserted: u64,
    updated: u64,
    deleted: u64,
    analyzed: Option<String>,
    since: u64,
}

fn last_worked_on(row: &str) -> Option<Fact> {
    let it: History = serde_json::from_str(row).ok()?;
    let all = format!(
        "{} rows added, {} changed, {} removed since counting began",
        it.inserted, it.updated, it.deleted
    );
    let text = match it.analyzed {
        Some(analyzed) => format!("{all}; {} of them since {analyzed}", it.since),
        None => all,
    };
    Some(resolved("written", text))
}

impl Impact {
    fn note_rows(&mut self, rows: Option<u64>) {
        match rows {
            Some(rows) if rows > MOST_ROWS => {
                self.count("rows, at least", MOST_ROWS, Provenance::Measured);
            }
            Some(rows) => self.count("rows", rows, Provenance::Measured),
            None => {}
        }
    }

    fn note_dependants(&mut self, answer: &Answer) {
        let named: Vec<String> = answer.texts().filter_map(dependant).collect();
        if named.is_empty() {
            return;
        }
        let count = u64::try_from(named.len()).unwrap_or(u64::MAX);
        self.count("dependants", count, Provenance::Resolved);
        self.facts.push(resolved("dependants", named.join(", ")));
    }
}

fn dependant(row: &str) -> Option<String> {
    let (kind, schema, name): (String, String, String) = serde_json::from_str(row).ok()?;
    Some(format!("{kind} {schema}.{name}"))
}

#[derive(Deserialize)]
struct Column {
    name: String,
    /// The type's category: `S` for text.
    category: char,
}

/// A few rows, as facts. Which ones is the server's choice.
async fn sample(ask: &mut dyn Ask, table: &Reached, impact: &mut Impact) -> Result<(), AskError> {
    let columns: Vec<Column> = objects(ask, &columns(table)).await?;
    if columns.is_empty() {
        return Ok(());
    }
    let value = |column: &Column| {
        let name = identifier(&column.name);
        format!("pg_catalog.left(t.{name}::pg_catalog.text, 200)")
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    let sql = format!(
        "SELECT {} FROM ONLY {} AS t LIMIT {SAMPLE}",
        values.join(", "),
        name_of(table)
    );
    for row in attempt(ask, &sql).await?.0 {
        let shown: Vec<String> = columns
            .iter()
            .zip(row)
            .map(|(column, value)| {
                let value = masked(&column.name, column.category, value.as_deref());
                format!("{}={value}", column.name)
            })
            .collect();
        impact.facts.push(Fact {
            label: "row".to_owned(),
            value: Untrusted::from(shown.join(" ")),
            provenance: Provenance::Measured,
        });
    }
    Ok(())
}

/// Columns of the server's own types: writing out a value of another type may run somebody's code.
fn columns(table: &Reached) -> String {
    format!(
        "SELECT pg_catalog.json_build_object('name', a.attname, 'category', y.typcategory)\
         ::pg_catalog.text FROM pg_catalog.pg_attribute a \
         JOIN pg_catalog.pg_type y ON y.oid {EQ} a.atttypid \
         WHERE a.attrelid {EQ} '{}'::pg_catalog.oid AND a.attnum OPERATOR(pg_catalog.>) '0'::pg_catalog.int2 \
         AND NOT a.attisdropped AND a.atttypid OPERATOR(pg_catalog.<) '{FIRST_OF_USERS}'::pg_catalog.oid \
         ORDER BY a.attnum LIMIT {MOST_COLUMNS}",
        table.oid
    )
}
