//! What others will execute, or what runs here unseen: functions, triggers, rules, policies, `DO`, `CALL`,
//! extensions. Storing such a thing is `opaque`, as is running it.

use pg_query::NodeRef;
use pg_query::protobuf as pb;
use tagout_core::effect::{Effect, Reversibility};

use super::super::name::Name;
use super::super::statement::{Object, Usage};
use super::Reading;
use super::rows::{has_option, options};

/// Extensions that come with PostgreSQL, or that nearly every application has, whose functions only compute:
/// adding one is a change like another. What reaches outside or runs code is not among them.
const ORDINARY_EXTENSIONS: [&str; 33] = [
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "isn",
    "lo",
    "ltree",
    "pg_stat_statements",
    "pg_trgm",
    "pgcrypto",
    "plpgsql",
    "postgis",
    "postgis_topology",
    "postgis_raster",
    "rum",
    "seg",
    "sslinfo",
    "tcn",
    "timescaledb",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "vector",
    "pg_uuidv7",
    "pg_buffercache",
    "pg_freespacemap",
];

const STORES: &str = "stores code that others will run";

impl<'a> Reading<'a> {
    /// A definition that others' statements will run.
    pub(super) fn stores_code(
        &mut self,
        kind: &'static str,
        name: Option<Name>,
        node: NodeRef<'a>,
    ) {
        self.opaque(kind, name, STORES);
        self.parts_stored(node, None);
    }

    fn opaque(&mut self, kind: &'static str, name: Option<Name>, why: &str) {
        self.act(
            Effect::Opaque,
            Object { kind, name },
            Reversibility::Unknown,
            why,
        );
    }

    pub(super) fn do_block(&mut self, node: NodeRef<'a>) {
        self.opaque("block", None, "runs a block of code");
        self.parts(node);
    }

    pub(super) fn call_procedure(&mut self, call: &'a pb::CallStmt) {
        let name = call
            .funccall
            .as_ref()
            .and_then(|call| Name::from_nodes(&call.funcname));
        self.opaque("function", name, "calls a procedure, which may also commit");
        self.parts(NodeRef::CallStmt(call));
    }

    pub(super) fn create_function(&mut self, create: &'a pb::CreateFunctionStmt) {
        let name = Name::from_nodes(&create.funcname);
        let why = if create.replace {
            "stores code that others will run, over what may be there"
        } else {
            STORES
        };
        self.opaque("function", name.clone(), why);
        if has_option(&create.options, "security") {
            self.runs_with_owners_rights(name);
        }
        self.parts_stored(NodeRef::CreateFunctionStmt(create), None);
    }

    fn runs_with_owners_rights(&mut self, name: Option<Name>) {
        let why = "lets whoever calls it act with its owner's rights";
        let object = Object {
            kind: "function",
            name,
        };
        self.act(Effect::Privilege, object, Reversibility::Costly, why);
    }

    pub(super) fn alter_function(&mut self, alter: &'a pb::AlterFunctionStmt) {
        let function = alter.func.as_ref();
        let name = function.and_then(|function| Name::from_nodes(&function.objname));
        self.opaque(
            "function",
            name.clone(),
            "changes how code runs that others call",
        );
        if has_option(&alter.actions, "security") {
            self.runs_with_owners_rights(name);
        }
        self.parts_stored(NodeRef::AlterFunctionStmt(alter), None);
    }

    pub(super) fn create_trigger(&mut self, create: &'a pb::CreateTrigStmt) {
        let on = create.relation.as_ref();
        self.on_table(
            "trigger",
            &create.trigname,
            on,
            "has code run whenever the table changes",
        );
        self.parts_stored(NodeRef::CreateTrigStmt(create), on);
    }

    /// Something of a table's that has a name of its own.
    fn on_table(&mut self, kind: &'static str, name: &str, on: Option<&pb::RangeVar>, why: &str) {
        if let Some(table) = on {
            self.mention(Name::of_relation(table), Usage::Define);
        }
        let schema = on
            .map(|table| table.schemaname.as_str())
            .unwrap_or_default();
        let name = match schema {
            "" => Name::bare(name),
            schema => Name::within(schema, name),
        };
        self.opaque(kind, Some(name), why);
    }

    pub(super) fn create_event_trigger(&mut self, create: &'a pb::CreateEventTrigStmt) {
        let name = Name::bare(&create.trigname);
        self.opaque(
            "event_trigger",
            Some(name),
            "has code run whenever structure changes",
        );
        self.parts_stored(NodeRef::CreateEventTrigStmt(create), None);
    }

    pub(super) fn alter_event_trigger(&mut self, alter: &pb::AlterEventTrigStmt) {
        let trigger = Object::new("event_trigger", Name::bare(&alter.trigname));
        // `O` and `A` are the modes in which it fires in an ordinary session (pg_event_trigger.h).
        let (effect, why) = match alter.tgenabled.as_str() {
            "O" | "A" => (Effect::Write, "lets an event trigger fire"),
            _ => (Effect::Unprotect, "keeps an event trigger from firing"),
        };
        self.act(effect, trigger, Reversibility::Costly, why);
    }

    pub(super) fn create_rule(&mut self, rule: &'a pb::RuleStmt) {
        let on = rule.relation.as_ref();
        let why = "has statements on the table do something else, or nothing";
        self.on_table("rule", &rule.rulename, on, why);
        self.parts_stored(NodeRef::RuleStmt(rule), on);
    }

    pub(super) fn create_policy(&mut self, create: &'a pb::CreatePolicyStmt) {
        let on = create.table.as_ref();
        let why = "has an expression run for each row of the table, and decides who sees it";
        self.on_table("policy", &create.policy_name, on, why);
        self.parts_stored(NodeRef::CreatePolicyStmt(create), on);
    }

    pub(super) fn alter_policy(&mut self, alter: &'a pb::AlterPolicyStmt) {
        let on = alter.table.as_ref();
        self.on_table("policy", &alter.policy_name, on, STORES);
        let table = on.map(Name::of_relation);
        let object = Object {
            kind: "table",
            name: table,
        };
        let why = "changes a policy that guards rows";
        self.act(Effect::Unprotect, object, Reversibility::Costly, why);
        self.parts_stored(NodeRef::AlterPolicyStmt(alter), on);
    }

    pub(super) fn define(&mut self, define: &'a pb::DefineStmt) {
        use pb::ObjectType as Type;
        let node = NodeRef::DefineStmt(define);
        let name = Name::from_nodes(&define.defnames);
        match Type::try_from(define.kind) {
            Ok(Type::ObjectCollation) => self.creates("collation", name, node),
            Ok(Type::ObjectTsconfiguration | Type::ObjectTsdictionary) => {
                self.creates("text_search", name, node);
            }
            Ok(Type::ObjectType) if define.definition.is_empty() => {
                self.creates("type", name, node);
            }
            Ok(other) => self.stores_code(super::super::kinds::kind(other).word, name, node),
            Err(_) => self.not_understood("defines something that we do not know"),
        }
    }

    pub(super) fn load(&mut self) {
        self.escapes = true;
        self.opaque("library", None, "loads code into the server");
    }

    pub(super) fn create_extension(&mut self, create: &'a pb::CreateExtensionStmt) {
        let name = create.extname.as_str();
        let extension = Some(Name::bare(name));
        let plain = options(&create.options).all(|option| option.defname != "cascade");
        if ORDINARY_EXTENSIONS.contains(&name) && (plain || name == "earthdistance") {
            return self.creates("extension", extension, NodeRef::CreateExtensionStmt(create));
        }
        let why = "runs an extension's script, with rights that the session may not have";
        self.opaque("extension", extension, why);
    }

    pub(super) fn alter_extension(&mut self, name: &str) {
        let why = "runs an extension's script, or changes what belongs to it";
        self.opaque("extension", Some(Name::bare(name)), why);
    }

    pub(super) fn create_range(&mut self, create: &'a pb::CreateRangeStmt) {
        let node = NodeRef::CreateRangeStmt(create);
        let name = Name::from_nodes(&create.type_name);
        let names_code = options(&create.params)
            .any(|option| ["canonical", "subtype_diff"].contains(&option.defname.as_str()));
        if names_code {
            return self.stores_code("type", name, node);
        }
        self.creates("type", name, node);
    }
}
