//! Roles and rights, databases, the server as a whole, and other servers.

use pg_query::protobuf as pb;
use pg_query::{NodeEnum, NodeRef};
use tagout_core::effect::{Effect, Mark, Reversibility};

use super::super::kinds::kind_of;
use super::super::name::Name;
use super::super::settings::{lasting, setting};
use super::super::statement::{Act, Object, Usage};
use super::Reading;
use super::alter::object_name;
use super::calls::reversibility;
use super::drop::role_spec_name;
use super::query::relation;
use super::rows::{has_option, option_value, options};
use super::session::{changes, setting_object};

const MAKES_A_WAY_OUT: &str = "makes or changes a way from this database to another server";

impl<'a> Reading<'a> {
    pub(super) fn privilege(&mut self, kind: &'static str, name: Option<Name>, why: &str) {
        let object = Object { kind, name };
        self.act(Effect::Privilege, object, Reversibility::Costly, why);
    }

    pub(super) fn grant(&mut self, grant: &'a pb::GrantStmt) {
        let in_schemas = grant.targtype == pb::GrantTargetType::AclTargetAllInSchema as i32;
        let kind = if in_schemas {
            "schema"
        } else {
            kind_of(grant.objtype).word
        };
        let why = if grant.is_grant {
            "gives rights"
        } else {
            "takes rights away"
        };
        for object in &grant.objects {
            self.privilege(kind, object_name(object), why);
            if let Some(relation) = relation(object) {
                self.mention(Name::of_relation(relation), Usage::Define);
            }
        }
        if grant.objects.is_empty() {
            self.privilege(kind, None, why);
        }
    }

    pub(super) fn grant_role(&mut self, grant: &pb::GrantRoleStmt) {
        for role in &grant.granted_roles {
            let name = match &role.node {
                Some(NodeEnum::AccessPriv(role)) => Some(Name::bare(&role.priv_name)),
                _ => None,
            };
            self.privilege("role", name, "changes who is in a role");
        }
    }

    pub(super) fn create_role(&mut self, create: &pb::CreateRoleStmt) {
        let name = Some(Name::bare(&create.role));
        self.role("makes a role", name, &create.options);
    }

    pub(super) fn alter_role(&mut self, alter: &pb::AlterRoleStmt) {
        let name = alter.role.as_ref().and_then(role_spec_name);
        self.role("changes a role", name, &alter.options);
    }

    /// A password is a credential for this very server, which would lead around the gateway.
    fn role(&mut self, why: &str, name: Option<Name>, given: &[pg_query::Node]) {
        let mints =
            options(given).any(|option| option.defname == "password" && option.arg.is_some());
        let (marks, why) = if mints {
            (
                vec![Mark::Mint],
                "sets a password that leads into the server itself",
            )
        } else {
            (Vec::new(), why)
        };
        self.push(Act {
            effect: Effect::Privilege,
            object: Object { kind: "role", name },
            why: why.to_owned(),
            reversibility: Reversibility::Costly,
            marks,
            cascade: false,
        });
    }

    pub(super) fn alter_role_set(&mut self, alter: &'a pb::AlterRoleSetStmt) {
        let role = alter.role.as_ref().and_then(role_spec_name);
        self.privilege(
            "role",
            role,
            "changes what every session of the role begins with",
        );
        self.lasting_settings(alter.setstmt.as_ref());
    }

    pub(super) fn alter_database_set(&mut self, alter: &'a pb::AlterDatabaseSetStmt) {
        let database = Some(Name::bare(&alter.dbname));
        let why = "changes what every session of the database begins with";
        self.privilege("database", database, why);
        self.lasting_settings(alter.setstmt.as_ref());
    }

    /// A setting that stays is graver than what it is attached to only if the setting itself is.
    fn lasting_settings(&mut self, set: Option<&'a pb::VariableSetStmt>) {
        for change in set.map(changes).unwrap_or_default() {
            if let Some((effect, why)) = lasting(&change.name, change.given()) {
                self.act(
                    effect,
                    setting_object(&change.name),
                    reversibility(effect),
                    why,
                );
            }
        }
    }

    pub(super) fn alter_system(&mut self, alter: &'a pb::AlterSystemStmt) {
        let why = "changes the whole server's configuration: what it keeps, logs and lets in";
        let server = Object::all("server");
        self.act(Effect::Unprotect, server, Reversibility::Costly, why);
        for change in alter.setstmt.as_ref().map(changes).unwrap_or_default() {
            if let (Effect::Opaque, why) = setting(&change.name, change.given()) {
                let object = setting_object(&change.name);
                self.act(Effect::Opaque, object, Reversibility::Unknown, why);
            }
        }
    }

    pub(super) fn create_database(&mut self, create: &'a pb::CreatedbStmt) {
        let name = Some(Name::bare(&create.dbname));
        self.creates("database", name, NodeRef::CreatedbStmt(create));
    }

    pub(super) fn alter_database(&mut self, alter: &pb::AlterDatabaseStmt) {
        let database = Object::new("database", Name::bare(&alter.dbname));
        for option in options(&alter.options) {
            let (effect, why) = match option.defname.as_str() {
                "allow_connections" | "connection_limit" => (
                    Effect::Disrupt,
                    "changes who can connect to the database at all",
                ),
                "tablespace" => (
                    Effect::Disrupt,
                    "moves the database's files, while nobody may use it",
                ),
                "is_template" if option_value(option).as_deref() != Some("true") => (
                    Effect::Unprotect,
                    "makes a template database one that can be dropped",
                ),
                "is_template" => (Effect::Write, "makes the database a template"),
                _ => (
                    Effect::Unknown,
                    "alters the database in a way that we do not know",
                ),
            };
            self.act(effect, database.clone(), reversibility(effect), why);
        }
    }

    pub(super) fn checkpoint(&mut self) {
        let why = "makes the server write everything out at once";
        self.act(
            Effect::Write,
            Object::all("server"),
            Reversibility::Undoable,
            why,
        );
    }

    pub(super) fn vacuum(&mut self, vacuum: &'a pb::VacuumStmt) {
        let why = match (vacuum.is_vacuumcmd, has_option(&vacuum.options, "full")) {
            (false, _) => "computes statistics anew",
            (true, false) => "removes dead rows, which a rescue might have read",
            (true, true) => "rewrites the table under an exclusive lock; dead rows are gone",
        };
        let mut named = false;
        for each in &vacuum.rels {
            let Some(NodeEnum::VacuumRelation(each)) = &each.node else {
                continue;
            };
            named = true;
            self.maintains("table", each.relation.as_ref(), why);
        }
        if !named {
            self.maintains("table", None, why);
        }
    }

    fn maintains(&mut self, kind: &'static str, relation: Option<&pb::RangeVar>, why: &str) {
        let name = relation.map(Name::of_relation);
        if let Some(name) = &name {
            self.mention(name.clone(), Usage::Define);
        }
        self.act(
            Effect::Write,
            Object { kind, name },
            Reversibility::Costly,
            why,
        );
    }

    pub(super) fn cluster(&mut self, cluster: &pb::ClusterStmt) {
        let why = "rewrites the table under an exclusive lock";
        self.maintains("table", cluster.relation.as_ref(), why);
    }

    pub(super) fn reindex(&mut self, reindex: &pb::ReindexStmt) {
        let kind = match pb::ReindexObjectType::try_from(reindex.kind) {
            Ok(pb::ReindexObjectType::ReindexObjectIndex) => "index",
            _ => "table",
        };
        self.maintains(kind, reindex.relation.as_ref(), "builds indexes anew");
    }

    pub(super) fn reaches_out(&mut self, kind: &'static str, name: &str, node: NodeRef<'a>) {
        let object = Object::new(kind, Name::bare(name));
        self.act(
            Effect::Opaque,
            object,
            Reversibility::Costly,
            MAKES_A_WAY_OUT,
        );
        self.parts_stored(node, None);
    }

    pub(super) fn create_foreign_table(&mut self, create: &'a pb::CreateForeignTableStmt) {
        let base = create.base_stmt.as_ref();
        let name = base
            .and_then(|base| base.relation.as_ref())
            .map(Name::of_relation);
        let object = Object {
            kind: "table",
            name,
        };
        self.act(
            Effect::Opaque,
            object,
            Reversibility::Costly,
            MAKES_A_WAY_OUT,
        );
        self.parts_stored(NodeRef::CreateForeignTableStmt(create), None);
    }

    /// The names in the list are the other server's.
    pub(super) fn import_foreign_schema(&mut self, import: &pb::ImportForeignSchemaStmt) {
        let object = Object::new("server", Name::bare(&import.server_name));
        let why = "asks another server for its tables and makes them usable here";
        self.act(Effect::Opaque, object, Reversibility::Costly, why);
    }

    pub(super) fn user_mapping(&mut self, server: &str) {
        let name = Some(Name::bare(server));
        self.privilege(
            "user_mapping",
            name,
            "stores credentials for another server",
        );
    }

    pub(super) fn publish(&mut self, name: &str, node: NodeRef<'a>) {
        let publication = Object::new("publication", Name::bare(name));
        let why = "lets other servers copy rows as they change";
        self.act(Effect::Emit, publication, Reversibility::Irreversible, why);
        self.parts_stored(node, None);
    }

    pub(super) fn alter_publication(&mut self, alter: &'a pb::AlterPublicationStmt) {
        let drops = pb::AlterPublicationAction::ApDropObjects as i32;
        if alter.action != drops || alter.pubobjects.is_empty() {
            return self.publish(&alter.pubname, NodeRef::AlterPublicationStmt(alter));
        }
        let publication = Object::new("publication", Name::bare(&alter.pubname));
        let why = "those who copy rows get them no more";
        self.act(Effect::Disrupt, publication, Reversibility::Costly, why);
        self.parts_stored(NodeRef::AlterPublicationStmt(alter), None);
    }

    pub(super) fn create_subscription(&mut self, create: &pb::CreateSubscriptionStmt) {
        let subscription = Object::new("subscription", Name::bare(&create.subname));
        let why = "connects to another server and lets it change rows here";
        self.act(Effect::Opaque, subscription, Reversibility::Costly, why);
    }

    pub(super) fn alter_subscription(&mut self, alter: &pb::AlterSubscriptionStmt) {
        use pb::AlterSubscriptionType as Type;
        let subscription = Object::new("subscription", Name::bare(&alter.subname));
        let (effect, reversibility, why) = match Type::try_from(alter.kind) {
            Ok(Type::AlterSubscriptionSkip) => (
                Effect::Destroy,
                Reversibility::Irreversible,
                "skips a transaction of the other server",
            ),
            Ok(Type::AlterSubscriptionEnabled) => (
                Effect::Disrupt,
                Reversibility::Costly,
                "starts or stops the copying of changes",
            ),
            Ok(
                Type::AlterSubscriptionOptions
                | Type::AlterSubscriptionConnection
                | Type::AlterSubscriptionSetPublication
                | Type::AlterSubscriptionAddPublication
                | Type::AlterSubscriptionDropPublication
                | Type::AlterSubscriptionRefresh
                | Type::Undefined,
            )
            | Err(_) => (
                Effect::Opaque,
                Reversibility::Costly,
                "changes what another server changes here",
            ),
        };
        self.act(effect, subscription, reversibility, why);
    }
}
