//! Looking up relations: what they are, and everything that runs when they are used.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ask::{Ask, AskError, objects};
use super::quote::{EQ, GE, NE, oids};

/// The first OID that is not made with the cluster itself (`FirstNormalObjectId`).
pub(super) const FIRST_OF_USERS: u32 = 16_384;

/// A relation, and what runs when it is used.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) relation: Relation,
    pub(super) triggers: Vec<Trigger>,
    pub(super) rules: Vec<Rule>,
    pub(super) policies: Vec<Tree>,
    /// Defaults, generated columns, checks, index expressions, partition keys.
    pub(super) expressions: Vec<Tree>,
    pub(super) children: Vec<u32>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    pub(super) column_types: Vec<u32>,
}

/// A relation as `pg_class` has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    /// `relkind`.
    pub(super) kind: char,
    /// `reltuples`; negative if it was never looked at.
    pub(super) rows: f64,
    pub(super) bytes: u64,
    pub(super) row_type: u32,
    /// Row-level security is on.
    pub(super) secured: bool,
    /// For a foreign table.
    pub(super) server: Option<String>,
    /// For a foreign table.
    pub(super) wrapper: Option<String>,
}

/// A trigger that is not disabled and not the server's own.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Trigger {
    pub(super) name: String,
    pub(super) function: u32,
    /// `tgtype`.
    pub(super) bits: u32,
    pub(super) condition: Option<String>,
}

/// A rule, the one that makes a view included.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Rule {
    pub(super) name: String,
    /// `ev_type`: 1 SELECT, 2 UPDATE, 3 INSERT, 4 DELETE.
    pub(super) event: char,
    pub(super) tree: String,
}

/// A stored expression, with what it is for.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Tree {
    pub(super) what: String,
    pub(super) tree: String,
}

/// A foreign key of another table that points here.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ForeignKey {
    pub(super) child: u32,
    /// `confdeltype`: a, r, c, n, d.
    pub(super) on_delete: char,
    /// `confupdtype`.
    pub(super) on_update: char,
}

#[derive(Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Found {
    Relation(Relation),
    Trigger {
        of: u32,
        #[serde(flatten)]
        it: Trigger,
    },
    Rule {
        of: u32,
        #[serde(flatten)]
        it: Rule,
    },
    Policy {
        of: u32,
        #[serde(flatten)]
        it: Tree,
    },
    Expression {
        of: u32,
        #[serde(flatten)]
        it: Tree,
    },
    Child {
        of: u32,
        oid: u32,
    },
    ForeignKey {
        of: u32,
        #[serde(flatten)]
        it: ForeignKey,
    },
    Column {
        of: u32,
        #[serde(rename = "type")]
        type_: u32,
    },
}

/// Looks up relations by OID, in one question. One that has gone in the meantime is not in the answer.
pub(super) async fn look_up(
    ask: &mut dyn Ask,
    wanted: &[u32],
) -> Result<BTreeMap<u32, Facts>, AskError> {
    let rows: Vec<Found> = objects(ask, &question(wanted)).await?;
    let mut facts = BTreeMap::new();
    let mut pieces = Vec::new();
    for row in rows {
        match row {
            Found::Relation(relation) => {
                facts.insert(relation.oid, Facts::of(relation));
            }
            piece => pieces.push(piece),
        }
    }
    for piece in pieces {
        attach(&mut facts, piece);
    }
    Ok(facts)
}

fn attach(facts: &mut BTreeMap<u32, Facts>, piece: Found) {
    let mut to = |of: u32, put: &mut dyn FnMut(&mut Facts)| {
        if let Some(facts) = facts.get_mut(&of) {
            put(facts);
        }
    };
    match piece {
        Found::Relation(_) => {}
        Found::Trigger { of, it } => to(of, &mut |facts| facts.triggers.push(it.clone())),
        Found::Rule { of, it } => to(of, &mut |facts| facts.rules.push(it.clone())),
        Found::Policy { of, it } => to(of, &mut |facts| facts.policies.push(it.clone())),
        Found::Expression { of, it } => to(of, &mut |facts| facts.expressions.push(it.clone())),
        Found::Child { of, oid } => to(of, &mut |facts| facts.children.push(oid)),
        Found::ForeignKey { of, it } => to(of, &mut |facts| facts.foreign_keys.push(it.clone())),
        Found::Column { of, type_ } => to(of, &mut |facts| facts.column_types.push(type_)),
    }
}

impl Facts {
    const fn of(relation: Relation) -> Self {
        Self {
            relation,
            triggers: Vec::new(),
            rules: Vec::new(),
            policies: Vec::new(),
            expressions: Vec::new(),
            children: Vec::new(),
            foreign_keys: Vec::new(),
            column_types: Vec::new(),
        }
    }
}

/// One SELECT for each kind of thing that can run with a relation. What comes with the server is trusted as
/// far as its definition goes, so only users' relations are taken apart.
fn question(wanted: &[u32]) -> String {
    let all = oids(wanted.iter().copied());
    let users = oids(wanted.iter().copied().filter(|oid| *oid >= FIRST_OF_USERS));
    [
        relations(&all),
        triggers(&users),
        rules(&users),
        policies(&users),
        expressions(&users),
        checks(&users),
        indexes(&users),
        partition_keys(&users),
        children(&users),
        foreign_keys(&users),
        columns(&users),
    ]
    .join(" UNION ALL ")
}

/// A SELECT of one JSON object a row.
fn select(is: &str, members: &str, from: &str) -> String {
    format!(
        "SELECT pg_catalog.json_build_object('is', '{is}', {members})::pg_catalog.text FROM {from}"
    )
}

fn relations(all: &str) -> String {
    select(
        "relation",
        "'oid', c.oid::pg_catalog.int8, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, \
         'rows', c.reltuples, 'bytes', c.relpages::pg_catalog.int8 OPERATOR(pg_catalog.*) 8192, \
         'row_type', c.reltype::pg_catalog.int8, 'secured', c.relrowsecurity, 'server', s.srvname, \
         'wrapper', w.fdwname",
        &format!(
            "pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid {EQ} c.relnamespace \
             LEFT JOIN pg_catalog.pg_foreign_table f ON f.ftrelid {EQ} c.oid \
             LEFT JOIN pg_catalog.pg_foreign_server s ON s.oid {EQ} f.ftserver \
             LEFT JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid {EQ} s.srvfdw \
             WHERE c.oid {EQ} ANY ({all})"
        ),
    )
}

fn triggers(users: &str) -> String {
    select(
        "trigger",
        "'of', t.tgrelid::pg_catalog.int8, 'name', t.tgname, 'function', t.tgfoid::pg_catalog.int8, \
         'bits', t.tgtype, 'condition', t.tgqual::pg_catalog.text",
        &format!(
            "pg_catalog.pg_trigger t WHERE t.tgrelid {EQ} ANY ({users}) AND NOT t.tgisinternal \
             AND t.tgenabled {NE} 'D'::pg_catalog.\"char\""
        ),
    )
}

fn rules(users: &str) -> String {
    select(
        "rule",
        "'of', r.ev_class::pg_catalog.int8, 'name', r.rulename, 'event', r.ev_type, \
         'tree', pg_catalog.concat(r.ev_qual::pg_catalog.text, ' ', r.ev_action::pg_catalog.text)",
        &format!(
            "pg_catalog.pg_rewrite r WHERE r.ev_class {EQ} ANY ({users}) \
             AND r.ev_enabled {NE} 'D'::pg_catalog.\"char\""
        ),
    )
}

fn policies(users: &str) -> String {
    select(
        "policy",
        "'of', p.polrelid::pg_catalog.int8, 'what', p.polname, 'tree', \
         pg_catalog.concat(p.polqual::pg_catalog.text, ' ', p.polwithcheck::pg_catalog.text)",
        &format!("pg_catalog.pg_policy p WHERE p.polrelid {EQ} ANY ({users})"),
    )
}

fn expressions(users: &str) -> String {
    select(
        "expression",
        "'of', d.adrelid::pg_catalog.int8, 'what', 'a default', 'tree', d.adbin::pg_catalog.text",
        &format!("pg_catalog.pg_attrdef d WHERE d.adrelid {EQ} ANY ({users})"),
    )
}

fn checks(users: &str) -> String {
    select(
        "expression",
        "'of', c.conrelid::pg_catalog.int8, 'what', 'a constraint', 'tree', \
         pg_catalog.concat(c.conbin::pg_catalog.text, ' :opnos (o ', \
         pg_catalog.array_to_string(c.conexclop, ' '), ')')",
        &format!(
            "pg_catalog.pg_constraint c WHERE c.conrelid {EQ} ANY ({users}) \
             AND (c.conbin IS NOT NULL OR c.conexclop IS NOT NULL)"
        ),
    )
}

fn indexes(users: &str) -> String {
    select(
        "expression",
        "'of', i.indrelid::pg_catalog.int8, 'what', 'an index', 'tree', \
         pg_catalog.concat(i.indexprs::pg_catalog.text, ' ', i.indpred::pg_catalog.text)",
        &format!(
            "pg_catalog.pg_index i WHERE i.indrelid {EQ} ANY ({users}) \
             AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)"
        ),
    )
}

fn partition_keys(users: &str) -> String {
    select(
        "expression",
        "'of', p.partrelid::pg_catalog.int8, 'what', 'a partition key', 'tree', \
         p.partexprs::pg_catalog.text",
        &format!(
            "pg_catalog.pg_partitioned_table p WHERE p.partrelid {EQ} ANY ({users}) \
             AND p.partexprs IS NOT NULL"
        ),
    )
}

fn children(users: &str) -> String {
    select(
        "child",
        "'of', i.inhparent::pg_catalog.int8, 'oid', i.inhrelid::pg_catalog.int8",
        &format!("pg_catalog.pg_inherits i WHERE i.inhparent {EQ} ANY ({users})"),
    )
}

fn foreign_keys(users: &str) -> String {
    select(
        "foreign_key",
        "'of', c.confrelid::pg_catalog.int8, 'child', c.conrelid::pg_catalog.int8, \
         'on_delete', c.confdeltype, 'on_update', c.confupdtype",
        &format!(
            "pg_catalog.pg_constraint c WHERE c.confrelid {EQ} ANY ({users}) \
             AND c.contype {EQ} 'f'::pg_catalog.\"char\""
        ),
    )
}

fn columns(users: &str) -> String {
    select(
        "column",
        "'of', a.attrelid::pg_catalog.int8, 'type', a.atttypid::pg_catalog.int8",
        &format!(
            "pg_catalog.pg_attribute a WHERE a.attrelid {EQ} ANY ({users}) \
             AND NOT a.attisdropped AND a.atttypid {GE} '{FIRST_OF_USERS}'::pg_catalog.oid"
        ),
    )
}
