//! What a statement really reaches, as far as a catalog can tell.

use std::collections::{BTreeMap, BTreeSet};

use tagout_core::effect::{Effect, Reversibility};
use tagout_core::resource::Resource;
use tagout_core::untrusted::Untrusted;

use crate::understand::statement::{Name, Usage};

/// Everything that a statement reaches beyond its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    /// Effects beyond those in the statement's text.
    pub effects: Vec<Added>,
    /// Every relation that it reaches, by OID.
    pub relations: BTreeMap<u32, Reached>,
    /// Foreign keys through which rows of other tables go or change as well.
    pub cascades: BTreeSet<Cascade>,
    /// Relations that go because they depend on what is dropped, with the reason.
    pub dependants: BTreeMap<u32, String>,
    /// What the names in the text mean; `None` for what is not there.
    pub names: BTreeMap<Name, Option<u32>>,
    /// Databases that the statement names, with their OIDs.
    pub databases: BTreeMap<String, Option<u32>>,
    /// The schema in which new objects without a schema are made.
    pub creates_in: Option<String>,
    /// Everything that it reaches was looked into and only observes.
    pub reads_only: bool,
    /// It runs code whose effect is only seen when it runs. Measure every table, not only those here.
    pub open: bool,
    /// Why it can't be tried and measured: something in it reaches where no rollback does.
    pub outside: Option<String>,
}

/// An effect that the catalog adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// What happens.
    pub effect: Effect,
    /// To what.
    pub resource: Resource,
    /// How it comes about, for a person.
    pub why: String,
    /// Whether it can be taken back once it is committed.
    pub reversibility: Reversibility,
    /// A rollback takes it back and measuring shows it: it may be tried.
    pub transactional: bool,
    /// Where it happens: this database, or somewhere that we can't look into.
    pub elsewhere: bool,
}

/// A relation that is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Its OID, which is what an approval is bound to.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// How it is used.
    pub usages: BTreeSet<Usage>,
    /// Named by the statement itself.
    pub named: bool,
    /// Rows, as the server last estimated; `None` if it never did.
    pub rows: Option<u64>,
    /// Bytes, as the server last saw.
    pub bytes: u64,
}

/// Rows of `child` that go, or change, with rows of `parent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cascade {
    /// The table that a foreign key points to.
    pub parent: u32,
    /// The table that has the foreign key.
    pub child: u32,
    /// What becomes of its rows: `Delete`, `Update`, `Truncate`.
    pub usage: Usage,
}

/// What a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RelationKind {
    /// A table with rows of its own.
    Table,
    /// A table whose rows are in partitions.
    Partitioned,
    /// A view.
    View,
    /// A view with rows of its own.
    MaterializedView,
    /// A table on another server.
    Foreign,
    /// A sequence.
    Sequence,
    /// An index.
    Index,
    /// A row type, or out-of-line storage.
    Other,
}

impl RelationKind {
    /// From `relkind`.
    #[must_use]
    pub const fn of(relkind: char) -> Self {
        match relkind {
            'r' => Self::Table,
            'p' => Self::Partitioned,
            'v' => Self::View,
            'm' => Self::MaterializedView,
            'f' => Self::Foreign,
            'S' => Self::Sequence,
            'i' | 'I' => Self::Index,
            _ => Self::Other,
        }
    }

    /// The kind of resource that it is.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Table | Self::Partitioned | Self::Foreign => "table",
            Self::View | Self::MaterializedView => "view",
            Self::Sequence => "sequence",
            Self::Index => "index",
            Self::Other => "relation",
        }
    }

    /// Whether rows are kept in it.
    #[must_use]
    pub const fn has_rows(self) -> bool {
        matches!(
            self,
            Self::Table | Self::Partitioned | Self::MaterializedView
        )
    }
}

impl Reached {
    /// `table:public.users`.
    #[must_use]
    pub fn resource(&self) -> Resource {
        resource(self.kind.word(), &self.schema, &self.name)
    }
}

impl Closure {
    /// What could not be looked into: it may be anything, and must not be tried.
    #[must_use]
    pub fn unknown(why: &str) -> Self {
        Self {
            effects: vec![Added {
                effect: Effect::Unknown,
                resource: Resource::anything(),
                why: why.to_owned(),
                reversibility: Reversibility::Unknown,
                transactional: false,
                elsewhere: true,
            }],
            open: true,
            outside: Some(why.to_owned()),
            ..Self::default()
        }
    }

    /// The tables that it may change, for measuring.
    pub fn changeable(&self) -> impl Iterator<Item = &Reached> {
        let changes = |usage: &Usage| !matches!(usage, Usage::Select);
        let relations = self.relations.values();
        relations.filter(move |it| it.kind.has_rows() && it.usages.iter().any(changes))
    }

    /// What goes with what is dropped, as effects: known when all relations are.
    pub(super) fn add_dependants(&mut self) {
        let dependants = std::mem::take(&mut self.dependants);
        for (oid, why) in &dependants {
            if let Some(reached) = self.relations.get(oid) {
                let added = Added {
                    effect: Effect::Destroy,
                    resource: reached.resource(),
                    why: why.clone(),
                    reversibility: Reversibility::Unknown,
                    transactional: true,
                    elsewhere: false,
                };
                self.add(added);
            }
        }
        self.dependants = dependants;
    }

    /// What cascades do, as effects: known when all tables are.
    pub(super) fn add_cascades(&mut self) {
        let cascades = std::mem::take(&mut self.cascades);
        for cascade in &cascades {
            let tables = (
                self.relations.get(&cascade.parent),
                self.relations.get(&cascade.child),
            );
            if let (Some(parent), Some(child)) = tables {
                let added = cascaded(parent, child, cascade.usage);
                self.add(added);
            }
        }
        self.cascades = cascades;
    }

    /// Notes an effect once.
    pub(super) fn add(&mut self, added: Added) {
        let same = |other: &Added| {
            (other.effect, &other.resource, other.transactional)
                == (added.effect, &added.resource, added.transactional)
        };
        if !self.effects.iter().any(same) {
            self.effects.push(added);
        }
    }

    /// Notes that something in it can't be tried.
    pub(super) fn leaves(&mut self, why: String) {
        self.outside.get_or_insert(why);
    }
}

fn cascaded(parent: &Reached, child: &Reached, usage: Usage) -> Added {
    let goes = matches!(usage, Usage::Delete | Usage::Truncate);
    let becomes = if goes { "go" } else { "change" };
    Added {
        effect: if goes { Effect::Destroy } else { Effect::Write },
        resource: child.resource(),
        why: format!(
            "its rows {becomes} with those of {} that they point to",
            shown(&parent.schema, &parent.name)
        ),
        reversibility: Reversibility::Unknown,
        transactional: true,
        elsewhere: false,
    }
}

/// `kind:schema.name`.
pub(super) fn resource(kind: &str, schema: &str, name: &str) -> Resource {
    Resource::new(kind, format!("{schema}.{name}"))
}

/// A name from the catalog in a sentence of ours, escaped.
pub(super) fn shown(schema: &str, name: &str) -> String {
    format!("`{}`", Untrusted::new(format!("{schema}.{name}")))
}
