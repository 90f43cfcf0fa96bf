//! From the tree of a statement to what it does: one walk that meets every node. The match below names
//! each node of the grammar and has no wildcard, so a grammar that grows fails to compile, not open.
//!
//! By the text alone: what a function, a view, a trigger or a type brings with it is only mentioned here.

mod alter;
mod calls;
mod code;
mod define;
mod drop;
mod flow;
mod query;
mod rows;
mod secrets;
mod server;
mod session;
mod verb;

pub(super) use calls::statement_node;
use pg_query::NodeRef;
use pg_query::protobuf as pb;
use tagout_core::effect::{Effect, Reversibility};

use super::name::Name;
use super::statement::{Act, Flow, Mentions, Object, Relation, Statement, Usage};
use super::tree::parts;

/// How many texts inside texts (`query_to_xml('…query_to_xml(…)…')`) are looked into.
const TEXTS_WITHIN_TEXTS: usize = 3;

/// What one statement of a request means.
pub(super) fn statement(sql: &str, node: NodeRef<'_>) -> Statement {
    statement_within(sql, node, TEXTS_WITHIN_TEXTS)
}

fn statement_within(sql: &str, node: NodeRef<'_>, depth: usize) -> Statement {
    let mut reading = Reading {
        texts_within: depth,
        ..Reading::default()
    };
    reading.node(node);
    let verb = verb::of(node);
    let flow = flow::of(sql, node, reading.escapes);
    reading.finish(sql, verb, flow)
}

/// Whether what is being walked runs with the statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum When {
    /// It runs.
    #[default]
    Now,
    /// It is only planned: functions that the planner calls run, rows stay as they are.
    Planned,
    /// It is stored, for others to run.
    Stored,
}

#[derive(Default)]
struct Reading<'a> {
    when: When,
    acts: Vec<Act>,
    mentions: Mentions,
    /// Names of common table expressions that can be seen, the nearest last.
    tables_of_with: Vec<&'a str>,
    /// Names that columns are addressed by, for telling whether a secret one is among them.
    columns: Vec<Vec<&'a str>>,
    /// Relations with secret columns that are read.
    secretive: Vec<secrets::Found<'a>>,
    /// Whether rows are read that no column names: `COPY pg_authid TO STDOUT`.
    whole_rows: bool,
    /// The one setting that `name` can be in `SELECT set_config(name, …) FROM pg_settings WHERE …`.
    pinned_setting: Option<&'a str>,
    escapes: bool,
    texts: Vec<String>,
    texts_within: usize,
}

impl<'a> Reading<'a> {
    /// Everything in `node`, and what `node` itself does.
    fn node(&mut self, node: NodeRef<'a>) {
        match node {
            // Queries and what changes rows.
            NodeRef::SelectStmt(select) => self.select(select),
            NodeRef::InsertStmt(insert) => self.insert(insert),
            NodeRef::UpdateStmt(update) => self.update(update),
            NodeRef::DeleteStmt(delete) => self.delete(delete),
            NodeRef::MergeStmt(merge) => self.merge(merge),
            NodeRef::TruncateStmt(truncate) => self.truncate(truncate),
            NodeRef::CopyStmt(copy) => self.copy(copy),
            NodeRef::LockStmt(lock) => self.lock(lock),
            NodeRef::ExplainStmt(explain) => self.explain(explain),
            NodeRef::DeclareCursorStmt(_) | NodeRef::PrepareStmt(_) => self.parts(node),
            NodeRef::RefreshMatViewStmt(refresh) => self.refresh(refresh),
            NodeRef::CreateTableAsStmt(create) => self.create_table_as(create),

            // The session and its transactions.
            NodeRef::TransactionStmt(transaction) => self.transaction(transaction),
            NodeRef::VariableSetStmt(set) => self.set(set),
            NodeRef::VariableShowStmt(_) => self.session("setting", "shows a setting"),
            NodeRef::DiscardStmt(_) => self.session("session", "resets this session"),
            NodeRef::FetchStmt(_) => self.session("cursor", "reads on in a cursor"),
            NodeRef::ClosePortalStmt(_) => self.session("cursor", "closes a cursor"),
            NodeRef::ListenStmt(_) | NodeRef::UnlistenStmt(_) => {
                self.session("channel", "changes what this session listens to");
            }
            NodeRef::DeallocateStmt(_) => {
                self.session("prepared_statement", "forgets a prepared statement");
            }
            NodeRef::ConstraintsSetStmt(_) => {
                self.session(
                    "constraint",
                    "changes when this transaction checks constraints",
                );
            }
            NodeRef::ExecuteStmt(_) => self.execute(node),
            NodeRef::NotifyStmt(notify) => self.notify(notify),

            // Code that runs, now or later.
            NodeRef::DoStmt(_) => self.do_block(node),
            NodeRef::CallStmt(call) => self.call_procedure(call),
            NodeRef::CreateFunctionStmt(create) => self.create_function(create),
            NodeRef::AlterFunctionStmt(alter) => self.alter_function(alter),
            NodeRef::CreateTrigStmt(create) => self.create_trigger(create),
            NodeRef::CreateEventTrigStmt(create) => self.create_event_trigger(create),
            NodeRef::AlterEventTrigStmt(alter) => self.alter_event_trigger(alter),
            NodeRef::RuleStmt(rule) => self.create_rule(rule),
            NodeRef::CreatePolicyStmt(create) => self.create_policy(create),
            NodeRef::AlterPolicyStmt(alter) => self.alter_policy(alter),
            NodeRef::CreatePlangStmt(create) => {
                self.stores_code("language", Some(Name::bare(&create.plname)), node);
            }
            NodeRef::CreateCastStmt(_) => self.stores_code("cast", None, node),
            NodeRef::CreateTransformStmt(_) => self.stores_code("transform", None, node),
            NodeRef::CreateConversionStmt(create) => {
                self.stores_code(
                    "conversion",
                    Name::from_nodes(&create.conversion_name),
                    node,
                );
            }
            NodeRef::CreateAmStmt(create) => {
                self.stores_code("access_method", Some(Name::bare(&create.amname)), node);
            }
            NodeRef::CreateOpClassStmt(create) => {
                self.stores_code("operator", Name::from_nodes(&create.opclassname), node);
            }
            NodeRef::CreateOpFamilyStmt(create) => {
                self.stores_code("operator", Name::from_nodes(&create.opfamilyname), node);
            }
            NodeRef::AlterOpFamilyStmt(alter) => {
                self.stores_code("operator", Name::from_nodes(&alter.opfamilyname), node);
            }
            NodeRef::DefineStmt(define) => self.define(define),
            NodeRef::LoadStmt(_) => self.load(),
            NodeRef::CreateExtensionStmt(create) => self.create_extension(create),
            NodeRef::AlterExtensionStmt(alter) => self.alter_extension(&alter.extname),
            NodeRef::AlterExtensionContentsStmt(alter) => self.alter_extension(&alter.extname),

            // Definitions.
            NodeRef::CreateStmt(create) => self.create_table(create),
            NodeRef::ViewStmt(view) => self.create_view(view),
            NodeRef::IndexStmt(index) => self.create_index(index),
            NodeRef::CreateSchemaStmt(create) => self.create_schema(create),
            NodeRef::CreateSeqStmt(create) => self.create_sequence(create),
            NodeRef::CreateDomainStmt(create) => {
                self.creates("type", Name::from_nodes(&create.domainname), node);
            }
            NodeRef::CreateEnumStmt(create) => {
                self.creates("type", Name::from_nodes(&create.type_name), node);
            }
            NodeRef::CompositeTypeStmt(create) => self.create_composite(create),
            NodeRef::CreateRangeStmt(create) => self.create_range(create),
            NodeRef::CreateStatsStmt(create) => {
                self.creates("statistics", Name::from_nodes(&create.defnames), node);
            }
            NodeRef::CommentStmt(comment) => self.comment(comment),

            // Changes of definitions.
            NodeRef::AlterTableStmt(alter) => self.alter_table(alter),
            NodeRef::AlterDomainStmt(alter) => self.alter_domain(alter),
            NodeRef::AlterEnumStmt(alter) => self.alter_enum(alter),
            NodeRef::AlterSeqStmt(alter) => self.alter_sequence(alter),
            NodeRef::RenameStmt(rename) => self.rename(rename),
            NodeRef::AlterObjectSchemaStmt(alter) => self.change_schema(alter),
            NodeRef::AlterOwnerStmt(alter) => self.change_owner(alter),
            NodeRef::AlterObjectDependsStmt(_) => self.alters("object", None, node),
            NodeRef::AlterOperatorStmt(_) => self.alters("operator", None, node),
            NodeRef::AlterTypeStmt(alter) => {
                self.stores_code("type", Name::from_nodes(&alter.type_name), node);
            }
            NodeRef::AlterCollationStmt(alter) => {
                self.alters("collation", Name::from_nodes(&alter.collname), node);
            }
            NodeRef::AlterStatsStmt(alter) => {
                self.alters("statistics", Name::from_nodes(&alter.defnames), node);
            }
            NodeRef::AlterTsdictionaryStmt(alter) => {
                self.alters("text_search", Name::from_nodes(&alter.dictname), node);
            }
            NodeRef::AlterTsconfigurationStmt(alter) => {
                self.alters("text_search", Name::from_nodes(&alter.cfgname), node);
            }
            NodeRef::DropStmt(drop) => self.drop(drop),
            NodeRef::DropOwnedStmt(drop) => self.drop_owned(drop),

            // Roles, rights, and the server as a whole.
            NodeRef::GrantStmt(grant) => self.grant(grant),
            NodeRef::GrantRoleStmt(grant) => self.grant_role(grant),
            NodeRef::AlterDefaultPrivilegesStmt(_) => {
                self.privilege("role", None, "changes the rights on what is created later");
            }
            NodeRef::SecLabelStmt(_) => self.privilege("object", None, "changes a security label"),
            NodeRef::CreateRoleStmt(create) => self.create_role(create),
            NodeRef::AlterRoleStmt(alter) => self.alter_role(alter),
            NodeRef::AlterRoleSetStmt(alter) => self.alter_role_set(alter),
            NodeRef::DropRoleStmt(drop) => self.drop_role(drop),
            NodeRef::ReassignOwnedStmt(_) => {
                self.privilege("role", None, "gives away everything that a role owns");
            }
            NodeRef::CreatedbStmt(create) => self.create_database(create),
            NodeRef::AlterDatabaseStmt(alter) => self.alter_database(alter),
            NodeRef::AlterDatabaseRefreshCollStmt(alter) => {
                self.alters("database", Some(Name::bare(&alter.dbname)), node);
            }
            NodeRef::AlterDatabaseSetStmt(alter) => self.alter_database_set(alter),
            NodeRef::DropdbStmt(drop) => self.drop_database(drop),
            NodeRef::CreateTableSpaceStmt(create) => {
                self.creates("tablespace", Some(Name::bare(&create.tablespacename)), node);
            }
            NodeRef::DropTableSpaceStmt(drop) => self.drop_tablespace(drop),
            NodeRef::AlterTableSpaceOptionsStmt(alter) => {
                self.alters("tablespace", Some(Name::bare(&alter.tablespacename)), node);
            }
            NodeRef::AlterTableMoveAllStmt(alter) => {
                let name = Name::bare(&alter.orig_tablespacename);
                self.alters("tablespace", Some(name), node);
            }
            NodeRef::AlterSystemStmt(alter) => self.alter_system(alter),
            NodeRef::CheckPointStmt(_) => self.checkpoint(),
            NodeRef::VacuumStmt(vacuum) => self.vacuum(vacuum),
            NodeRef::ClusterStmt(cluster) => self.cluster(cluster),
            NodeRef::ReindexStmt(reindex) => self.reindex(reindex),

            // Other servers.
            NodeRef::CreateFdwStmt(create) => {
                self.reaches_out("foreign_data_wrapper", &create.fdwname, node);
            }
            NodeRef::AlterFdwStmt(alter) => {
                self.reaches_out("foreign_data_wrapper", &alter.fdwname, node);
            }
            NodeRef::CreateForeignServerStmt(create) => {
                self.reaches_out("server", &create.servername, node);
            }
            NodeRef::AlterForeignServerStmt(alter) => {
                self.reaches_out("server", &alter.servername, node);
            }
            NodeRef::CreateForeignTableStmt(create) => self.create_foreign_table(create),
            NodeRef::ImportForeignSchemaStmt(import) => self.import_foreign_schema(import),
            NodeRef::CreateUserMappingStmt(create) => self.user_mapping(&create.servername),
            NodeRef::AlterUserMappingStmt(alter) => self.user_mapping(&alter.servername),
            NodeRef::DropUserMappingStmt(drop) => self.drop_user_mapping(drop),
            NodeRef::CreatePublicationStmt(create) => self.publish(&create.pubname, node),
            NodeRef::AlterPublicationStmt(alter) => self.alter_publication(alter),
            NodeRef::CreateSubscriptionStmt(create) => self.create_subscription(create),
            NodeRef::AlterSubscriptionStmt(alter) => self.alter_subscription(alter),
            NodeRef::DropSubscriptionStmt(drop) => self.drop_subscription(drop),

            // Expressions and clauses that mention something.
            NodeRef::RangeVar(relation) => self.reads(relation),
            NodeRef::FuncCall(call) => self.function_call(call),
            NodeRef::AExpr(expression) => self.operator_expression(expression),
            NodeRef::AIndirection(indirection) => self.indirection(indirection),
            NodeRef::ColumnRef(column) => self.column(column),
            NodeRef::SubLink(link) => self.sub_link(link),
            NodeRef::CaseExpr(case) => self.case(case),
            NodeRef::JoinExpr(join) => self.join(join),
            NodeRef::SortBy(sort) => self.sort_by(sort),
            NodeRef::TypeName(name) => self.type_name(name),
            NodeRef::RangeTableSample(sample) => self.table_sample(sample),
            NodeRef::Constraint(constraint) => self.constraint(constraint),
            NodeRef::ColumnDef(column) => self.column_definition(column),
            NodeRef::JsonFuncExpr(json) => self.json_function(json),
            NodeRef::JsonTable(_) => self.syntax_of_a_call("json_table", node),
            NodeRef::JsonParseExpr(_) => self.syntax_of_a_call("json", node),
            NodeRef::JsonScalarExpr(_) => self.syntax_of_a_call("json_scalar", node),
            NodeRef::JsonSerializeExpr(_) => self.syntax_of_a_call("json_serialize", node),
            NodeRef::JsonObjectConstructor(_) => self.syntax_of_a_call("json_object", node),
            NodeRef::JsonArrayConstructor(_) | NodeRef::JsonArrayQueryConstructor(_) => {
                self.syntax_of_a_call("json_array", node);
            }
            NodeRef::JsonObjectAgg(_) => self.syntax_of_a_call("json_objectagg", node),
            NodeRef::JsonArrayAgg(_) => self.syntax_of_a_call("json_arrayagg", node),
            NodeRef::MergeSupportFunc(_) => self.syntax_of_a_call("merge_action", node),
            NodeRef::ObjectWithArgs(_) => self.parts(node),

            // Expressions and clauses of which only the parts matter.
            NodeRef::Alias(_)
            | NodeRef::TableFunc(_)
            | NodeRef::IntoClause(_)
            | NodeRef::GroupingFunc(_)
            | NodeRef::NamedArgExpr(_)
            | NodeRef::BoolExpr(_)
            | NodeRef::CollateExpr(_)
            | NodeRef::CaseWhen(_)
            | NodeRef::RowExpr(_)
            | NodeRef::CoalesceExpr(_)
            | NodeRef::MinMaxExpr(_)
            | NodeRef::SqlvalueFunction(_)
            | NodeRef::XmlExpr(_)
            | NodeRef::JsonFormat(_)
            | NodeRef::JsonReturning(_)
            | NodeRef::JsonValueExpr(_)
            | NodeRef::JsonIsPredicate(_)
            | NodeRef::JsonBehavior(_)
            | NodeRef::NullTest(_)
            | NodeRef::BooleanTest(_)
            | NodeRef::SetToDefault(_)
            | NodeRef::CurrentOfExpr(_)
            | NodeRef::ParamRef(_)
            | NodeRef::TypeCast(_)
            | NodeRef::CollateClause(_)
            | NodeRef::RoleSpec(_)
            | NodeRef::AStar(_)
            | NodeRef::AIndices(_)
            | NodeRef::AArrayExpr(_)
            | NodeRef::ResTarget(_)
            | NodeRef::MultiAssignRef(_)
            | NodeRef::WindowDef(_)
            | NodeRef::RangeSubselect(_)
            | NodeRef::RangeFunction(_)
            | NodeRef::RangeTableFunc(_)
            | NodeRef::RangeTableFuncCol(_)
            | NodeRef::TableLikeClause(_)
            | NodeRef::IndexElem(_)
            | NodeRef::DefElem(_)
            | NodeRef::LockingClause(_)
            | NodeRef::XmlSerialize(_)
            | NodeRef::PartitionElem(_)
            | NodeRef::PartitionSpec(_)
            | NodeRef::PartitionBoundSpec(_)
            | NodeRef::PartitionRangeDatum(_)
            | NodeRef::PartitionCmd(_)
            | NodeRef::GroupingSet(_)
            | NodeRef::WithClause(_)
            | NodeRef::InferClause(_)
            | NodeRef::OnConflictClause(_)
            | NodeRef::CtesearchClause(_)
            | NodeRef::CtecycleClause(_)
            | NodeRef::CommonTableExpr(_)
            | NodeRef::MergeWhenClause(_)
            | NodeRef::ReturningOption(_)
            | NodeRef::ReturningClause(_)
            | NodeRef::TriggerTransition(_)
            | NodeRef::JsonOutput(_)
            | NodeRef::JsonArgument(_)
            | NodeRef::JsonTablePathSpec(_)
            | NodeRef::JsonTableColumn(_)
            | NodeRef::JsonKeyValue(_)
            | NodeRef::JsonAggConstructor(_)
            | NodeRef::RawStmt(_)
            | NodeRef::ReturnStmt(_)
            | NodeRef::AlterTableCmd(_)
            | NodeRef::AtalterConstraint(_)
            | NodeRef::ReplicaIdentityStmt(_)
            | NodeRef::AccessPriv(_)
            | NodeRef::CreateOpClassItem(_)
            | NodeRef::StatsElem(_)
            | NodeRef::FunctionParameter(_)
            | NodeRef::VacuumRelation(_)
            | NodeRef::PublicationObjSpec(_)
            | NodeRef::PublicationTable(_)
            | NodeRef::Integer(_)
            | NodeRef::Float(_)
            | NodeRef::Boolean(_)
            | NodeRef::String(_)
            | NodeRef::BitString(_)
            | NodeRef::List(_)
            | NodeRef::IntList(_)
            | NodeRef::OidList(_)
            | NodeRef::AConst(_) => self.parts(node),

            // The server makes these of a tree, the grammar never does.
            NodeRef::Var(_)
            | NodeRef::Param(_)
            | NodeRef::Aggref(_)
            | NodeRef::WindowFunc(_)
            | NodeRef::WindowFuncRunCondition(_)
            | NodeRef::SubscriptingRef(_)
            | NodeRef::FuncExpr(_)
            | NodeRef::OpExpr(_)
            | NodeRef::DistinctExpr(_)
            | NodeRef::NullIfExpr(_)
            | NodeRef::ScalarArrayOpExpr(_)
            | NodeRef::SubPlan(_)
            | NodeRef::AlternativeSubPlan(_)
            | NodeRef::FieldSelect(_)
            | NodeRef::FieldStore(_)
            | NodeRef::RelabelType(_)
            | NodeRef::CoerceViaIo(_)
            | NodeRef::ArrayCoerceExpr(_)
            | NodeRef::ConvertRowtypeExpr(_)
            | NodeRef::CaseTestExpr(_)
            | NodeRef::ArrayExpr(_)
            | NodeRef::RowCompareExpr(_)
            | NodeRef::JsonConstructorExpr(_)
            | NodeRef::JsonExpr(_)
            | NodeRef::JsonTablePath(_)
            | NodeRef::JsonTablePathScan(_)
            | NodeRef::JsonTableSiblingJoin(_)
            | NodeRef::MergeAction(_)
            | NodeRef::CoerceToDomain(_)
            | NodeRef::CoerceToDomainValue(_)
            | NodeRef::NextValueExpr(_)
            | NodeRef::InferenceElem(_)
            | NodeRef::ReturningExpr(_)
            | NodeRef::TargetEntry(_)
            | NodeRef::RangeTblRef(_)
            | NodeRef::FromExpr(_)
            | NodeRef::OnConflictExpr(_)
            | NodeRef::Query(_)
            | NodeRef::RangeTblEntry(_)
            | NodeRef::RtepermissionInfo(_)
            | NodeRef::RangeTblFunction(_)
            | NodeRef::TableSampleClause(_)
            | NodeRef::WithCheckOption(_)
            | NodeRef::SortGroupClause(_)
            | NodeRef::WindowClause(_)
            | NodeRef::RowMarkClause(_)
            | NodeRef::SetOperationStmt(_)
            | NodeRef::PlassignStmt(_)
            | NodeRef::InlineCodeBlock(_)
            | NodeRef::CallContext(_) => {
                self.not_understood("has a part that the grammar never makes")
            }
        }
    }

    /// Everything that stands directly in `node`.
    fn parts(&mut self, node: NodeRef<'a>) {
        parts(node, &mut |part| self.node(part));
    }

    /// The same without one relation, whose use was already told.
    fn parts_but(&mut self, node: NodeRef<'a>, told: Option<&pb::RangeVar>) {
        parts(node, &mut |part| match (part, told) {
            (NodeRef::RangeVar(relation), Some(told)) if std::ptr::eq(relation, told) => {}
            _ => self.node(part),
        });
    }

    /// Everything in `node`, as something that is stored for others to run.
    fn parts_stored(&mut self, node: NodeRef<'a>, told: Option<&pb::RangeVar>) {
        self.during(When::Stored, |reading| reading.parts_but(node, told));
    }

    fn during(&mut self, when: When, walk: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.when, when);
        walk(self);
        self.when = before;
    }

    fn mention(&mut self, name: Name, usage: Usage) {
        let relation = Relation { name, usage };
        if !self.mentions.relations.contains(&relation) {
            self.mentions.relations.push(relation);
        }
    }

    fn act(&mut self, effect: Effect, object: Object, reversibility: Reversibility, why: &str) {
        self.push(Act {
            effect,
            object,
            why: why.to_owned(),
            reversibility,
            marks: Vec::new(),
            cascade: false,
        });
    }

    fn push(&mut self, act: Act) {
        if !self.acts.contains(&act) {
            self.acts.push(act);
        }
    }

    fn not_understood(&mut self, why: &str) {
        self.act(
            Effect::Unknown,
            Object::all("statement"),
            Reversibility::Unknown,
            why,
        );
    }

    fn finish(mut self, sql: &str, verb: &'static str, flow: Flow) -> Statement {
        self.tell_secrets();
        self.look_into_texts();
        if self.acts.is_empty() {
            let nothing = Object::all("row");
            self.act(
                Effect::Read,
                nothing,
                Reversibility::Undoable,
                "only computes",
            );
        }
        Statement {
            sql: sql.to_owned(),
            verb,
            flow,
            acts: self.acts,
            mentions: self.mentions,
        }
    }
}
