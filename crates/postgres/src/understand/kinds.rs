//! The kinds of things that commands name, and what becomes of data when one is dropped.

use pg_query::protobuf::ObjectType;
use tagout_core::effect::Reversibility::{self, Costly, Irreversible};

/// A kind of object, in our word and in PostgreSQL's command tags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// For resources: `table`.
    pub(super) word: &'static str,
    /// `DROP TABLE`.
    pub(super) drop: &'static str,
    /// `ALTER TABLE`.
    pub(super) alter: &'static str,
    /// What is lost when it is dropped by itself.
    pub(super) dropped: Lost,
}

/// What dropping something loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Rows, positions or secrets, which nothing brings back.
    Data,
    /// A definition that a migration can create again; its dependants hold no data either.
    Definition,
    /// A definition that columns can depend on: with `CASCADE` their data goes too.
    TypeOfColumns,
}

impl Lost {
    pub(super) const fn reversibility(self, cascade: bool) -> Reversibility {
        match (self, cascade) {
            (Self::Data, _) | (Self::TypeOfColumns, true) => Irreversible,
            (Self::Definition, _) | (Self::TypeOfColumns, false) => Costly,
        }
    }

    pub(super) const fn why(self, cascade: bool) -> &'static str {
        match (self, cascade) {
            (Self::Data, false) => "drops it with all its data",
            (Self::Data, true) => "drops it with all its data, and everything that depends on it",
            (Self::Definition | Self::TypeOfColumns, false) => "drops a definition",
            (Self::Definition, true) => "drops a definition and those that depend on it",
            (Self::TypeOfColumns, true) => {
                "drops a definition, and the columns that depend on it with their data"
            }
        }
    }
}

macro_rules! kind {
    ($word:literal, $tag:literal, $lost:ident) => {
        Kind {
            word: $word,
            drop: concat!("DROP ", $tag),
            alter: concat!("ALTER ", $tag),
            dropped: Lost::$lost,
        }
    };
}

/// What kind an object type of the grammar is. Without a wildcard: a new type has to be thought about.
pub(super) const fn kind(object: ObjectType) -> Kind {
    match object {
        // Without a type the grammar has told us nothing: take it for the worst.
        ObjectType::Undefined => kind!("object", "OBJECT", Data),
        ObjectType::ObjectTable => kind!("table", "TABLE", Data),
        ObjectType::ObjectColumn => kind!("table", "TABLE", Data),
        ObjectType::ObjectSchema => kind!("schema", "SCHEMA", Data),
        ObjectType::ObjectDatabase => kind!("database", "DATABASE", Data),
        ObjectType::ObjectTablespace => kind!("tablespace", "TABLESPACE", Data),
        ObjectType::ObjectExtension => kind!("extension", "EXTENSION", Data),
        ObjectType::ObjectSequence => kind!("sequence", "SEQUENCE", Data),
        ObjectType::ObjectLargeobject => kind!("large_object", "LARGE OBJECT", Data),
        ObjectType::ObjectSubscription => kind!("subscription", "SUBSCRIPTION", Data),
        ObjectType::ObjectRole => kind!("role", "ROLE", Data),
        ObjectType::ObjectUserMapping => kind!("user_mapping", "USER MAPPING", Data),
        // Its rows can be computed again.
        ObjectType::ObjectMatview => kind!("view", "MATERIALIZED VIEW", Definition),
        ObjectType::ObjectView => kind!("view", "VIEW", Definition),
        ObjectType::ObjectIndex => kind!("index", "INDEX", Definition),
        // Its rows are another server's.
        ObjectType::ObjectForeignTable => kind!("table", "FOREIGN TABLE", Definition),
        ObjectType::ObjectForeignServer => kind!("server", "SERVER", Definition),
        ObjectType::ObjectFdw => kind!("foreign_data_wrapper", "FOREIGN DATA WRAPPER", Definition),
        ObjectType::ObjectTrigger => kind!("trigger", "TRIGGER", Definition),
        ObjectType::ObjectEventTrigger => kind!("event_trigger", "EVENT TRIGGER", Definition),
        ObjectType::ObjectRule => kind!("rule", "RULE", Definition),
        ObjectType::ObjectPolicy => kind!("policy", "POLICY", Definition),
        ObjectType::ObjectPublication => kind!("publication", "PUBLICATION", Definition),
        ObjectType::ObjectPublicationNamespace => kind!("publication", "PUBLICATION", Definition),
        ObjectType::ObjectPublicationRel => kind!("publication", "PUBLICATION", Definition),
        ObjectType::ObjectStatisticExt => kind!("statistics", "STATISTICS", Definition),
        ObjectType::ObjectTabconstraint => kind!("table", "TABLE", Definition),
        ObjectType::ObjectDomconstraint => kind!("type", "DOMAIN", Definition),
        ObjectType::ObjectDefault => kind!("table", "TABLE", Definition),
        ObjectType::ObjectDefacl => kind!("role", "DEFAULT PRIVILEGES", Definition),
        ObjectType::ObjectParameterAcl => kind!("setting", "PARAMETER", Definition),
        ObjectType::ObjectAccessMethod => kind!("access_method", "ACCESS METHOD", Definition),
        ObjectType::ObjectAmop => kind!("operator", "OPERATOR FAMILY", Definition),
        ObjectType::ObjectAmproc => kind!("operator", "OPERATOR FAMILY", Definition),
        ObjectType::ObjectConversion => kind!("conversion", "CONVERSION", Definition),
        ObjectType::ObjectTransform => kind!("transform", "TRANSFORM", Definition),
        ObjectType::ObjectCast => kind!("cast", "CAST", TypeOfColumns),
        ObjectType::ObjectTsparser => kind!("text_search", "TEXT SEARCH PARSER", TypeOfColumns),
        ObjectType::ObjectTstemplate => {
            kind!("text_search", "TEXT SEARCH TEMPLATE", TypeOfColumns)
        }
        ObjectType::ObjectTsdictionary => {
            kind!("text_search", "TEXT SEARCH DICTIONARY", TypeOfColumns)
        }
        ObjectType::ObjectTsconfiguration => {
            kind!("text_search", "TEXT SEARCH CONFIGURATION", TypeOfColumns)
        }
        ObjectType::ObjectAttribute => kind!("type", "TYPE", Data),
        ObjectType::ObjectType => kind!("type", "TYPE", TypeOfColumns),
        ObjectType::ObjectDomain => kind!("type", "DOMAIN", TypeOfColumns),
        ObjectType::ObjectCollation => kind!("collation", "COLLATION", TypeOfColumns),
        ObjectType::ObjectLanguage => kind!("language", "LANGUAGE", TypeOfColumns),
        ObjectType::ObjectFunction => kind!("function", "FUNCTION", TypeOfColumns),
        ObjectType::ObjectProcedure => kind!("function", "PROCEDURE", TypeOfColumns),
        ObjectType::ObjectRoutine => kind!("function", "ROUTINE", TypeOfColumns),
        ObjectType::ObjectAggregate => kind!("function", "AGGREGATE", TypeOfColumns),
        ObjectType::ObjectOperator => kind!("operator", "OPERATOR", TypeOfColumns),
        ObjectType::ObjectOpclass => kind!("operator", "OPERATOR CLASS", TypeOfColumns),
        ObjectType::ObjectOpfamily => kind!("operator", "OPERATOR FAMILY", TypeOfColumns),
    }
}

/// The kind of the number that protobuf has for an object type; a number that we do not know is the worst.
pub(super) fn kind_of(number: i32) -> Kind {
    kind(ObjectType::try_from(number).unwrap_or(ObjectType::Undefined))
}
