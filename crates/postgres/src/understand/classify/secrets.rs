//! Relations of the system that hold secrets, and whether a statement can read those columns.

use pg_query::protobuf as pb;
use tagout_core::effect::{Effect, Reversibility};

use super::super::name::Name;
use super::super::statement::Object;
use super::{Reading, When};

/// A relation with secrets that a statement reads.
pub(super) struct Found<'a> {
    name: Name,
    column: Option<&'static str>,
    relation: &'a pb::RangeVar,
}

/// Relations of `pg_catalog`, and the column that is secret.
const OF_THE_SYSTEM: [(&str, Option<&str>); 7] = [
    ("pg_authid", Some("rolpassword")),
    ("pg_shadow", Some("passwd")),
    ("pg_user_mapping", Some("umoptions")),
    ("pg_user_mappings", Some("umoptions")),
    ("pg_subscription", Some("subconninfo")),
    ("pg_hba_file_rules", None),
    ("pg_file_settings", None),
];

/// The same of other schemas.
const ELSEWHERE: [(&str, &str, Option<&str>); 6] = [
    ("information_schema", "user_mapping_options", None),
    ("information_schema", "_pg_user_mappings", None),
    ("vault", "decrypted_secrets", None),
    ("vault", "secrets", None),
    ("pgsodium", "key", None),
    ("pgsodium", "decrypted_key", None),
];

/// Whether `relation` holds secrets.
pub(super) fn within<'a>(name: &Name, relation: &'a pb::RangeVar) -> Option<Found<'a>> {
    let column = match &name.schema {
        Some(schema) if !name.may_be_systems() => ELSEWHERE
            .iter()
            .find(|(of, known, _)| of == schema && *known == name.name)
            .map(|(.., column)| *column),
        _ => OF_THE_SYSTEM
            .iter()
            .find(|(known, _)| *known == name.name)
            .map(|(_, column)| *column),
    }?;
    Some(Found {
        name: name.clone(),
        column,
        relation,
    })
}

impl Reading<'_> {
    /// Tells reads of secrets from reads of what stands beside them.
    pub(super) fn tell_secrets(&mut self) {
        for found in std::mem::take(&mut self.secretive) {
            let object = Object::new("table", found.name.clone());
            if self.can_see(&found) {
                let why = "reads a relation in which the server keeps secrets";
                self.act(Effect::SecretRead, object, Reversibility::Undoable, why);
            } else if self.when != When::Stored {
                self.act(Effect::Read, object, Reversibility::Undoable, "reads rows");
            }
        }
    }

    /// Whether the secret column can be among what is read: by its name, by `*`, as part of a whole row,
    /// or under another name.
    fn can_see(&self, found: &Found<'_>) -> bool {
        let Some(column) = found.column else {
            return true;
        };
        let alias = found.relation.alias.as_ref();
        let renames = alias.is_some_and(|alias| !alias.colnames.is_empty());
        let shown = alias.map_or(&found.relation.relname, |alias| &alias.aliasname);
        let whole = |path: &Vec<&str>| path.len() == 1 && path.first() == Some(&shown.as_str());
        let named = |path: &Vec<&str>| {
            let last = path.last().copied();
            last == Some("*") || last == Some(column)
        };
        renames || self.whole_rows || self.columns.iter().any(|path| whole(path) || named(path))
    }
}
