//! What `DROP … CASCADE` takes along: every relation that depends on what is dropped, or that loses a column
//! by it, however far away.

use serde::Deserialize;
use tagout_core::untrusted::Untrusted;

use super::ask::{Ask, AskError, objects};
use super::follow::{Node, Walk};
use super::quote::{EQ, text, text_or_null, texts};
use crate::understand::statement::{Object, Usage};

/// How many are named; what has more is said to have them.
const MOST: usize = 200;

#[derive(Deserialize)]
struct Dependant {
    oid: u32,
    /// It stays, and loses a column.
    column: bool,
}

impl Walk<'_> {
    /// Reaches everything that goes with `object`.
    pub(super) async fn reach_dependants(
        &mut self,
        ask: &mut dyn Ask,
        object: &Object,
    ) -> Result<(), AskError> {
        let Some(start) = self.start(object) else {
            return Ok(());
        };
        let found: Vec<Dependant> = objects(ask, &question(&start)).await?;
        if found.len() > MOST {
            self.closure
                .leaves(format!("more than {MOST} relations go with it"));
        }
        let name = object.name.as_ref().map(|name| name.name.clone());
        let name = Untrusted::from(name.unwrap_or_default());
        for each in found.into_iter().take(MOST) {
            let why = if each.column {
                format!("a column of it depends on `{name}`, and goes with it")
            } else {
                format!("it depends on `{name}`, and goes with it")
            };
            self.reach(Node::Relation(each.oid, Usage::Define), &why);
            self.closure.dependants.insert(each.oid, why);
        }
        Ok(())
    }

    /// A query for the class and OID of what is dropped.
    fn start(&self, object: &Object) -> Option<String> {
        let name = object.name.as_ref()?;
        let name_literal = text(&name.name);
        let by_name = |class: u32, table: &str, column: &str| {
            format!(
                "SELECT '{class}'::pg_catalog.oid, x.oid, 0 FROM pg_catalog.{table} x \
                 WHERE x.{column} {EQ} {name_literal}::pg_catalog.name"
            )
        };
        let along_path = |class: u32, table: &str, prefix: &str| {
            let schema = name
                .schema
                .as_deref()
                .map(|schema| self.here.schema(schema));
            format!(
                "{} AND CASE WHEN {schema} IS NULL \
                 THEN (SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_namespace n \
                 WHERE n.oid {EQ} x.{prefix}namespace) {EQ} ANY ({path}) \
                 ELSE (SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_namespace n \
                 WHERE n.oid {EQ} x.{prefix}namespace) {EQ} {schema} END",
                by_name(class, table, &format!("{prefix}name")),
                schema = text_or_null(schema),
                path = texts(self.here.schemas.iter().map(String::as_str)),
            )
        };
        Some(match object.kind {
            "schema" => by_name(2615, "pg_namespace", "nspname"),
            "extension" => by_name(3079, "pg_extension", "extname"),
            "table" | "view" | "sequence" | "index" => along_path(1259, "pg_class", "rel"),
            "type" => along_path(1247, "pg_type", "typ"),
            "function" => along_path(1255, "pg_proc", "pro"),
            "server" => by_name(1417, "pg_foreign_server", "srvname"),
            _ => return None,
        })
    }
}

/// Follows `pg_depend` from the start. A rule stands for its view, and a row type for its table.
fn question(start: &str) -> String {
    format!(
        "WITH RECURSIVE s(classid, objid, objsubid) AS ({start}), \
         d(classid, objid, objsubid) AS (SELECT s.classid, s.objid, s.objsubid FROM s UNION \
         SELECT x.classid, x.objid, x.objsubid FROM d, LATERAL ( \
         SELECT p.classid, p.objid, p.objsubid FROM pg_catalog.pg_depend p \
         WHERE p.refclassid {EQ} d.classid AND p.refobjid {EQ} d.objid \
         AND (d.objsubid {EQ} 0 OR p.refobjsubid {EQ} d.objsubid) \
         AND p.deptype {EQ} ANY ('{{n,a,i,P,S,e}}'::pg_catalog.\"char\"[]) \
         UNION ALL SELECT '1259'::pg_catalog.oid, r.ev_class, 0 FROM pg_catalog.pg_rewrite r \
         WHERE d.classid {EQ} '2618'::pg_catalog.oid AND r.oid {EQ} d.objid) x) \
         SELECT pg_catalog.json_build_object('oid', c.oid::pg_catalog.int8, \
         'column', pg_catalog.bool_and(d.objsubid OPERATOR(pg_catalog.<>) 0))::pg_catalog.text FROM d \
         JOIN pg_catalog.pg_class c ON d.classid {EQ} '1259'::pg_catalog.oid AND c.oid {EQ} d.objid \
         WHERE c.relkind {EQ} ANY ('{{r,p,v,m,f}}'::pg_catalog.\"char\"[]) \
         AND NOT EXISTS (SELECT FROM s WHERE s.classid {EQ} '1259'::pg_catalog.oid AND s.objid {EQ} c.oid) \
         GROUP BY c.oid LIMIT {}",
        MOST + 1
    )
}
