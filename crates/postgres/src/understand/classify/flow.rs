//! How a session has to carry a statement.

use pg_query::protobuf as pb;
use pg_query::{Node, NodeEnum, NodeRef};

use super::super::statement::Flow;
use super::rows::has_option;
use super::session::{changes, read_only};
use super::{statement, verb};

/// `CURSOR_OPT_HOLD` (parsenodes.h).
const HOLD: i32 = 0x0020;

/// How the statement `node`, with the text `sql`, is carried; `escapes` if it does what no rollback takes back.
pub(super) fn of(sql: &str, node: NodeRef<'_>, escapes: bool) -> Flow {
    if escapes {
        return Flow::Outside;
    }
    match node {
        NodeRef::TransactionStmt(transaction) => of_transaction(transaction),
        NodeRef::CopyStmt(copy) if !copy.filename.is_empty() => Flow::Transactional,
        NodeRef::CopyStmt(copy) if copy.is_from => Flow::CopyIn,
        NodeRef::CopyStmt(_) => Flow::CopyOut,
        NodeRef::PrepareStmt(prepare) => of_prepare(sql, prepare),
        NodeRef::ExecuteStmt(execute) => Flow::Execute(execute.name.clone()),
        NodeRef::ExplainStmt(explain) => executed(explain.query.as_deref()),
        NodeRef::CreateTableAsStmt(create) => executed(create.query.as_deref()),
        NodeRef::DeallocateStmt(deallocate) if deallocate.isall => Flow::Deallocate(None),
        NodeRef::DeallocateStmt(deallocate) => Flow::Deallocate(Some(deallocate.name.clone())),
        NodeRef::VariableSetStmt(set) => of_set(set),
        NodeRef::DiscardStmt(discard) => Flow::Discard(discarded(discard)),
        NodeRef::DeclareCursorStmt(declare) => Flow::DeclareCursor {
            name: declare.portalname.clone(),
            hold: declare.options & HOLD != 0,
        },
        NodeRef::FetchStmt(_)
        | NodeRef::ClosePortalStmt(_)
        | NodeRef::ListenStmt(_)
        | NodeRef::UnlistenStmt(_)
        | NodeRef::VariableShowStmt(_) => Flow::SessionOnly,
        _ if refuses_a_transaction(node) => Flow::Outside,
        _ => Flow::Transactional,
    }
}

fn of_transaction(transaction: &pb::TransactionStmt) -> Flow {
    use pb::TransactionStmtKind as Kind;
    let name = transaction.savepoint_name.clone();
    let chain = transaction.chain;
    match Kind::try_from(transaction.kind) {
        Ok(Kind::TransStmtBegin | Kind::TransStmtStart) => Flow::Begin {
            read_only: read_only(transaction),
        },
        Ok(Kind::TransStmtCommit) => Flow::Commit { chain },
        Ok(Kind::TransStmtRollback) => Flow::Rollback { chain },
        Ok(Kind::TransStmtSavepoint) => Flow::Savepoint(name),
        Ok(Kind::TransStmtRelease) => Flow::Release(name),
        Ok(Kind::TransStmtRollbackTo) => Flow::RollbackTo(name),
        Ok(
            Kind::TransStmtPrepare
            | Kind::TransStmtCommitPrepared
            | Kind::TransStmtRollbackPrepared
            | Kind::Undefined,
        )
        | Err(_) => Flow::Outside,
    }
}

fn of_prepare(sql: &str, prepare: &pb::PrepareStmt) -> Flow {
    let query = prepare.query.as_ref().and_then(|query| query.node.as_ref());
    let Some(query) = query.map(NodeEnum::to_ref) else {
        return Flow::Outside;
    };
    Flow::Prepare {
        name: prepare.name.clone(),
        inner: Box::new(statement(sql, query)),
    }
}

/// `EXECUTE` within another command runs what was prepared just as well.
fn executed(query: Option<&Node>) -> Flow {
    match query.and_then(|query| query.node.as_ref()) {
        Some(NodeEnum::ExecuteStmt(execute)) => Flow::Execute(execute.name.clone()),
        Some(NodeEnum::CreateTableAsStmt(create)) => executed(create.query.as_deref()),
        _ => Flow::Transactional,
    }
}

/// Of several settings (`SET TRANSACTION ISOLATION LEVEL …, READ ONLY`) the one that matters most.
fn of_set(set: &pb::VariableSetStmt) -> Flow {
    if set.kind == pb::VariableSetKind::VarResetAll as i32 {
        return Flow::ResetAll;
    }
    let changes = changes(set);
    let read_only = changes
        .iter()
        .rev()
        .find(|each| each.name.ends_with("read_only"));
    match read_only.or(changes.last()) {
        Some(change) => Flow::Set {
            name: change.name.clone(),
            value: change.value.clone(),
            local: set.is_local || change.name.starts_with("transaction_"),
        },
        None => Flow::Transactional,
    }
}

fn discarded(discard: &pb::DiscardStmt) -> &'static str {
    match pb::DiscardMode::try_from(discard.target) {
        Ok(pb::DiscardMode::DiscardPlans) => "PLANS",
        Ok(pb::DiscardMode::DiscardSequences) => "SEQUENCES",
        Ok(pb::DiscardMode::DiscardTemp) => "TEMP",
        Ok(pb::DiscardMode::DiscardAll | pb::DiscardMode::Undefined) | Err(_) => "ALL",
    }
}

/// Whether the server refuses the command in a transaction block (`PreventInTransactionBlock` in its
/// sources), or it does at once what no rollback takes back.
fn refuses_a_transaction(node: NodeRef<'_>) -> bool {
    use pb::ReindexObjectType as Reindexed;
    match node {
        NodeRef::CreatedbStmt(_)
        | NodeRef::DropdbStmt(_)
        | NodeRef::CreateTableSpaceStmt(_)
        | NodeRef::DropTableSpaceStmt(_)
        | NodeRef::AlterSystemStmt(_)
        | NodeRef::CreateSubscriptionStmt(_)
        | NodeRef::AlterSubscriptionStmt(_)
        | NodeRef::DropSubscriptionStmt(_)
        | NodeRef::LoadStmt(_) => true,
        NodeRef::VacuumStmt(vacuum) => vacuum.is_vacuumcmd,
        NodeRef::ClusterStmt(cluster) => cluster.relation.is_none(),
        NodeRef::IndexStmt(index) => index.concurrent,
        NodeRef::DropStmt(drop) => drop.concurrent,
        NodeRef::AlterDatabaseStmt(alter) => has_option(&alter.options, "tablespace"),
        NodeRef::ReindexStmt(reindex) => {
            let one = [Reindexed::ReindexObjectIndex, Reindexed::ReindexObjectTable];
            has_option(&reindex.params, "concurrently")
                || !one.iter().any(|each| *each as i32 == reindex.kind)
        }
        NodeRef::AlterTableStmt(_) => verb::detaches_concurrently(node),
        _ => false,
    }
}
