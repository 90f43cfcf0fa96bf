//! What concerns the session and its transactions.

use pg_query::protobuf as pb;
use pg_query::{Node, NodeEnum, NodeRef};
use tagout_core::effect::{Effect, Reversibility};

use super::super::name::Name;
use super::super::settings::{Given, setting};
use super::super::statement::Object;
use super::Reading;
use super::calls::reversibility;
use super::rows::{option_value, options};

impl<'a> Reading<'a> {
    /// Something that changes nothing beyond this session.
    pub(super) fn session(&mut self, kind: &'static str, why: &str) {
        self.act(
            Effect::Read,
            Object::all(kind),
            Reversibility::Undoable,
            why,
        );
    }

    pub(super) fn transaction(&mut self, transaction: &pb::TransactionStmt) {
        use pb::TransactionStmtKind as Kind;
        let (effect, reversibility, why) = match Kind::try_from(transaction.kind) {
            Ok(
                Kind::TransStmtBegin
                | Kind::TransStmtStart
                | Kind::TransStmtCommit
                | Kind::TransStmtRollback
                | Kind::TransStmtSavepoint
                | Kind::TransStmtRelease
                | Kind::TransStmtRollbackTo,
            ) => (
                Effect::Read,
                Reversibility::Undoable,
                "begins or ends a transaction or a part of one",
            ),
            Ok(Kind::TransStmtPrepare) => (
                Effect::Unknown,
                Reversibility::Unknown,
                "leaves a transaction open, with its locks, for any session to commit unmeasured",
            ),
            Ok(Kind::TransStmtCommitPrepared) => (
                Effect::Unknown,
                Reversibility::Unknown,
                "commits a transaction that was prepared elsewhere, and what is in it cannot be seen",
            ),
            Ok(Kind::TransStmtRollbackPrepared) => (
                Effect::Destroy,
                Reversibility::Irreversible,
                "throws away a transaction that was prepared to be committed",
            ),
            Ok(Kind::Undefined) | Err(_) => (
                Effect::Unknown,
                Reversibility::Unknown,
                "is a transaction command that we do not know",
            ),
        };
        self.act(effect, Object::all("transaction"), reversibility, why);
    }

    pub(super) fn set(&mut self, set: &'a pb::VariableSetStmt) {
        if set.kind == pb::VariableSetKind::VarResetAll as i32 {
            return self.session("setting", "sets everything as it was at the beginning");
        }
        for change in changes(set) {
            let (effect, why) = setting(&change.name, change.given());
            self.act(
                effect,
                setting_object(&change.name),
                reversibility(effect),
                why,
            );
        }
        self.parts(NodeRef::VariableSetStmt(set));
    }

    pub(super) fn execute(&mut self, node: NodeRef<'a>) {
        let prepared = Object::all("prepared_statement");
        let why = "runs what was prepared under that name, which is not in the text";
        self.act(Effect::Unknown, prepared, Reversibility::Unknown, why);
        self.parts(node);
    }

    /// A notification reaches sessions of the same database that listen, once it is committed, and
    /// nobody else: a change like another, which can't be called back.
    pub(super) fn notify(&mut self, notify: &pb::NotifyStmt) {
        let channel = Object::new("channel", Name::bare(&notify.conditionname));
        let why = "sends a message to the sessions that listen";
        self.act(Effect::Write, channel, Reversibility::Irreversible, why);
    }
}

/// A setting as an object; one of an extension has its name within that of the extension.
pub(super) fn setting_object(name: &str) -> Object {
    let name = match name.split_once('.') {
        Some((extension, name)) => Name::within(extension, name),
        None => Name::bare(name),
    };
    Object::new("setting", name)
}

/// One setting that a command changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// In lower case.
    pub(super) name: String,
    /// What it is set to; `None` for what the session began with.
    pub(super) value: Option<String>,
    /// Whether the value stands in the text.
    seen: bool,
}

impl Change {
    pub(super) fn given(&self) -> Given<'_> {
        match &self.value {
            Some(value) => Given::Text(value),
            None if self.seen => Given::Beginning,
            None => Given::Unseen,
        }
    }

    fn to_value(name: impl Into<String>, value: Option<String>) -> Self {
        let seen = value.is_some();
        Self {
            name: name.into(),
            value,
            seen,
        }
    }

    fn back(name: &str) -> Self {
        Self {
            name: name.to_lowercase(),
            value: None,
            seen: true,
        }
    }
}

/// Every setting that a `SET` or `RESET` names; `RESET ALL` names none.
pub(super) fn changes(set: &pb::VariableSetStmt) -> Vec<Change> {
    use pb::VariableSetKind as Kind;
    match Kind::try_from(set.kind) {
        Ok(Kind::VarSetValue) => {
            vec![Change::to_value(set.name.to_lowercase(), values(&set.args))]
        }
        Ok(Kind::VarSetDefault | Kind::VarReset) => vec![Change::back(&set.name)],
        Ok(Kind::VarSetMulti) => of_transactions(set),
        Ok(Kind::VarResetAll) => Vec::new(),
        // Only within the definition of a function: the value of the session that defines it.
        Ok(Kind::VarSetCurrent | Kind::Undefined) | Err(_) => {
            vec![Change::to_value(set.name.to_lowercase(), None)]
        }
    }
}

/// `SET TRANSACTION …`, `SET SESSION CHARACTERISTICS AS TRANSACTION …`.
fn of_transactions(set: &pb::VariableSetStmt) -> Vec<Change> {
    if set.name == "TRANSACTION SNAPSHOT" {
        return vec![Change::to_value("transaction_snapshot", values(&set.args))];
    }
    let lasting = if set.name == "TRANSACTION" {
        ""
    } else {
        "default_"
    };
    options(&set.args)
        .map(|option| Change::to_value(format!("{lasting}{}", option.defname), mode(option)))
        .collect()
}

/// The value of a transaction's mode; the grammar writes booleans as 0 and 1.
fn mode(option: &pb::DefElem) -> Option<String> {
    let value = match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
        Some(NodeEnum::AConst(constant)) => constant_text(constant),
        _ => option_value(option),
    }?;
    Some(match (option.defname.as_str(), value.as_str()) {
        ("transaction_read_only" | "transaction_deferrable", "1" | "true") => "on".to_owned(),
        ("transaction_read_only" | "transaction_deferrable", _) => "off".to_owned(),
        _ => value,
    })
}

/// The read-only mode that `BEGIN` names.
pub(super) fn read_only(transaction: &pb::TransactionStmt) -> Option<bool> {
    options(&transaction.options)
        .filter(|option| option.defname == "transaction_read_only")
        .filter_map(mode)
        .last()
        .map(|value| value == "on")
}

/// The values of a `SET` as one text; `None` if one of them can't be shown.
fn values(nodes: &[Node]) -> Option<String> {
    let texts: Option<Vec<String>> = nodes.iter().map(value).collect();
    texts.map(|texts| texts.join(", "))
}

fn value(node: &Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::AConst(constant)) => constant_text(constant),
        // `SET TIME ZONE INTERVAL '…'`.
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().and_then(value),
        _ => None,
    }
}

fn constant_text(constant: &pb::AConst) -> Option<String> {
    Some(match constant.val.as_ref()? {
        pb::a_const::Val::Sval(string) => string.sval.clone(),
        pb::a_const::Val::Ival(number) => number.ival.to_string(),
        pb::a_const::Val::Fval(number) => number.fval.clone(),
        pb::a_const::Val::Boolval(value) => value.boolval.to_string(),
        pb::a_const::Val::Bsval(bits) => bits.bsval.clone(),
    })
}
