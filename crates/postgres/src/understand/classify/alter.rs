//! Changes of what is there. `ALTER TABLE` is judged by each of its sub-commands.

use pg_query::protobuf as pb;
use pg_query::{NodeEnum, NodeRef};
use tagout_core::effect::{Effect, Reversibility};

use super::super::kinds::kind_of;
use super::super::name::{Name, text};
use super::super::statement::{Act, Object, Usage};
use super::Reading;
use super::rows::options;

type Judged = (Effect, Reversibility, &'static str);

const CHANGES: Judged = (
    Effect::Write,
    Reversibility::Costly,
    "changes the structure",
);
const ADDS: Judged = (
    Effect::Write,
    Reversibility::Costly,
    "adds to the structure",
);
const SWITCHES_OFF: Judged = (
    Effect::Unprotect,
    Reversibility::Costly,
    "keeps triggers or rules of the table from firing",
);
const SHOWS_ALL_ROWS: Judged = (
    Effect::Unprotect,
    Reversibility::Costly,
    "takes the policies that guard rows out of force",
);
const DROPS_GUARD: Judged = (Effect::Destroy, Reversibility::Costly, "drops a constraint");
const LEAVES_PARENT: Judged = (
    Effect::Destroy,
    Reversibility::Costly,
    "takes a partition, with its rows, out of the table",
);
const CASTS_VALUES: Judged = (
    Effect::Destroy,
    Reversibility::Irreversible,
    "turns a column's values into another type; what that type cannot hold is gone",
);
const RENAMES: Judged = (
    Effect::Disrupt,
    Reversibility::Costly,
    "whatever uses the name that it had fails",
);

impl<'a> Reading<'a> {
    pub(super) fn alter_table(&mut self, alter: &'a pb::AlterTableStmt) {
        let name = alter.relation.as_ref().map(Name::of_relation);
        if let Some(name) = &name {
            self.mention(name.clone(), Usage::Define);
        }
        let kind = kind_of(alter.objtype).word;
        let commands = alter.cmds.iter().filter_map(|each| match &each.node {
            Some(NodeEnum::AlterTableCmd(command)) => Some(command),
            _ => None,
        });
        for command in commands {
            let (effect, reversibility, why) = sub_command(command);
            self.push(Act {
                effect,
                object: Object {
                    kind,
                    name: name.clone(),
                },
                why: why.to_owned(),
                reversibility,
                marks: Vec::new(),
                cascade: command.behavior == pb::DropBehavior::DropCascade as i32,
            });
        }
        self.parts_stored(NodeRef::AlterTableStmt(alter), alter.relation.as_ref());
    }

    pub(super) fn alter_domain(&mut self, alter: &'a pb::AlterDomainStmt) {
        // `X` drops a constraint (gram.y, AlterDomainStmt); the rest adds or relaxes.
        let (effect, reversibility, why) = if alter.subtype == "X" {
            DROPS_GUARD
        } else {
            CHANGES
        };
        let object = Object {
            kind: "type",
            name: Name::from_nodes(&alter.type_name),
        };
        self.act(effect, object, reversibility, why);
        self.parts_stored(NodeRef::AlterDomainStmt(alter), None);
    }

    /// A value that was added can't be removed again, nor used by those who do not know it.
    pub(super) fn alter_enum(&mut self, alter: &pb::AlterEnumStmt) {
        let (effect, reversibility, why) = if alter.old_val.is_empty() {
            ADDS
        } else {
            RENAMES
        };
        let object = Object {
            kind: "type",
            name: Name::from_nodes(&alter.type_name),
        };
        self.act(effect, object, reversibility, why);
    }

    pub(super) fn alter_sequence(&mut self, alter: &'a pb::AlterSeqStmt) {
        let name = alter.sequence.as_ref().map(Name::of_relation);
        if let Some(name) = &name {
            self.mention(name.clone(), Usage::Define);
        }
        let restarts = options(&alter.options).any(|option| option.defname == "restart");
        let (effect, reversibility, why) = if restarts {
            (
                Effect::Destroy,
                Reversibility::Costly,
                "the sequence's position is gone; numbers may be given out twice",
            )
        } else {
            CHANGES
        };
        self.act(
            effect,
            Object {
                kind: "sequence",
                name,
            },
            reversibility,
            why,
        );
        self.parts_stored(NodeRef::AlterSeqStmt(alter), alter.sequence.as_ref());
    }

    pub(super) fn rename(&mut self, rename: &'a pb::RenameStmt) {
        let kind = kind_of(rename.rename_type);
        let name = self.named(
            rename.relation.as_ref(),
            rename.object.as_deref(),
            &rename.subname,
        );
        let (effect, reversibility, why) = match kind.word {
            "role" => (
                Effect::Privilege,
                Reversibility::Costly,
                "renames a role, which may take its password",
            ),
            word if goes_unused(word, rename.rename_type) => CHANGES,
            _ => RENAMES,
        };
        self.act(
            effect,
            Object {
                kind: kind.word,
                name,
            },
            reversibility,
            why,
        );
        self.parts_stored(NodeRef::RenameStmt(rename), rename.relation.as_ref());
    }

    pub(super) fn change_schema(&mut self, alter: &'a pb::AlterObjectSchemaStmt) {
        let name = self.named(alter.relation.as_ref(), alter.object.as_deref(), "");
        let (effect, reversibility, why) = RENAMES;
        let object = Object {
            kind: kind_of(alter.object_type).word,
            name,
        };
        self.act(effect, object, reversibility, why);
        self.parts_stored(
            NodeRef::AlterObjectSchemaStmt(alter),
            alter.relation.as_ref(),
        );
    }

    pub(super) fn change_owner(&mut self, alter: &'a pb::AlterOwnerStmt) {
        let name = self.named(alter.relation.as_ref(), alter.object.as_deref(), "");
        let why = "gives it another owner";
        self.privilege(kind_of(alter.object_type).word, name, why);
        self.parts_stored(NodeRef::AlterOwnerStmt(alter), alter.relation.as_ref());
    }

    /// The name that a command has for what it changes.
    fn named(
        &mut self,
        relation: Option<&pb::RangeVar>,
        object: Option<&pg_query::Node>,
        other: &str,
    ) -> Option<Name> {
        if let Some(relation) = relation {
            let name = Name::of_relation(relation);
            self.mention(name.clone(), Usage::Define);
            return Some(name);
        }
        let object = object.and_then(object_name);
        object.or_else(|| super::super::name::non_empty(other).map(Name::bare))
    }
}

/// Whether nobody addresses such a thing by its name, so that renaming it breaks nothing.
fn goes_unused(word: &str, rename_type: i32) -> bool {
    let constraints = [
        pb::ObjectType::ObjectTabconstraint,
        pb::ObjectType::ObjectDomconstraint,
    ];
    [
        "index",
        "trigger",
        "rule",
        "policy",
        "statistics",
        "event_trigger",
    ]
    .contains(&word)
        || constraints.iter().any(|each| *each as i32 == rename_type)
}

/// The name in the several shapes that the grammar has for objects.
pub(super) fn object_name(node: &pg_query::Node) -> Option<Name> {
    match node.node.as_ref()? {
        NodeEnum::String(_) => text(node).map(Name::bare),
        NodeEnum::List(list) => Name::from_nodes(&list.items),
        NodeEnum::ObjectWithArgs(object) => Name::from_nodes(&object.objname),
        NodeEnum::TypeName(name) => Name::from_nodes(&name.names),
        NodeEnum::RangeVar(relation) => Some(Name::of_relation(relation)),
        _ => None,
    }
}

/// What one sub-command of ALTER TABLE does.
fn sub_command(command: &pb::AlterTableCmd) -> Judged {
    use pb::AlterTableType as Type;
    let Ok(subtype) = Type::try_from(command.subtype) else {
        return (
            Effect::Unknown,
            Reversibility::Unknown,
            "alters the table in a way that we do not know",
        );
    };
    match subtype {
        Type::AtAddColumn
        | Type::AtAddColumnToView
        | Type::AtAddIndex
        | Type::AtReAddIndex
        | Type::AtAddConstraint
        | Type::AtReAddConstraint
        | Type::AtReAddDomainConstraint
        | Type::AtAddIndexConstraint
        | Type::AtReAddComment
        | Type::AtReAddStatistics
        | Type::AtAddInherit
        | Type::AtAddOf
        | Type::AtAttachPartition
        | Type::AtAddIdentity => ADDS,
        Type::AtColumnDefault
        | Type::AtCookedColumnDefault
        | Type::AtDropNotNull
        | Type::AtSetNotNull
        | Type::AtDropExpression
        | Type::AtSetStatistics
        | Type::AtSetOptions
        | Type::AtResetOptions
        | Type::AtSetStorage
        | Type::AtSetCompression
        | Type::AtValidateConstraint
        | Type::AtClusterOn
        | Type::AtDropCluster
        | Type::AtSetLogged
        | Type::AtDropOids
        | Type::AtSetAccessMethod
        | Type::AtSetTableSpace
        | Type::AtEnableTrig
        | Type::AtEnableAlwaysTrig
        | Type::AtEnableTrigAll
        | Type::AtEnableTrigUser
        | Type::AtEnableRule
        | Type::AtEnableAlwaysRule
        | Type::AtDropInherit
        | Type::AtDropOf
        | Type::AtReplicaIdentity
        | Type::AtEnableRowSecurity
        | Type::AtForceRowSecurity => CHANGES,
        Type::AtSetIdentity => identity(command),
        Type::AtSetExpression => (
            Effect::Write,
            Reversibility::Costly,
            "computes a generated column anew",
        ),
        Type::AtAlterConstraint => constraint_change(command),
        Type::AtSetRelOptions | Type::AtResetRelOptions | Type::AtReplaceRelOptions => {
            storage_options(command)
        }
        Type::AtDropColumn => (
            Effect::Destroy,
            Reversibility::Irreversible,
            "drops a column with its data",
        ),
        Type::AtDropIdentity => (
            Effect::Destroy,
            Reversibility::Costly,
            "drops the sequence behind a column, and its position",
        ),
        Type::AtDropConstraint => DROPS_GUARD,
        Type::AtAlterColumnType => column_type(command),
        Type::AtChangeOwner => (
            Effect::Privilege,
            Reversibility::Costly,
            "gives it another owner",
        ),
        Type::AtSetUnLogged => (
            Effect::Unprotect,
            Reversibility::Costly,
            "takes the table out of the server's log: a crash empties it, and no replica has it",
        ),
        // A trigger or rule that fires on replicas only does not fire here.
        Type::AtDisableTrig
        | Type::AtDisableTrigAll
        | Type::AtDisableTrigUser
        | Type::AtEnableReplicaTrig
        | Type::AtDisableRule
        | Type::AtEnableReplicaRule => SWITCHES_OFF,
        Type::AtDisableRowSecurity | Type::AtNoForceRowSecurity => SHOWS_ALL_ROWS,
        Type::AtDetachPartition | Type::AtDetachPartitionFinalize => LEAVES_PARENT,
        Type::AtGenericOptions | Type::AtAlterColumnGenericOptions => (
            Effect::Opaque,
            Reversibility::Costly,
            "changes which table of another server is meant",
        ),
        Type::Undefined => (
            Effect::Unknown,
            Reversibility::Unknown,
            "alters the table in a way that we do not know",
        ),
    }
}

/// Without `USING`, every type turns into text of any length without a loss. All else depends on what the
/// column is now, which the text does not say: `numeric` to `integer` rounds, `timestamptz` to `date` cuts.
fn column_type(command: &pb::AlterTableCmd) -> Judged {
    let definition = command.def.as_ref().and_then(|def| def.node.as_ref());
    let Some(NodeEnum::ColumnDef(column)) = definition else {
        return CASTS_VALUES;
    };
    let holds_anything = column.type_name.as_ref().is_some_and(|name| {
        let word = name.names.last().and_then(text).unwrap_or_default();
        let plain = name.typmods.is_empty() && name.array_bounds.is_empty();
        let system = Name::from_nodes(&name.names).is_some_and(|name| name.may_be_systems());
        plain && system && ["text", "varchar"].contains(&word)
    });
    if holds_anything && column.raw_default.is_none() {
        return (
            Effect::Write,
            Reversibility::Costly,
            "turns a column's values into text",
        );
    }
    CASTS_VALUES
}

fn constraint_change(command: &pb::AlterTableCmd) -> Judged {
    match command.def.as_ref().and_then(|def| def.node.as_ref()) {
        Some(NodeEnum::AtalterConstraint(change))
            if change.alter_enforceability && !change.is_enforced =>
        {
            (
                Effect::Unprotect,
                Reversibility::Costly,
                "keeps a constraint from being enforced",
            )
        }
        _ => CHANGES,
    }
}

fn identity(command: &pb::AlterTableCmd) -> Judged {
    let list = command.def.as_ref().and_then(|def| def.node.as_ref());
    match list {
        Some(NodeEnum::List(list))
            if options(&list.items).any(|each| each.defname == "restart") =>
        {
            (
                Effect::Destroy,
                Reversibility::Costly,
                "the sequence's position is gone; numbers may be given out twice",
            )
        }
        _ => CHANGES,
    }
}

/// Options of a view decide whose rights it reads with.
fn storage_options(command: &pb::AlterTableCmd) -> Judged {
    let list = command.def.as_ref().and_then(|def| def.node.as_ref());
    match list {
        Some(NodeEnum::List(list))
            if options(&list.items).any(|each| each.defname.starts_with("security_")) =>
        {
            (
                Effect::Unprotect,
                Reversibility::Costly,
                "changes with whose rights a view reads",
            )
        }
        _ => CHANGES,
    }
}
