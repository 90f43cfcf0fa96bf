//! Which database a session is in: the identity that a person's label is bound to. A name is not one, and
//! neither is an address: the same server can have many.

use serde::Deserialize;
use tagout_core::environment::Place;
use tagout_core::resolved::{Fact, Provenance};
use tagout_core::untrusted::Untrusted;

use super::ask::{Ask, AskError, objects};
use super::quote::EQ;

/// A database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Of the cluster: its system identifier, or, where that can't be asked for, the authenticated endpoint.
    cluster: String,
    /// Whether [`Self::cluster`] is only the endpoint.
    by_endpoint: bool,
    /// Its OID, which renaming does not change.
    pub oid: u32,
    /// Its name.
    pub name: String,
}

#[derive(Deserialize)]
struct Asked {
    name: String,
    oid: u32,
    may_ask: bool,
}

impl Database {
    /// Asks a new session. `endpoint` is `host:port`, as the server's identity was checked.
    ///
    /// # Errors
    /// When the session can't be asked.
    pub async fn identify(ask: &mut dyn Ask, endpoint: &str) -> Result<Self, AskError> {
        let sql = format!(
            "SELECT pg_catalog.json_build_object('name', d.datname, 'oid', d.oid::pg_catalog.int8, \
             'may_ask', pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE'))\
             ::pg_catalog.text FROM pg_catalog.pg_database d \
             WHERE d.datname {EQ} pg_catalog.current_database()"
        );
        let asked: Option<Asked> = objects(ask, &sql).await?.pop();
        let asked = asked.ok_or_else(|| AskError::Unreadable("no database".to_owned()))?;
        let identifier = if asked.may_ask {
            system_identifier(ask).await?
        } else {
            None
        };
        Ok(Self {
            by_endpoint: identifier.is_none(),
            cluster: identifier.unwrap_or_else(|| endpoint.to_owned()),
            oid: asked.oid,
            name: asked.name,
        })
    }

    /// Another database of the same cluster.
    #[must_use]
    pub fn other(&self, oid: u32, name: &str) -> Self {
        Self {
            oid,
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// `<system identifier>/<oid>`, or `<host:port>/<oid>`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.cluster, self.oid)
    }

    /// Where things in it live.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            id: self.id(),
            name: Untrusted::from(self.name.as_str()),
            project: None,
            ephemeral: false,
        }
    }

    /// What a person should know of the identity.
    #[must_use]
    pub fn fact(&self) -> Option<Fact> {
        self.by_endpoint.then(|| Fact {
            label: "database".to_owned(),
            value: Untrusted::from(
                "known by its address only: this role may not ask for the system identifier",
            ),
            provenance: Provenance::Resolved,
        })
    }
}

async fn system_identifier(ask: &mut dyn Ask) -> Result<Option<String>, AskError> {
    let sql = "SELECT s.system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system() s";
    let rows = ask.rows(sql).await?;
    Ok(rows.into_iter().flatten().flatten().next())
}
