//! The command in the words of a command tag, for people. Nothing is decided by it.

use pg_query::protobuf as pb;
use pg_query::{NodeEnum, NodeRef};

use super::super::kinds::kind_of;

/// The command's words.
pub(super) fn of(node: NodeRef<'_>) -> &'static str {
    query(node)
        .or_else(|| session(node))
        .or_else(|| creating(node))
        .or_else(|| altering(node))
        .unwrap_or("STATEMENT")
}

fn query(node: NodeRef<'_>) -> Option<&'static str> {
    Some(match node {
        NodeRef::SelectStmt(select) if select.into_clause.is_some() => "SELECT INTO",
        NodeRef::SelectStmt(select) if is_values(select) => "VALUES",
        NodeRef::SelectStmt(_) => "SELECT",
        NodeRef::InsertStmt(_) => "INSERT",
        NodeRef::UpdateStmt(_) => "UPDATE",
        NodeRef::DeleteStmt(_) => "DELETE",
        NodeRef::MergeStmt(_) => "MERGE",
        NodeRef::TruncateStmt(_) => "TRUNCATE",
        NodeRef::CopyStmt(_) => "COPY",
        NodeRef::LockStmt(_) => "LOCK TABLE",
        NodeRef::ExplainStmt(_) => "EXPLAIN",
        NodeRef::DoStmt(_) => "DO",
        NodeRef::CallStmt(_) => "CALL",
        _ => return None,
    })
}

fn is_values(select: &pb::SelectStmt) -> bool {
    !select.values_lists.is_empty()
}

fn session(node: NodeRef<'_>) -> Option<&'static str> {
    Some(match node {
        NodeRef::TransactionStmt(transaction) => transaction_words(transaction),
        NodeRef::VariableSetStmt(set) => match pb::VariableSetKind::try_from(set.kind) {
            Ok(pb::VariableSetKind::VarReset | pb::VariableSetKind::VarResetAll) => "RESET",
            _ => "SET",
        },
        NodeRef::VariableShowStmt(_) => "SHOW",
        NodeRef::DiscardStmt(_) => "DISCARD",
        NodeRef::PrepareStmt(_) => "PREPARE",
        NodeRef::ExecuteStmt(_) => "EXECUTE",
        NodeRef::DeallocateStmt(_) => "DEALLOCATE",
        NodeRef::DeclareCursorStmt(_) => "DECLARE CURSOR",
        NodeRef::FetchStmt(fetch) if fetch.ismove => "MOVE",
        NodeRef::FetchStmt(_) => "FETCH",
        NodeRef::ClosePortalStmt(_) => "CLOSE CURSOR",
        NodeRef::ListenStmt(_) => "LISTEN",
        NodeRef::UnlistenStmt(_) => "UNLISTEN",
        NodeRef::NotifyStmt(_) => "NOTIFY",
        NodeRef::ConstraintsSetStmt(_) => "SET CONSTRAINTS",
        NodeRef::LoadStmt(_) => "LOAD",
        NodeRef::CheckPointStmt(_) => "CHECKPOINT",
        NodeRef::VacuumStmt(vacuum) if !vacuum.is_vacuumcmd => "ANALYZE",
        NodeRef::VacuumStmt(_) => "VACUUM",
        NodeRef::ClusterStmt(_) => "CLUSTER",
        NodeRef::ReindexStmt(_) => "REINDEX",
        NodeRef::RefreshMatViewStmt(_) => "REFRESH MATERIALIZED VIEW",
        _ => return None,
    })
}

fn transaction_words(transaction: &pb::TransactionStmt) -> &'static str {
    use pb::TransactionStmtKind as Kind;
    match Kind::try_from(transaction.kind) {
        Ok(Kind::TransStmtBegin) => "BEGIN",
        Ok(Kind::TransStmtStart) => "START TRANSACTION",
        Ok(Kind::TransStmtCommit) => "COMMIT",
        Ok(Kind::TransStmtRollback | Kind::TransStmtRollbackTo) => "ROLLBACK",
        Ok(Kind::TransStmtSavepoint) => "SAVEPOINT",
        Ok(Kind::TransStmtRelease) => "RELEASE",
        Ok(Kind::TransStmtPrepare) => "PREPARE TRANSACTION",
        Ok(Kind::TransStmtCommitPrepared) => "COMMIT PREPARED",
        Ok(Kind::TransStmtRollbackPrepared) => "ROLLBACK PREPARED",
        Ok(Kind::Undefined) | Err(_) => "TRANSACTION",
    }
}

fn creating(node: NodeRef<'_>) -> Option<&'static str> {
    Some(match node {
        NodeRef::CreateStmt(_) => "CREATE TABLE",
        NodeRef::CreateTableAsStmt(create)
            if create.objtype == pb::ObjectType::ObjectMatview as i32 =>
        {
            "CREATE MATERIALIZED VIEW"
        }
        NodeRef::CreateTableAsStmt(_) => "CREATE TABLE AS",
        NodeRef::ViewStmt(_) => "CREATE VIEW",
        NodeRef::IndexStmt(_) => "CREATE INDEX",
        NodeRef::CreateSchemaStmt(_) => "CREATE SCHEMA",
        NodeRef::CreateSeqStmt(_) => "CREATE SEQUENCE",
        NodeRef::CreateDomainStmt(_) => "CREATE DOMAIN",
        NodeRef::CreateEnumStmt(_)
        | NodeRef::CompositeTypeStmt(_)
        | NodeRef::CreateRangeStmt(_) => "CREATE TYPE",
        NodeRef::CreateStatsStmt(_) => "CREATE STATISTICS",
        NodeRef::CreateFunctionStmt(create) if create.is_procedure => "CREATE PROCEDURE",
        NodeRef::CreateFunctionStmt(_) => "CREATE FUNCTION",
        NodeRef::CreateTrigStmt(_) => "CREATE TRIGGER",
        NodeRef::CreateEventTrigStmt(_) => "CREATE EVENT TRIGGER",
        NodeRef::RuleStmt(_) => "CREATE RULE",
        NodeRef::CreatePolicyStmt(_) => "CREATE POLICY",
        NodeRef::CreatePlangStmt(_) => "CREATE LANGUAGE",
        NodeRef::CreateCastStmt(_) => "CREATE CAST",
        NodeRef::CreateTransformStmt(_) => "CREATE TRANSFORM",
        NodeRef::CreateConversionStmt(_) => "CREATE CONVERSION",
        NodeRef::CreateAmStmt(_) => "CREATE ACCESS METHOD",
        NodeRef::CreateOpClassStmt(_) => "CREATE OPERATOR CLASS",
        NodeRef::CreateOpFamilyStmt(_) => "CREATE OPERATOR FAMILY",
        NodeRef::DefineStmt(_) => "CREATE",
        NodeRef::CreateExtensionStmt(_) => "CREATE EXTENSION",
        NodeRef::CreateRoleStmt(_) => "CREATE ROLE",
        NodeRef::CreatedbStmt(_) => "CREATE DATABASE",
        NodeRef::CreateTableSpaceStmt(_) => "CREATE TABLESPACE",
        NodeRef::CreateFdwStmt(_) => "CREATE FOREIGN DATA WRAPPER",
        NodeRef::CreateForeignServerStmt(_) => "CREATE SERVER",
        NodeRef::CreateForeignTableStmt(_) => "CREATE FOREIGN TABLE",
        NodeRef::CreateUserMappingStmt(_) => "CREATE USER MAPPING",
        NodeRef::ImportForeignSchemaStmt(_) => "IMPORT FOREIGN SCHEMA",
        NodeRef::CreatePublicationStmt(_) => "CREATE PUBLICATION",
        NodeRef::CreateSubscriptionStmt(_) => "CREATE SUBSCRIPTION",
        NodeRef::CommentStmt(_) => "COMMENT",
        NodeRef::SecLabelStmt(_) => "SECURITY LABEL",
        _ => return None,
    })
}

fn altering(node: NodeRef<'_>) -> Option<&'static str> {
    Some(match node {
        NodeRef::AlterTableStmt(alter) => kind_of(alter.objtype).alter,
        NodeRef::RenameStmt(rename) => renamed(rename),
        NodeRef::AlterObjectSchemaStmt(alter) => kind_of(alter.object_type).alter,
        NodeRef::AlterOwnerStmt(alter) => kind_of(alter.object_type).alter,
        NodeRef::AlterObjectDependsStmt(alter) => kind_of(alter.object_type).alter,
        NodeRef::DropStmt(drop) => kind_of(drop.remove_type).drop,
        NodeRef::DropOwnedStmt(_) => "DROP OWNED",
        NodeRef::DropRoleStmt(_) => "DROP ROLE",
        NodeRef::DropdbStmt(_) => "DROP DATABASE",
        NodeRef::DropTableSpaceStmt(_) => "DROP TABLESPACE",
        NodeRef::DropUserMappingStmt(_) => "DROP USER MAPPING",
        NodeRef::DropSubscriptionStmt(_) => "DROP SUBSCRIPTION",
        NodeRef::GrantStmt(grant) if grant.is_grant => "GRANT",
        NodeRef::GrantStmt(_) => "REVOKE",
        NodeRef::GrantRoleStmt(grant) if grant.is_grant => "GRANT ROLE",
        NodeRef::GrantRoleStmt(_) => "REVOKE ROLE",
        NodeRef::AlterDefaultPrivilegesStmt(_) => "ALTER DEFAULT PRIVILEGES",
        NodeRef::ReassignOwnedStmt(_) => "REASSIGN OWNED",
        NodeRef::AlterRoleStmt(_) | NodeRef::AlterRoleSetStmt(_) => "ALTER ROLE",
        NodeRef::AlterDatabaseStmt(_)
        | NodeRef::AlterDatabaseSetStmt(_)
        | NodeRef::AlterDatabaseRefreshCollStmt(_) => "ALTER DATABASE",
        NodeRef::AlterSystemStmt(_) => "ALTER SYSTEM",
        NodeRef::AlterDomainStmt(_) => "ALTER DOMAIN",
        NodeRef::AlterEnumStmt(_) | NodeRef::AlterTypeStmt(_) => "ALTER TYPE",
        NodeRef::AlterSeqStmt(_) => "ALTER SEQUENCE",
        NodeRef::AlterFunctionStmt(_) => "ALTER FUNCTION",
        NodeRef::AlterPolicyStmt(_) => "ALTER POLICY",
        NodeRef::AlterEventTrigStmt(_) => "ALTER EVENT TRIGGER",
        NodeRef::AlterOperatorStmt(_) => "ALTER OPERATOR",
        NodeRef::AlterOpFamilyStmt(_) => "ALTER OPERATOR FAMILY",
        NodeRef::AlterCollationStmt(_) => "ALTER COLLATION",
        NodeRef::AlterStatsStmt(_) => "ALTER STATISTICS",
        NodeRef::AlterTsdictionaryStmt(_) => "ALTER TEXT SEARCH DICTIONARY",
        NodeRef::AlterTsconfigurationStmt(_) => "ALTER TEXT SEARCH CONFIGURATION",
        NodeRef::AlterTableSpaceOptionsStmt(_) | NodeRef::AlterTableMoveAllStmt(_) => {
            "ALTER TABLESPACE"
        }
        NodeRef::AlterExtensionStmt(_) | NodeRef::AlterExtensionContentsStmt(_) => {
            "ALTER EXTENSION"
        }
        NodeRef::AlterFdwStmt(_) => "ALTER FOREIGN DATA WRAPPER",
        NodeRef::AlterForeignServerStmt(_) => "ALTER SERVER",
        NodeRef::AlterUserMappingStmt(_) => "ALTER USER MAPPING",
        NodeRef::AlterPublicationStmt(_) => "ALTER PUBLICATION",
        NodeRef::AlterSubscriptionStmt(_) => "ALTER SUBSCRIPTION",
        _ => return None,
    })
}

/// A column or a constraint is renamed by altering what it is part of.
fn renamed(rename: &pb::RenameStmt) -> &'static str {
    let column = pb::ObjectType::ObjectColumn as i32;
    if rename.rename_type == column {
        return kind_of(rename.relation_type).alter;
    }
    kind_of(rename.rename_type).alter
}

/// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`.
pub(super) fn detaches_concurrently(node: NodeRef<'_>) -> bool {
    let NodeRef::AlterTableStmt(alter) = node else {
        return false;
    };
    alter.cmds.iter().any(|each| match &each.node {
        Some(NodeEnum::AlterTableCmd(command)) => {
            let def = command.def.as_ref().and_then(|def| def.node.as_ref());
            matches!(def, Some(NodeEnum::PartitionCmd(partition)) if partition.concurrent)
        }
        _ => false,
    })
}
