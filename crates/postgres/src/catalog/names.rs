//! From names to OIDs, as PostgreSQL itself would on this search path. Nothing here raises an error in the
//! session's transaction: a name that is not there finds nothing.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::ask::{Ask, AskError, objects};
use super::here::Here;
use super::quote::{EQ, NE, text, text_or_null, texts};
use crate::understand::statement::Name;

/// What names mean here.
#[derive(Debug, Default)]
pub(super) struct Meanings {
    /// For each relation name, by position, its OID.
    pub(super) relations: Vec<Option<u32>>,
    /// For each call, by position, every function of that name that could be meant.
    pub(super) functions: Vec<BTreeSet<u32>>,
    /// The functions outside `pg_catalog` behind every operator that could be meant.
    pub(super) operators: BTreeSet<u32>,
    /// Types outside `pg_catalog`.
    pub(super) types: BTreeSet<u32>,
    /// Functions outside `pg_catalog` that are written like columns.
    pub(super) attributes: BTreeSet<u32>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Found {
    Relation { at: usize, oid: u32 },
    Function { at: usize, oid: u32 },
    Operator { oid: u32 },
    Type { oid: u32 },
    Attribute { oid: u32 },
}

/// Which names to look up.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    pub(super) relations: Vec<&'a Name>,
    pub(super) functions: Vec<&'a Name>,
    pub(super) operators: Vec<&'a Name>,
    pub(super) types: Vec<&'a Name>,
    /// Names that may be functions of one argument, written like columns.
    pub(super) attributes: &'a [String],
}

impl Names<'_> {
    /// Finds what they mean, in one question.
    pub(super) async fn meanings(
        &self,
        ask: &mut dyn Ask,
        here: &Here,
    ) -> Result<Meanings, AskError> {
        let mut meanings = Meanings {
            relations: vec![None; self.relations.len()],
            functions: vec![BTreeSet::new(); self.functions.len()],
            ..Meanings::default()
        };
        let Some(sql) = self.question(here) else {
            return Ok(meanings);
        };
        for found in objects(ask, &sql).await? {
            meanings.note(found);
        }
        Ok(meanings)
    }

    fn question(&self, here: &Here) -> Option<String> {
        let parts = [
            relations(&self.relations, here),
            functions(&self.functions, here),
            operators(&self.operators, here),
            types(&self.types, here),
            attributes(self.attributes, here),
        ];
        let asked: Vec<String> = parts.into_iter().flatten().collect();
        (!asked.is_empty()).then(|| asked.join(" UNION ALL "))
    }
}

impl Meanings {
    fn note(&mut self, found: Found) {
        match found {
            Found::Relation { at, oid } => {
                if let Some(place) = self.relations.get_mut(at) {
                    *place = Some(oid);
                }
            }
            Found::Function { at, oid } => {
                if let Some(place) = self.functions.get_mut(at) {
                    place.insert(oid);
                }
            }
            Found::Operator { oid } => {
                self.operators.insert(oid);
            }
            Found::Type { oid } => {
                self.types.insert(oid);
            }
            Found::Attribute { oid } => {
                self.attributes.insert(oid);
            }
        }
    }
}

/// The names as rows `w(at, schema, name)`. `pg_temp` is an alias of this session's own schema.
fn wanted(names: &[&Name], here: &Here) -> Option<String> {
    let row = |(at, name): (usize, &&Name)| {
        let schema = name.schema.as_deref().map(|schema| here.schema(schema));
        format!(
            "({at}, {}, {})",
            text_or_null(schema),
            text(&cut(&name.name))
        )
    };
    let rows: Vec<String> = names.iter().enumerate().map(row).collect();
    (!rows.is_empty()).then(|| format!("(VALUES {}) AS w(at, schema, name)", rows.join(",")))
}

/// A name as the server keeps it: cut after 63 bytes.
fn cut(name: &str) -> String {
    let mut end = name.len().min(63);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default().to_owned()
}

/// The first relation of each name along the path.
fn relations(names: &[&Name], here: &Here) -> Option<String> {
    let wanted = wanted(names, here)?;
    let path = texts(here.schemas.iter().map(String::as_str));
    Some(format!(
        "SELECT pg_catalog.json_build_object('is', 'relation', 'at', w.at, 'oid', ( \
         SELECT c.oid::pg_catalog.int8 FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid {EQ} c.relnamespace \
         WHERE c.relname {EQ} w.name::pg_catalog.name AND CASE WHEN w.schema IS NULL \
         THEN n.nspname::pg_catalog.text {EQ} ANY ({path}) \
         ELSE n.nspname {EQ} w.schema::pg_catalog.name END \
         ORDER BY pg_catalog.array_position({path}, n.nspname::pg_catalog.text) LIMIT 1 \
         ))::pg_catalog.text FROM {wanted} WHERE EXISTS (SELECT FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid {EQ} c.relnamespace \
         WHERE c.relname {EQ} w.name::pg_catalog.name AND CASE WHEN w.schema IS NULL \
         THEN n.nspname::pg_catalog.text {EQ} ANY ({path}) \
         ELSE n.nspname {EQ} w.schema::pg_catalog.name END)"
    ))
}

/// Every function of each name along the path: which of them a call means depends on types that we do not
/// know, so all of them are looked at. Functions are never found in the session's own schema without its name.
fn functions(names: &[&Name], here: &Here) -> Option<String> {
    let wanted = wanted(names, here)?;
    let path = texts(here.without_temporary());
    Some(format!(
        "SELECT pg_catalog.json_build_object('is', 'function', 'at', w.at, 'oid', \
         p.oid::pg_catalog.int8)::pg_catalog.text FROM {wanted} \
         JOIN pg_catalog.pg_proc p ON p.proname {EQ} w.name::pg_catalog.name \
         JOIN pg_catalog.pg_namespace n ON n.oid {EQ} p.pronamespace \
         WHERE CASE WHEN w.schema IS NULL THEN n.nspname::pg_catalog.text {EQ} ANY ({path}) \
         ELSE n.nspname {EQ} w.schema::pg_catalog.name END"
    ))
}

/// Functions of one argument that `x.name` could call: neither defaults nor variadic ones are taken for it.
fn attributes(names: &[String], here: &Here) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let path = texts(here.without_temporary());
    let names: Vec<String> = names.iter().map(|name| cut(name)).collect();
    let names = texts(names.iter().map(String::as_str));
    Some(format!(
        "SELECT pg_catalog.json_build_object('is', 'attribute', 'oid', \
         p.oid::pg_catalog.int8)::pg_catalog.text FROM pg_catalog.pg_proc p \
         JOIN pg_catalog.pg_namespace n ON n.oid {EQ} p.pronamespace \
         WHERE p.proname {EQ} ANY ({names}::pg_catalog.name[]) \
         AND p.pronargs {EQ} '1'::pg_catalog.int2 AND n.nspname {NE} 'pg_catalog'::pg_catalog.name \
         AND n.nspname::pg_catalog.text {EQ} ANY ({path})"
    ))
}

fn operators(names: &[&Name], here: &Here) -> Option<String> {
    let wanted = wanted(names, here)?;
    let path = texts(here.without_temporary());
    Some(format!(
        "SELECT pg_catalog.json_build_object('is', 'operator', 'oid', \
         o.oprcode::pg_catalog.oid::pg_catalog.int8)::pg_catalog.text FROM {wanted} \
         JOIN pg_catalog.pg_operator o ON o.oprname {EQ} w.name::pg_catalog.name \
         JOIN pg_catalog.pg_namespace n ON n.oid {EQ} o.oprnamespace \
         WHERE n.nspname {NE} 'pg_catalog'::pg_catalog.name \
         AND CASE WHEN w.schema IS NULL THEN n.nspname::pg_catalog.text {EQ} ANY ({path}) \
         ELSE n.nspname {EQ} w.schema::pg_catalog.name END"
    ))
}

/// Every type of each name along the path that is not the server's. Names of arrays are written with `[]` or
/// with the underscore that the catalog uses.
fn types(names: &[&Name], here: &Here) -> Option<String> {
    let wanted = wanted(names, here)?;
    let path = texts(here.schemas.iter().map(String::as_str));
    Some(format!(
        "SELECT pg_catalog.json_build_object('is', 'type', 'oid', \
         t.oid::pg_catalog.int8)::pg_catalog.text FROM {wanted} \
         JOIN pg_catalog.pg_type t ON t.typname {EQ} pg_catalog.rtrim(w.name, '[]')::pg_catalog.name \
         JOIN pg_catalog.pg_namespace n ON n.oid {EQ} t.typnamespace \
         WHERE n.nspname {NE} 'pg_catalog'::pg_catalog.name \
         AND CASE WHEN w.schema IS NULL THEN n.nspname::pg_catalog.text {EQ} ANY ({path}) \
         ELSE n.nspname {EQ} w.schema::pg_catalog.name END"
    ))
}
