//! Where a session stands: what its names mean and what its role may do.

use serde::Deserialize;

use super::ask::{Ask, AskError, objects};

/// What decides how names are resolved, and what may be reached by building SQL at run time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct Here {
    /// The role that statements run as.
    pub role: String,
    /// The schemas in which names are looked for, in order, those included that PostgreSQL adds itself.
    pub schemas: Vec<String>,
    /// This session's schema for temporary objects, once it has one.
    pub temporary: Option<String>,
    /// The schema in which new objects are made.
    pub creates_in: Option<String>,
    /// Whether SQL that is run with this session's rights could leave the transaction: run programs, write
    /// files.
    pub powerful: bool,
}

impl Here {
    /// Asks the session itself: its settings may have been changed by what it ran.
    pub(super) async fn ask(ask: &mut dyn Ask) -> Result<Self, AskError> {
        let mut rows = objects(ask, QUESTION).await?;
        rows.pop()
            .ok_or_else(|| AskError::Unreadable("no row".to_owned()))
    }

    /// A schema's own name, where `pg_temp` stands for this session's.
    pub(super) fn schema<'a>(&'a self, written: &'a str) -> &'a str {
        match (&self.temporary, written) {
            (Some(temporary), "pg_temp") => temporary,
            _ => written,
        }
    }

    /// The path along which functions and operators are looked for.
    pub(super) fn without_temporary(&self) -> impl Iterator<Item = &str> {
        let schemas = self.schemas.iter().map(String::as_str);
        schemas.filter(|schema| self.temporary.as_deref() != Some(*schema))
    }
}

/// `session_user` counts as well: a function may go back to it.
const QUESTION: &str = "SELECT pg_catalog.json_build_object('role', CURRENT_USER, \
    'schemas', pg_catalog.current_schemas(true), \
    'temporary', (SELECT n.nspname FROM pg_catalog.pg_namespace n \
    WHERE n.oid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()), \
    'creates_in', pg_catalog.current_schema(), \
    'powerful', COALESCE((SELECT pg_catalog.bool_or(r.rolsuper \
    OR pg_catalog.pg_has_role(r.oid, '4571'::pg_catalog.oid, 'MEMBER') \
    OR pg_catalog.pg_has_role(r.oid, '4570'::pg_catalog.oid, 'MEMBER')) FROM pg_catalog.pg_roles r \
    WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER \
    OR r.rolname OPERATOR(pg_catalog.=) SESSION_USER), true))::pg_catalog.text";
