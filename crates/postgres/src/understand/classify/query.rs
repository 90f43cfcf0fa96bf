//! Queries, and the commands that change rows by a query.

use pg_query::protobuf as pb;
use pg_query::{Node, NodeEnum, NodeRef};
use tagout_core::effect::{Effect, Reversibility};

use super::super::name::{Name, text};
use super::super::statement::{Object, Usage};
use super::super::tree::parts;
use super::{Reading, When, secrets};

impl<'a> Reading<'a> {
    pub(super) fn select(&mut self, select: &'a pb::SelectStmt) {
        let seen_before = self.tables_of_with.len();
        self.with(select.with_clause.as_ref());
        self.lock_rows(select);
        if let Some(into) = &select.into_clause {
            self.fills("table", into);
        }
        let pinned = std::mem::replace(&mut self.pinned_setting, pinned_setting(select));
        parts(NodeRef::SelectStmt(select), &mut |part| match part {
            NodeRef::WithClause(_) | NodeRef::LockingClause(_) | NodeRef::IntoClause(_) => {}
            _ => self.node(part),
        });
        self.pinned_setting = pinned;
        self.tables_of_with.truncate(seen_before);
    }

    /// The common table expressions of a statement; their names can be seen until the caller takes them
    /// off again. Without `RECURSIVE` each sees only those before it.
    fn with(&mut self, with: Option<&'a pb::WithClause>) {
        let Some(with) = with else { return };
        let expressions = || with.ctes.iter().filter_map(common_table_expression);
        if with.recursive {
            self.tables_of_with
                .extend(expressions().map(|each| each.ctename.as_str()));
        }
        for expression in expressions() {
            self.node(NodeRef::CommonTableExpr(expression));
            if !with.recursive {
                self.tables_of_with.push(&expression.ctename);
            }
        }
    }

    /// Everything of a statement that has a target and may begin with `WITH`.
    fn parts_with(
        &mut self,
        node: NodeRef<'a>,
        with: Option<&'a pb::WithClause>,
        target: Option<&pb::RangeVar>,
    ) {
        let seen_before = self.tables_of_with.len();
        self.with(with);
        parts(node, &mut |part| match part {
            NodeRef::WithClause(_) => {}
            NodeRef::RangeVar(relation)
                if target.is_some_and(|target| std::ptr::eq(relation, target)) => {}
            _ => self.node(part),
        });
        self.tables_of_with.truncate(seen_before);
    }

    /// A relation that rows are read from.
    pub(super) fn reads(&mut self, relation: &'a pb::RangeVar) {
        if self.is_of_with(relation) {
            return;
        }
        let name = Name::of_relation(relation);
        if let Some(found) = secrets::within(&name, relation) {
            self.secretive.push(found);
        } else if self.when != When::Stored {
            self.read_of(name.clone());
        }
        self.mention(name, Usage::Select);
    }

    pub(super) fn read_of(&mut self, name: Name) {
        let table = Object::new("table", name);
        self.act(Effect::Read, table, Reversibility::Undoable, "reads rows");
    }

    fn is_of_with(&self, relation: &pb::RangeVar) -> bool {
        relation.schemaname.is_empty() && self.tables_of_with.contains(&relation.relname.as_str())
    }

    /// `FOR UPDATE` and the like write a lock into each row that they find.
    fn lock_rows(&mut self, select: &'a pb::SelectStmt) {
        let mut from = Vec::new();
        if !select.locking_clause.is_empty() {
            for each in &select.from_clause {
                relations_in(each, &mut from);
            }
        }
        for clause in &select.locking_clause {
            let Some(NodeEnum::LockingClause(clause)) = &clause.node else {
                continue;
            };
            let named: Vec<_> = clause.locked_rels.iter().filter_map(relation).collect();
            // A name that fits none is a sub-select's: then all of them are meant.
            let fits = from.iter().any(|each| is_named(each, &named));
            for relation in from.iter().copied() {
                if (is_named(relation, &named) || !fits) && !self.is_of_with(relation) {
                    self.touches(Effect::Write, Usage::SelectForUpdate, relation);
                }
            }
        }
    }

    pub(super) fn insert(&mut self, insert: &'a pb::InsertStmt) {
        if let Some(target) = &insert.relation {
            self.touches(Effect::Write, Usage::Insert, target);
            if updates_on_conflict(insert) {
                self.touches(Effect::Write, Usage::Update, target);
            }
        }
        let node = NodeRef::InsertStmt(insert);
        self.parts_with(node, insert.with_clause.as_ref(), insert.relation.as_ref());
    }

    pub(super) fn update(&mut self, update: &'a pb::UpdateStmt) {
        if let Some(target) = &update.relation {
            self.touches(Effect::Write, Usage::Update, target);
        }
        let node = NodeRef::UpdateStmt(update);
        self.parts_with(node, update.with_clause.as_ref(), update.relation.as_ref());
    }

    pub(super) fn delete(&mut self, delete: &'a pb::DeleteStmt) {
        if let Some(target) = &delete.relation {
            self.touches(Effect::Destroy, Usage::Delete, target);
        }
        let node = NodeRef::DeleteStmt(delete);
        self.parts_with(node, delete.with_clause.as_ref(), delete.relation.as_ref());
    }

    pub(super) fn merge(&mut self, merge: &'a pb::MergeStmt) {
        if let Some(target) = &merge.relation {
            for clause in &merge.merge_when_clauses {
                self.merge_action(clause, target);
            }
            self.mention(Name::of_relation(target), Usage::Select);
        }
        let node = NodeRef::MergeStmt(merge);
        self.parts_with(node, merge.with_clause.as_ref(), merge.relation.as_ref());
    }

    fn merge_action(&mut self, clause: &Node, target: &pb::RangeVar) {
        let Some(NodeEnum::MergeWhenClause(clause)) = &clause.node else {
            return;
        };
        match pb::CmdType::try_from(clause.command_type) {
            Ok(pb::CmdType::CmdInsert) => self.touches(Effect::Write, Usage::Insert, target),
            Ok(pb::CmdType::CmdUpdate) => self.touches(Effect::Write, Usage::Update, target),
            Ok(pb::CmdType::CmdDelete) => self.touches(Effect::Destroy, Usage::Delete, target),
            Ok(pb::CmdType::CmdNothing) => {}
            Ok(
                pb::CmdType::Undefined
                | pb::CmdType::CmdUnknown
                | pb::CmdType::CmdSelect
                | pb::CmdType::CmdMerge
                | pb::CmdType::CmdUtility,
            )
            | Err(_) => self.not_understood("merges by an action that we do not know"),
        }
    }

    /// Rows of `relation` are changed, now, later, or only in a plan.
    pub(super) fn touches(&mut self, effect: Effect, usage: Usage, relation: &pb::RangeVar) {
        let name = Name::of_relation(relation);
        match self.when {
            When::Now => {
                let (reversibility, why) = of_rows(usage);
                self.act(
                    effect,
                    Object::new("table", name.clone()),
                    reversibility,
                    why,
                );
                self.mention(name, usage);
            }
            When::Planned => {
                self.read_of(name.clone());
                self.mention(name, Usage::Select);
            }
            When::Stored => self.mention(name, usage),
        }
    }

    /// Planning runs what the planner can compute beforehand; running the plan runs everything.
    pub(super) fn explain(&mut self, explain: &'a pb::ExplainStmt) {
        let node = NodeRef::ExplainStmt(explain);
        if explain.options.iter().any(says_analyze) {
            return self.parts(node);
        }
        self.during(When::Planned, |reading| reading.parts(node));
    }
}

/// What changing rows in a way means for taking it back, and for a person.
const fn of_rows(usage: Usage) -> (Reversibility, &'static str) {
    match usage {
        Usage::Select => (Reversibility::Undoable, "reads rows"),
        Usage::SelectForUpdate => (Reversibility::Undoable, "locks rows for this transaction"),
        Usage::Insert => (Reversibility::Costly, "adds rows"),
        Usage::Update => (
            Reversibility::Irreversible,
            "changes rows; what they were is not kept",
        ),
        Usage::Delete => (Reversibility::Irreversible, "deletes rows"),
        Usage::Truncate => (Reversibility::Irreversible, "deletes all rows"),
        Usage::Define => (Reversibility::Costly, "changes the structure"),
    }
}

fn common_table_expression(node: &Node) -> Option<&pb::CommonTableExpr> {
    match &node.node {
        Some(NodeEnum::CommonTableExpr(expression)) => Some(expression),
        _ => None,
    }
}

pub(super) fn relation(node: &Node) -> Option<&pb::RangeVar> {
    match &node.node {
        Some(NodeEnum::RangeVar(relation)) => Some(relation),
        _ => None,
    }
}

/// The relations in an item of FROM, those of sub-selects included.
fn relations_in<'a>(item: &'a Node, found: &mut Vec<&'a pb::RangeVar>) {
    fn within<'a>(node: NodeRef<'a>, found: &mut Vec<&'a pb::RangeVar>) {
        if let NodeRef::RangeVar(relation) = node {
            found.push(relation);
        }
        parts(node, &mut |part| within(part, found));
    }
    if let Some(node) = &item.node {
        within(node.to_ref(), found);
    }
}

/// Whether `OF …` names this relation; without it all are named.
fn is_named(relation: &pb::RangeVar, named: &[&pb::RangeVar]) -> bool {
    let alias = relation.alias.as_ref().map(|alias| &alias.aliasname);
    let shown = alias.unwrap_or(&relation.relname);
    named.is_empty() || named.iter().any(|each| each.relname == *shown)
}

fn updates_on_conflict(insert: &pb::InsertStmt) -> bool {
    let clause = insert.on_conflict_clause.as_ref();
    clause.is_some_and(|clause| clause.action != pb::OnConflictAction::OnconflictNothing as i32)
}

/// Whether an option of EXPLAIN asks to run the statement; what is not clearly a no is a yes.
fn says_analyze(option: &Node) -> bool {
    let Some(NodeEnum::DefElem(option)) = &option.node else {
        return false;
    };
    let value = option.arg.as_ref().and_then(|arg| arg.node.as_ref());
    let no = match value {
        Some(NodeEnum::String(word)) => {
            ["false", "off", "0"].contains(&word.sval.to_lowercase().as_str())
        }
        Some(NodeEnum::Boolean(value)) => !value.boolval,
        Some(NodeEnum::Integer(number)) => number.ival == 0,
        _ => false,
    };
    option.defname == "analyze" && !no
}

/// The setting that `SELECT set_config(name, …) FROM pg_settings WHERE name = '…'` can only mean, as
/// `pg_dump` writes it.
fn pinned_setting(select: &pb::SelectStmt) -> Option<&str> {
    let [from] = select.from_clause.as_slice() else {
        return None;
    };
    let from = Name::of_relation(relation(from)?);
    if !from.may_be_systems() || from.name != "pg_settings" {
        return None;
    }
    let Some(NodeEnum::AExpr(condition)) = &select.where_clause.as_ref()?.node else {
        return None;
    };
    let equals = Name::from_nodes(&condition.name)? == Name::bare("=");
    let column = condition.lexpr.as_deref().and_then(only_column)?;
    let value = condition.rexpr.as_deref().and_then(super::calls::literal)?;
    (equals && column == "name" && condition.kind == pb::AExprKind::AexprOp as i32).then_some(value)
}

/// The name of a column that is addressed without a table.
pub(super) fn only_column(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::ColumnRef(column)) => match column.fields.as_slice() {
            [field] => text(field),
            _ => None,
        },
        _ => None,
    }
}
