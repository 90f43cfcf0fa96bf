//! Looking up what runs: functions with their language and owner, operators, types and casts.

use serde::Deserialize;

use super::ask::{Ask, AskError, objects};
use super::extension::known;
use super::quote::{EQ, GE, NE, oids, text, texts};
use super::relation::FIRST_OF_USERS;

/// A function as `pg_proc` has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Function {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) language: String,
    /// Only superusers may write in it: it can do anything.
    pub(super) untrusted: bool,
    /// `SECURITY DEFINER`: runs with its owner's rights.
    pub(super) definer: bool,
    /// Whether its owner may do anything.
    pub(super) owner_is_super: bool,
    pub(super) extension: Option<String>,
    /// The text of its body, in a language of text.
    pub(super) source: Option<String>,
    /// The body and the defaults of its arguments, as trees.
    pub(super) trees: String,
    /// Functions that an aggregate consists of.
    pub(super) parts: Vec<u32>,
    pub(super) returns: u32,
}

/// A type, and what runs with values of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Type {
    pub(super) schema: String,
    pub(super) name: String,
    /// Functions that read and write its values.
    pub(super) functions: Vec<u32>,
    /// What it is made of: the base of a domain, the elements of an array, the columns of a row.
    pub(super) types: Vec<u32>,
    /// A domain's checks and default.
    pub(super) trees: String,
}

/// A cast that a user made.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Cast {
    pub(super) source: u32,
    pub(super) target: u32,
    pub(super) function: u32,
}

/// Looks up functions by OID.
pub(super) async fn functions(
    ask: &mut dyn Ask,
    wanted: &[u32],
) -> Result<Vec<Function>, AskError> {
    let sql = format!(
        "SELECT pg_catalog.json_build_object('oid', p.oid::pg_catalog.int8, 'schema', n.nspname, \
         'name', p.proname, 'language', l.lanname, 'untrusted', NOT l.lanpltrusted, \
         'definer', p.prosecdef, 'owner_is_super', COALESCE(o.rolsuper, true), 'extension', e.extname, \
         'source', CASE WHEN p.prosqlbody IS NULL AND l.lanispl OR l.lanname {EQ} 'sql'::pg_catalog.name \
         AND p.prosqlbody IS NULL THEN p.prosrc END, \
         'trees', pg_catalog.concat(p.prosqlbody::pg_catalog.text, ' ', p.proargdefaults::pg_catalog.text), \
         'parts', CASE WHEN a.aggfnoid IS NULL THEN '[]'::pg_catalog.json ELSE pg_catalog.to_json(ARRAY[a.aggtransfn::pg_catalog.oid::pg_catalog.int8, \
         a.aggfinalfn::pg_catalog.oid::pg_catalog.int8, a.aggcombinefn::pg_catalog.oid::pg_catalog.int8, \
         a.aggserialfn::pg_catalog.oid::pg_catalog.int8, a.aggdeserialfn::pg_catalog.oid::pg_catalog.int8, \
         a.aggmtransfn::pg_catalog.oid::pg_catalog.int8, a.aggminvtransfn::pg_catalog.oid::pg_catalog.int8, \
         a.aggmfinalfn::pg_catalog.oid::pg_catalog.int8]) END, \
         'returns', p.prorettype::pg_catalog.int8)::pg_catalog.text \
         FROM pg_catalog.pg_proc p \
         JOIN pg_catalog.pg_namespace n ON n.oid {EQ} p.pronamespace \
         JOIN pg_catalog.pg_language l ON l.oid {EQ} p.prolang \
         LEFT JOIN pg_catalog.pg_roles o ON o.oid {EQ} p.proowner \
         LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid::pg_catalog.oid {EQ} p.oid AND p.prokind {EQ} 'a'::pg_catalog.\"char\" \
         {EXTENSION} WHERE p.oid {EQ} ANY ({})",
        oids(wanted.iter().copied()),
        EXTENSION = of_extension("p"),
    );
    let mut found: Vec<Function> = objects(ask, &sql).await?;
    for function in &mut found {
        function.parts.retain(|part| *part != 0);
    }
    Ok(found)
}

/// Joins the extension `e` that the function `alias` belongs to.
fn of_extension(alias: &str) -> String {
    format!(
        "LEFT JOIN pg_catalog.pg_depend d ON d.classid {EQ} '1255'::pg_catalog.oid \
         AND d.objid {EQ} {alias}.oid AND d.deptype {EQ} 'e'::pg_catalog.\"char\" \
         AND d.refclassid {EQ} '3079'::pg_catalog.oid \
         LEFT JOIN pg_catalog.pg_extension e ON e.oid {EQ} d.refobjid"
    )
}

/// The functions behind operators.
pub(super) async fn operators(ask: &mut dyn Ask, wanted: &[u32]) -> Result<Vec<u32>, AskError> {
    let sql = format!(
        "SELECT o.oprcode::pg_catalog.oid::pg_catalog.int8::pg_catalog.text \
         FROM pg_catalog.pg_operator o WHERE o.oid {EQ} ANY ({}) \
         AND o.oid {GE} '{FIRST_OF_USERS}'::pg_catalog.oid",
        oids(wanted.iter().copied())
    );
    objects(ask, &sql).await
}

/// Looks up types by OID.
pub(super) async fn types(ask: &mut dyn Ask, wanted: &[u32]) -> Result<Vec<Type>, AskError> {
    let sql = format!(
        "SELECT pg_catalog.json_build_object('schema', n.nspname, 'name', t.typname, \
         'functions', ARRAY[t.typinput::pg_catalog.oid::pg_catalog.int8, \
         t.typoutput::pg_catalog.oid::pg_catalog.int8, t.typreceive::pg_catalog.oid::pg_catalog.int8, \
         t.typsend::pg_catalog.oid::pg_catalog.int8, \
         COALESCE(r.rngcanonical::pg_catalog.oid::pg_catalog.int8, 0), \
         COALESCE(r.rngsubdiff::pg_catalog.oid::pg_catalog.int8, 0)], \
         'types', pg_catalog.array_cat(ARRAY[t.typbasetype::pg_catalog.int8, t.typelem::pg_catalog.int8, \
         COALESCE(r.rngsubtype::pg_catalog.int8, 0)], \
         ARRAY(SELECT a.atttypid::pg_catalog.int8 FROM pg_catalog.pg_attribute a \
         WHERE a.attrelid {EQ} t.typrelid AND NOT a.attisdropped AND t.typrelid {NE} '0'::pg_catalog.oid)), \
         'trees', pg_catalog.concat(t.typdefaultbin::pg_catalog.text, ' ', \
         (SELECT pg_catalog.string_agg(c.conbin::pg_catalog.text, ' ') FROM pg_catalog.pg_constraint c \
         WHERE c.contypid {EQ} t.oid)))::pg_catalog.text \
         FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid {EQ} t.typnamespace \
         LEFT JOIN pg_catalog.pg_range r ON r.rngtypid {EQ} t.oid OR r.rngmultitypid {EQ} t.oid \
         WHERE t.oid {EQ} ANY ({})",
        oids(wanted.iter().copied())
    );
    let users = |oid: &u32| *oid >= FIRST_OF_USERS;
    let mut found: Vec<Type> = objects(ask, &sql).await?;
    for each in &mut found {
        each.functions.retain(users);
        each.types.retain(users);
    }
    Ok(found)
}

/// Every cast by a function that is not the server's and of no extension that we know.
pub(super) async fn casts(ask: &mut dyn Ask) -> Result<Vec<Cast>, AskError> {
    let sql = format!(
        "SELECT pg_catalog.json_build_object('source', c.castsource::pg_catalog.int8, \
         'target', c.casttarget::pg_catalog.int8, 'function', c.castfunc::pg_catalog.int8)::pg_catalog.text \
         FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_proc p ON p.oid {EQ} c.castfunc {} \
         WHERE c.castfunc {GE} '{FIRST_OF_USERS}'::pg_catalog.oid AND {}",
        of_extension("p"),
        not_known(),
    );
    objects(ask, &sql).await
}

/// Says that the extension `e` is none that we know.
fn not_known() -> String {
    format!(
        "NOT COALESCE(e.extname::pg_catalog.text {EQ} ANY ({}), false)",
        texts(known())
    )
}

/// What there is in this database that reaches where no rollback does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ways {
    /// Names of functions and foreign tables that reach out by themselves.
    pub(super) out: Vec<String>,
}

/// Looks for ways out: functions in languages that may do anything, of extensions that we do not know to
/// stay inside, and foreign tables.
pub(super) async fn ways_out(ask: &mut dyn Ask) -> Result<Ways, AskError> {
    let sql = format!(
        "SELECT pg_catalog.to_json(p.proname)::pg_catalog.text FROM pg_catalog.pg_proc p \
         JOIN pg_catalog.pg_language l ON l.oid {EQ} p.prolang {} \
         WHERE p.oid {GE} '{FIRST_OF_USERS}'::pg_catalog.oid AND NOT l.lanpltrusted \
         AND l.lanname {NE} 'sql'::pg_catalog.name AND p.prokind {NE} 'a'::pg_catalog.\"char\" AND {} \
         UNION ALL SELECT pg_catalog.to_json(c.relname)::pg_catalog.text FROM pg_catalog.pg_class c \
         WHERE c.relkind {EQ} 'f'::pg_catalog.\"char\"",
        of_extension("p"),
        not_known(),
    );
    let out = objects(ask, &sql).await?;
    Ok(Ways { out })
}

/// What a body in text may mean by its words: functions, relations, and every operator that a user made.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Word {
    /// A function of that name.
    Function {
        /// Its OID.
        oid: u32,
    },
    /// A relation of that name.
    Relation {
        /// Its OID.
        oid: u32,
    },
}

/// What the words of a body may mean, in whatever schema.
pub(super) async fn words(ask: &mut dyn Ask, words: &[&str]) -> Result<Vec<Word>, AskError> {
    let words = texts(words.iter().copied());
    let sql = format!(
        "SELECT pg_catalog.json_build_object('is', 'function', 'oid', p.oid::pg_catalog.int8)::pg_catalog.text \
         FROM pg_catalog.pg_proc p WHERE p.proname {EQ} ANY ({words}::pg_catalog.name[]) \
         AND p.oid {GE} '{FIRST_OF_USERS}'::pg_catalog.oid \
         UNION ALL SELECT pg_catalog.json_build_object('is', 'relation', 'oid', c.oid::pg_catalog.int8)::pg_catalog.text \
         FROM pg_catalog.pg_class c WHERE c.relname {EQ} ANY ({words}::pg_catalog.name[]) \
         AND c.oid {GE} '{FIRST_OF_USERS}'::pg_catalog.oid \
         AND c.relkind {EQ} ANY ('{{r,p,v,m,f}}'::pg_catalog.\"char\"[]) \
         UNION ALL SELECT pg_catalog.json_build_object('is', 'function', \
         'oid', p.oid::pg_catalog.int8)::pg_catalog.text \
         FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid {EQ} o.oprcode::pg_catalog.oid {} \
         WHERE o.oid {GE} '{FIRST_OF_USERS}'::pg_catalog.oid AND {}",
        of_extension("p"),
        not_known(),
    );
    objects(ask, &sql).await
}

/// The functions of event triggers: they run with nearly every statement that changes structure.
pub(super) async fn event_triggers(ask: &mut dyn Ask) -> Result<Vec<(String, u32)>, AskError> {
    let sql = format!(
        "SELECT pg_catalog.json_build_array(t.evtname, t.evtfoid::pg_catalog.int8)::pg_catalog.text \
         FROM pg_catalog.pg_event_trigger t WHERE t.evtenabled {NE} 'D'::pg_catalog.\"char\""
    );
    objects(ask, &sql).await
}

/// The OID of a database of this cluster.
pub(super) async fn database(ask: &mut dyn Ask, name: &str) -> Result<Option<u32>, AskError> {
    let sql = format!(
        "SELECT d.oid::pg_catalog.int8::pg_catalog.text FROM pg_catalog.pg_database d \
         WHERE d.datname {EQ} {}::pg_catalog.name",
        text(name)
    );
    Ok(objects(ask, &sql).await?.pop())
}
