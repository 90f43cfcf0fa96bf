//! Commands that move or remove rows as a whole: TRUNCATE, COPY, LOCK, and what fills a relation from a
//! query.

use pg_query::protobuf as pb;
use pg_query::{Node, NodeEnum, NodeRef};
use tagout_core::effect::{Effect, Reversibility};

use super::super::name::{Name, text};
use super::super::statement::{Act, Object, Usage};
use super::query::relation;
use super::{Reading, When, secrets};

/// `LOCK … IN ACCESS SHARE MODE`, which every read takes as well (`lockdefs.h`).
const ACCESS_SHARE: i32 = 1;

impl<'a> Reading<'a> {
    pub(super) fn truncate(&mut self, truncate: &'a pb::TruncateStmt) {
        let cascade = truncate.behavior == pb::DropBehavior::DropCascade as i32;
        for target in truncate.relations.iter().filter_map(relation) {
            let name = Name::of_relation(target);
            self.push(Act {
                effect: Effect::Destroy,
                object: Object::new("table", name.clone()),
                why: "deletes all rows of the table".to_owned(),
                reversibility: Reversibility::Irreversible,
                marks: Vec::new(),
                cascade,
            });
            self.mention(name, Usage::Truncate);
        }
    }

    pub(super) fn copy(&mut self, copy: &'a pb::CopyStmt) {
        match &copy.relation {
            Some(target) if copy.is_from => self.touches(Effect::Write, Usage::Insert, target),
            Some(source) => self.copies_whole(source),
            None => {}
        }
        if copy.is_program {
            let why = "runs a shell command on the server";
            self.outside("program", why);
        } else if !copy.filename.is_empty() {
            self.copies_a_file(copy);
        }
        self.parts_but(NodeRef::CopyStmt(copy), copy.relation.as_ref());
    }

    fn copies_whole(&mut self, source: &'a pb::RangeVar) {
        let name = Name::of_relation(source);
        if let Some(found) = secrets::within(&name, source) {
            self.secretive.push(found);
            self.whole_rows = true;
        } else {
            self.read_of(name.clone());
        }
        self.mention(name, Usage::Select);
    }

    fn copies_a_file(&mut self, copy: &pb::CopyStmt) {
        let file = Object::new("file", Name::bare(&copy.filename));
        if copy.is_from {
            let why = "reads a file of the server";
            return self.act(Effect::SecretRead, file, Reversibility::Undoable, why);
        }
        self.escapes = true;
        let why = "writes a file of the server, whatever becomes of the transaction";
        self.act(Effect::Opaque, file, Reversibility::Irreversible, why);
    }

    fn outside(&mut self, kind: &'static str, why: &str) {
        self.escapes = true;
        self.act(
            Effect::Opaque,
            Object::all(kind),
            Reversibility::Irreversible,
            why,
        );
    }

    pub(super) fn lock(&mut self, lock: &'a pb::LockStmt) {
        for target in lock.relations.iter().filter_map(relation) {
            let name = Name::of_relation(target);
            let (effect, why) = if lock.mode == ACCESS_SHARE {
                (Effect::Read, "locks the table as a read does")
            } else {
                (Effect::Write, "locks the table for this transaction")
            };
            let table = Object::new("table", name.clone());
            self.act(effect, table, Reversibility::Undoable, why);
            self.mention(name, Usage::Select);
        }
    }

    pub(super) fn refresh(&mut self, refresh: &'a pb::RefreshMatViewStmt) {
        let Some(view) = &refresh.relation else {
            return;
        };
        let name = Name::of_relation(view);
        self.mention(name.clone(), Usage::Select);
        self.mention(name.clone(), Usage::Define);
        let view = Object::new("view", name);
        self.does(
            Effect::Write,
            view,
            Reversibility::Costly,
            "computes the view's rows anew",
        );
    }

    pub(super) fn create_table_as(&mut self, create: &'a pb::CreateTableAsStmt) {
        let is_view = create.objtype == pb::ObjectType::ObjectMatview as i32;
        if let Some(into) = &create.into {
            self.fills(if is_view { "view" } else { "table" }, into);
        }
        if let Some(query) = create.query.as_ref().and_then(|query| query.node.as_ref()) {
            self.node(query.to_ref());
        }
    }

    /// The target of `CREATE TABLE AS` and `SELECT INTO`.
    pub(super) fn fills(&mut self, kind: &'static str, into: &'a pb::IntoClause) {
        let target = into.rel.as_ref();
        if let Some(target) = target {
            let name = Name::of_relation(target);
            self.mention(name.clone(), Usage::Define);
            let why = "keeps what a query finds as a relation of its own";
            let object = Object::new(kind, name);
            self.does(Effect::Write, object, Reversibility::Costly, why);
        }
        self.parts_but(NodeRef::IntoClause(into), target);
    }

    /// What the statement itself does; nothing if it is only planned, or stored for later.
    pub(super) fn does(
        &mut self,
        effect: Effect,
        object: Object,
        reversibility: Reversibility,
        why: &str,
    ) {
        if self.when == When::Now {
            self.act(effect, object, reversibility, why);
        }
    }
}

/// The value of an option of a command, as text: a word, a number, or `true` where it stands alone.
pub(super) fn option_value(option: &pb::DefElem) -> Option<String> {
    match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::String(word) => Some(word.sval.clone()),
        NodeEnum::Boolean(value) => Some(value.boolval.to_string()),
        NodeEnum::Integer(number) => Some(number.ival.to_string()),
        NodeEnum::Float(number) => Some(number.fval.clone()),
        NodeEnum::TypeName(name) => name.names.iter().rev().find_map(text).map(str::to_owned),
        _ => None,
    }
}

/// The options of a command.
pub(super) fn options(nodes: &[Node]) -> impl Iterator<Item = &pb::DefElem> {
    nodes.iter().filter_map(|node| match &node.node {
        Some(NodeEnum::DefElem(option)) => Some(&**option),
        _ => None,
    })
}

/// Whether an option stands there and does not say no.
pub(super) fn has_option(nodes: &[Node], name: &str) -> bool {
    options(nodes).any(|option| {
        let no = option_value(option)
            .is_some_and(|value| ["false", "off", "0"].contains(&value.to_lowercase().as_str()));
        option.defname == name && !no
    })
}
