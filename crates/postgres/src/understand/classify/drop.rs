//! What takes things away.

use pg_query::protobuf as pb;
use pg_query::{Node, NodeEnum, NodeRef};
use tagout_core::effect::{Effect, Mark, Reversibility};

use super::super::kinds::{Kind, Lost, kind_of};
use super::super::name::{Name, text};
use super::super::statement::{Act, Object, Usage};
use super::Reading;
use super::alter::object_name;
use super::rows::has_option;

impl<'a> Reading<'a> {
    pub(super) fn drop(&mut self, drop: &'a pb::DropStmt) {
        let kind = kind_of(drop.remove_type);
        let cascade = drop.behavior == pb::DropBehavior::DropCascade as i32;
        for object in &drop.objects {
            let name = dropped_name(kind, object);
            if let (Some(name), "table" | "view" | "sequence" | "index") = (&name, kind.word) {
                self.mention(name.clone(), Usage::Define);
            }
            let object = Object {
                kind: kind.word,
                name,
            };
            self.destroys(object, kind.dropped, cascade, Vec::new());
        }
        self.parts_stored(NodeRef::DropStmt(drop), None);
    }

    fn destroys(&mut self, object: Object, lost: Lost, cascade: bool, marks: Vec<Mark>) {
        self.push(Act {
            effect: Effect::Destroy,
            object,
            why: lost.why(cascade).to_owned(),
            reversibility: lost.reversibility(cascade),
            marks,
            cascade,
        });
    }

    pub(super) fn drop_owned(&mut self, drop: &pb::DropOwnedStmt) {
        let cascade = drop.behavior == pb::DropBehavior::DropCascade as i32;
        for role in &drop.roles {
            let object = Object {
                kind: "owned_by",
                name: role_name(role),
            };
            self.push(Act {
                effect: Effect::Destroy,
                object,
                why: "drops everything that a role owns here, and its rights".to_owned(),
                reversibility: Reversibility::Irreversible,
                marks: Vec::new(),
                cascade,
            });
        }
    }

    pub(super) fn drop_role(&mut self, drop: &pb::DropRoleStmt) {
        for role in &drop.roles {
            let object = Object {
                kind: "role",
                name: role_name(role),
            };
            let why = "drops a role with its password and memberships";
            self.act(Effect::Destroy, object, Reversibility::Irreversible, why);
        }
    }

    pub(super) fn drop_database(&mut self, drop: &pb::DropdbStmt) {
        let database = Object::new("database", Name::bare(&drop.dbname));
        if has_option(&drop.options, "force") {
            let why = "ends every session of the database";
            self.act(
                Effect::Disrupt,
                database.clone(),
                Reversibility::Costly,
                why,
            );
        }
        let marks = vec![Mark::Whole, Mark::Foundation];
        self.destroys(database, Lost::Data, false, marks);
    }

    pub(super) fn drop_tablespace(&mut self, drop: &pb::DropTableSpaceStmt) {
        let tablespace = Object::new("tablespace", Name::bare(&drop.tablespacename));
        self.destroys(tablespace, Lost::Data, false, vec![Mark::Whole]);
    }

    pub(super) fn drop_user_mapping(&mut self, drop: &pb::DropUserMappingStmt) {
        let mapping = Object::new("user_mapping", Name::bare(&drop.servername));
        self.destroys(mapping, Lost::Data, false, Vec::new());
    }

    pub(super) fn drop_subscription(&mut self, drop: &pb::DropSubscriptionStmt) {
        let subscription = Object::new("subscription", Name::bare(&drop.subname));
        let why = "drops a subscription, and the slot on the other server with what it held";
        self.act(
            Effect::Destroy,
            subscription,
            Reversibility::Irreversible,
            why,
        );
    }
}

/// The name of what is dropped. A trigger, rule or policy is named after its table: only its own name and
/// the table's schema count.
fn dropped_name(kind: Kind, object: &Node) -> Option<Name> {
    let Some(NodeEnum::List(list)) = &object.node else {
        return object_name(object);
    };
    if !["trigger", "rule", "policy"].contains(&kind.word) {
        return object_name(object);
    }
    let parts: Vec<&str> = list.items.iter().filter_map(text).collect();
    match parts.as_slice() {
        [.., schema, _, name] => Some(Name::within(*schema, *name)),
        [.., name] => Some(Name::bare(*name)),
        [] => None,
    }
}

/// The name of a role; `None` for CURRENT_USER and its like.
pub(super) fn role_name(node: &Node) -> Option<Name> {
    match &node.node {
        Some(NodeEnum::RoleSpec(role)) => role_spec_name(role),
        _ => object_name(node),
    }
}

pub(super) fn role_spec_name(role: &pb::RoleSpec) -> Option<Name> {
    super::super::name::non_empty(&role.rolename).map(Name::bare)
}
