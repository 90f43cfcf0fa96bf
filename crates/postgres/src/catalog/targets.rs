//! From what a statement reaches, and from what a transaction was measured to do, to targets: what policy
//! judges and a person sees.

use tagout_core::effect::{Effect, EffectOn, Mark, Reach, Reversibility};
use tagout_core::environment::Place;
use tagout_core::resolved::{Count, Fact, Provenance, Target};
use tagout_core::resource::Resource;
use tagout_core::untrusted::Untrusted;

use super::closure::{Added, Closure, Reached, resource};
use super::database::Database;
use super::measure::{Exclusive, Fate, Measured, MeasuredTable};
use crate::understand::statement::{Act, Name, Object, Statement};

/// The label of a count that the server estimated.
pub const ESTIMATED_ROWS: &str = "rows, estimated";

/// What a statement would reach: its own acts, resolved, and what the catalog adds.
#[must_use]
pub fn targets(statement: &Statement, closure: &Closure, database: &Database) -> Vec<Target> {
    let acts = statement.acts.iter();
    let mut targets: Vec<Target> = acts.map(|act| of_act(act, closure, database)).collect();
    targets.extend(
        closure
            .effects
            .iter()
            .map(|added| of_added(added, closure, database)),
    );
    if targets.is_empty() {
        let nothing = Resource::new("row", "*");
        let read = EffectOn::new(Effect::Read, nothing, "it only computes");
        targets.push(found(read, vec![database.place()], database));
    }
    targets
}

fn of_act(act: &Act, closure: &Closure, database: &Database) -> Target {
    let reached = act
        .object
        .name
        .as_ref()
        .and_then(|name| closure.reached(name));
    let resource = reached
        .map(Reached::resource)
        .unwrap_or_else(|| unresolved(&act.object, closure));
    let on = EffectOn {
        effect: act.effect,
        resource,
        reach: Reach::Everywhere,
        members: 1,
        reversibility: act.reversibility,
        marks: act.marks.clone(),
        why: act.why.clone(),
    };
    let mut target = found(on, places_of(&act.object, closure, database), database);
    target.counts = reached.map(counts).unwrap_or_default();
    target
}

/// A database that is named is a place of its own; one that is not there is nowhere. Everything else is here.
fn places_of(object: &Object, closure: &Closure, database: &Database) -> Vec<Place> {
    let Some(name) = object.name.as_ref().filter(|_| object.kind == "database") else {
        return vec![database.place()];
    };
    let oid = closure.databases.get(&name.name).copied().flatten();
    let other = oid.map(|oid| database.other(oid, &name.name).place());
    other.into_iter().collect()
}

/// What is not a relation, or not there yet. What is made without a schema is made in the first of the path.
fn unresolved(object: &Object, closure: &Closure) -> Resource {
    let Some(name) = &object.name else {
        return Resource::all(object.kind);
    };
    let is_relation = super::RELATIONS.contains(&object.kind);
    let default = closure.creates_in.as_deref().filter(|_| is_relation);
    match name.schema.as_deref().or(default) {
        Some(schema) => resource(object.kind, schema, &name.name),
        None => Resource::new(object.kind, name.name.as_str()),
    }
}

fn of_added(added: &Added, closure: &Closure, database: &Database) -> Target {
    let on = EffectOn {
        effect: added.effect,
        resource: added.resource.clone(),
        reach: Reach::Everywhere,
        members: 1,
        reversibility: added.reversibility,
        marks: Vec::new(),
        why: added.why.clone(),
    };
    if added.elsewhere {
        return Target::not_found(on);
    }
    let reached = closure
        .relations
        .values()
        .find(|it| it.resource() == on.resource);
    let mut target = found(on, vec![database.place()], database);
    target.counts = reached.map(counts).unwrap_or_default();
    target
}

fn found(on: EffectOn, places: Vec<Place>, database: &Database) -> Target {
    let name = Some(Untrusted::from(on.resource.id()));
    Target {
        on,
        name,
        places,
        counts: Vec::new(),
        facts: database.fact().into_iter().collect(),
    }
}

fn counts(reached: &Reached) -> Vec<Count> {
    let rows = reached.rows.filter(|_| reached.kind.has_rows());
    let resolved = |of: &str, count: u64| Count {
        of: of.to_owned(),
        count,
        provenance: Provenance::Resolved,
    };
    let rows = rows.map(|rows| resolved(ESTIMATED_ROWS, rows));
    let bytes = (reached.bytes > 0).then(|| resolved("bytes, estimated", reached.bytes));
    rows.into_iter().chain(bytes).collect()
}

impl Closure {
    /// What a name in the statement means.
    #[must_use]
    pub fn reached(&self, name: &Name) -> Option<&Reached> {
        let oid = self.names.get(name).copied().flatten()?;
        self.relations.get(&oid)
    }
}

/// What a transaction was measured to do: what policy judges before it may be committed.
#[must_use]
pub fn measured_targets(measured: &Measured, database: &Database) -> Vec<Target> {
    let rows = measured.tables.iter().flat_map(of_rows);
    let catalogs = measured.catalogs.iter().map(of_catalog);
    let exclusive = measured.exclusive.iter().map(of_exclusive);
    rows.chain(catalogs)
        .chain(exclusive)
        .map(|(on, counts)| Target {
            counts,
            ..found(on, vec![database.place()], database)
        })
        .collect()
}

type Found = (EffectOn, Vec<Count>);

fn of_rows(table: &MeasuredTable) -> Vec<Found> {
    let counts = table.counts;
    let changed = counts.inserted.saturating_add(counts.updated);
    let lost = if counts.updated > 0 {
        Reversibility::Irreversible
    } else {
        Reversibility::Costly
    };
    let written = rows_of(
        table,
        Effect::Write,
        changed,
        "its rows were added or changed",
        lost,
    );
    let gone = Reversibility::Irreversible;
    let removed = rows_of(
        table,
        Effect::Destroy,
        counts.deleted,
        "its rows were removed",
        gone,
    );
    [written, removed].into_iter().flatten().collect()
}

fn rows_of(
    table: &MeasuredTable,
    effect: Effect,
    rows: u64,
    why: &str,
    reversibility: Reversibility,
) -> Option<Found> {
    if rows == 0 {
        return None;
    }
    let on = EffectOn {
        members: rows,
        reversibility,
        ..EffectOn::new(effect, resource("table", &table.schema, &table.name), why)
    };
    let measured = Count {
        of: "rows".to_owned(),
        count: rows,
        provenance: Provenance::Measured,
    };
    let all = table.rows.map(|count| Count {
        of: "rows in the table, estimated".to_owned(),
        count,
        provenance: Provenance::Resolved,
    });
    Some((
        on,
        [Some(measured)]
            .into_iter()
            .chain([all])
            .flatten()
            .collect(),
    ))
}

/// A change of the server's own tables by code that we can't see into: rights, or what others will run.
fn of_catalog(table: &MeasuredTable) -> Found {
    let (effect, why) = match table.name.as_str() {
        "pg_authid" | "pg_auth_members" | "pg_db_role_setting" | "pg_default_acl"
        | "pg_user_mapping" => (
            Effect::Privilege,
            "code that ran in it changed roles or rights",
        ),
        "pg_proc" | "pg_trigger" | "pg_rewrite" | "pg_event_trigger" | "pg_policy" | "pg_cast"
        | "pg_operator" | "pg_language" | "pg_extension" => (
            Effect::Opaque,
            "code that ran in it made or changed what others will run",
        ),
        "pg_largeobject" | "pg_largeobject_metadata" if table.counts.deleted > 0 => {
            (Effect::Destroy, "code that ran in it removed large objects")
        }
        "pg_largeobject" | "pg_largeobject_metadata" => {
            (Effect::Write, "code that ran in it wrote large objects")
        }
        _ => (
            Effect::Unknown,
            "code that ran in it changed the server's own tables",
        ),
    };
    let on = EffectOn::new(effect, Resource::new("catalog", table.name.as_str()), why);
    (on, Vec::new())
}

fn of_exclusive(exclusive: &Exclusive) -> Found {
    let (effect, why) = match exclusive.fate {
        Fate::Gone => (Effect::Destroy, "code that ran in it dropped it"),
        Fate::Rewritten => (Effect::Destroy, "code that ran in it emptied or rewrote it"),
        Fate::Locked => (
            Effect::Unknown,
            "code that ran in it locked it exclusively, and may have changed its structure",
        ),
    };
    let what = match &exclusive.name {
        Some((schema, name)) => resource("table", schema, name),
        None => Resource::new("table", exclusive.oid.to_string()),
    };
    let mut on = EffectOn::new(effect, what, why);
    if effect == Effect::Destroy {
        on.reversibility = Reversibility::Irreversible;
        on.marks = vec![Mark::Whole];
    }
    (on, Vec::new())
}

/// A fact that was looked up.
pub(super) fn resolved(label: &str, value: impl Into<Untrusted>) -> Fact {
    Fact {
        label: label.to_owned(),
        value: value.into(),
        provenance: Provenance::Resolved,
    }
}
