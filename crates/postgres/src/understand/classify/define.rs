//! What adds definitions: tables, views, indexes, types, schemas, sequences.

use pg_query::NodeRef;
use pg_query::protobuf as pb;
use tagout_core::effect::{Effect, Reversibility};

use super::super::kinds::kind_of;
use super::super::name::Name;
use super::super::statement::{Object, Usage};
use super::Reading;
use super::alter::object_name;

impl<'a> Reading<'a> {
    /// Adds something that nothing else was before.
    pub(super) fn creates(&mut self, kind: &'static str, name: Option<Name>, node: NodeRef<'a>) {
        let object = Object { kind, name };
        self.act(
            Effect::Write,
            object,
            Reversibility::Costly,
            "adds a definition",
        );
        self.parts_stored(node, None);
    }

    /// Changes a definition in a way that loses nothing.
    pub(super) fn alters(&mut self, kind: &'static str, name: Option<Name>, node: NodeRef<'a>) {
        let object = Object { kind, name };
        self.act(
            Effect::Write,
            object,
            Reversibility::Costly,
            "changes a definition",
        );
        self.parts_stored(node, None);
    }

    pub(super) fn create_table(&mut self, create: &'a pb::CreateStmt) {
        let table = create.relation.as_ref();
        self.adds_relation("table", table, "adds a table");
        self.parts_stored(NodeRef::CreateStmt(create), table);
    }

    pub(super) fn adds_relation(
        &mut self,
        kind: &'static str,
        relation: Option<&pb::RangeVar>,
        why: &str,
    ) {
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

    /// The query is stored and runs for whoever reads the view. `OR REPLACE` may add columns and keeps
    /// those that are there, so no data depends on the definition that it replaces.
    pub(super) fn create_view(&mut self, create: &'a pb::ViewStmt) {
        let view = create.view.as_ref();
        let why = if create.replace {
            "adds a view, or replaces the query of the one that is there"
        } else {
            "adds a view"
        };
        self.adds_relation("view", view, why);
        self.parts_stored(NodeRef::ViewStmt(create), view);
    }

    pub(super) fn create_index(&mut self, index: &'a pb::IndexStmt) {
        self.adds_relation(
            "table",
            index.relation.as_ref(),
            "adds an index to the table",
        );
        self.parts_stored(NodeRef::IndexStmt(index), index.relation.as_ref());
    }

    /// What the schema begins with are statements of their own.
    pub(super) fn create_schema(&mut self, create: &'a pb::CreateSchemaStmt) {
        let named = super::super::name::non_empty(&create.schemaname).map(Name::bare);
        let schema = Object {
            kind: "schema",
            name: named,
        };
        self.act(
            Effect::Write,
            schema,
            Reversibility::Costly,
            "adds a schema",
        );
        self.parts(NodeRef::CreateSchemaStmt(create));
    }

    pub(super) fn create_sequence(&mut self, create: &'a pb::CreateSeqStmt) {
        let sequence = create.sequence.as_ref();
        self.adds_relation("sequence", sequence, "adds a sequence");
        self.parts_stored(NodeRef::CreateSeqStmt(create), sequence);
    }

    pub(super) fn create_composite(&mut self, create: &'a pb::CompositeTypeStmt) {
        let name = create.typevar.as_ref().map(Name::of_relation);
        let object = Object { kind: "type", name };
        self.act(
            Effect::Write,
            object,
            Reversibility::Costly,
            "adds a definition",
        );
        let node = NodeRef::CompositeTypeStmt(create);
        self.parts_stored(node, create.typevar.as_ref());
    }

    /// A table's columns and constraints are defined here, and used later.
    pub(super) fn column_definition(&mut self, column: &'a pb::ColumnDef) {
        self.parts_stored(NodeRef::ColumnDef(column), None);
    }

    pub(super) fn constraint(&mut self, constraint: &'a pb::Constraint) {
        let other = constraint.pktable.as_ref();
        if let Some(other) = other {
            self.mention(Name::of_relation(other), Usage::Define);
        }
        self.parts_stored(NodeRef::Constraint(constraint), other);
    }

    pub(super) fn comment(&mut self, comment: &'a pb::CommentStmt) {
        let kind = kind_of(comment.objtype).word;
        // A part of a table is named after it, in a shape of its own for each kind.
        let whole = !["trigger", "rule", "policy"].contains(&kind) && !is_part(comment.objtype);
        let name = comment
            .object
            .as_deref()
            .filter(|_| whole)
            .and_then(object_name);
        let on = Object { kind, name };
        self.act(
            Effect::Write,
            on,
            Reversibility::Costly,
            "writes a comment on a definition",
        );
        self.parts_stored(NodeRef::CommentStmt(comment), None);
    }
}

fn is_part(object_type: i32) -> bool {
    let parts = [
        pb::ObjectType::ObjectColumn,
        pb::ObjectType::ObjectTabconstraint,
        pb::ObjectType::ObjectDomconstraint,
    ];
    parts.iter().any(|each| *each as i32 == object_type)
}
