//! What an operator asks about a database: whether it answers, as whom, and which places there are to label.

use tagout_core::environment::Place;
use tagout_core::ids::UpstreamName;
use tagout_core::permit::Errand;
use tagout_core::pipeline::Errands;
use tagout_core::untrusted::Untrusted;

use crate::catalog::ask::{Ask, AskError, Rows};
use crate::catalog::database::Database;
use crate::sign_in::{Backend, Role, ServerError, connect};
use crate::surface::{PostgresSurface, Registry};

/// The databases of a server that can be connected to.
const DATABASES: &str = "SELECT d.oid::pg_catalog.text, d.datname::pg_catalog.text \
    FROM pg_catalog.pg_database d WHERE d.datallowconn ORDER BY d.datname";

/// Whether the role could leave the transaction, whatever is measured in it.
const POWERS: &str = "SELECT r.rolsuper::pg_catalog.text, r.rolreplication::pg_catalog.text \
    FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER";

/// A session for look-ups only.
struct Looking(Backend);

impl Ask for Looking {
    fn rows<'a>(
        &'a mut self,
        sql: &'a str,
    ) -> tagout_core::pipeline::Later<'a, Result<Rows, AskError>> {
        Box::pin(async move {
            self.0.ask(sql).await.map_err(|error| match error {
                ServerError::Said { sqlstate, message } => AskError::Refused { sqlstate, message },
                _ => AskError::Lost,
            })
        })
    }
}

impl PostgresSurface {
    /// The databases of an upstream's server, for a person to label. `None` when the upstream is not there or
    /// could not be asked.
    pub async fn places(
        &self,
        upstream: &UpstreamName,
        errands: &dyn Errands,
    ) -> Option<Vec<Place>> {
        let registry = self.named(upstream.as_str())?;
        let mut looking = self.look(&registry, errands).await.ok()?;
        let own = Database::identify(&mut looking, &registry.endpoint.address())
            .await
            .ok()?;
        let rows = looking.rows(DATABASES).await.ok()?;
        let place = |row: Vec<Option<String>>| {
            let [oid, name] = <[Option<String>; 2]>::try_from(row).ok()?;
            let name = name?;
            let other = own.other(oid?.parse().ok()?, &name);
            Some(Place {
                project: Some(Untrusted::new(registry.endpoint.address())),
                ..other.place()
            })
        };
        rows.into_iter().map(place).collect()
    }

    /// Whether an upstream answers, and lets us in as somebody who can do no more than is needed.
    ///
    /// # Errors
    /// One line without any secret, with what to do.
    pub async fn probe(
        &self,
        upstream: &UpstreamName,
        errands: &dyn Errands,
    ) -> Result<(), String> {
        let registry = self.named(upstream.as_str());
        let registry = registry.ok_or_else(|| format!("no upstream `{upstream}`"))?;
        let mut looking = self.look(&registry, errands).await?;
        let rows = looking
            .rows(POWERS)
            .await
            .map_err(|error| error.to_string())?;
        let has = |at: usize| {
            let mut rows = rows.iter();
            rows.any(|row| row.get(at).and_then(Option::as_deref) == Some("true"))
        };
        let power = match (has(0), has(1)) {
            (true, _) => "a superuser",
            (false, true) => "a role with REPLICATION",
            (false, false) => return Ok(()),
        };
        Err(format!(
            "it answers, but `{}` is {power}, who can leave every transaction. Make a lesser role the upstream's: {}",
            registry.endpoint.role.escape_debug(),
            lesser_role(&registry)
        ))
    }

    async fn look(&self, registry: &Registry, errands: &dyn Errands) -> Result<Looking, String> {
        let name = &registry.upstream.name;
        let leave = errands
            .leave(name, Errand::SignIn)
            .map_err(|error| error.to_string())?;
        let role = Role {
            user: registry.endpoint.role.clone(),
            database: registry.endpoint.database.clone(),
            settings: Vec::new(),
            newest_minor: 0,
        };
        let connected = connect(&registry.address, name, &role, self.vault.as_ref(), leave).await;
        connected.map(Looking).map_err(|error| error.to_string())
    }
}

/// What an operator can run to have a role that owns what the application owns, and nothing more.
fn lesser_role(registry: &Registry) -> String {
    let database = registry.endpoint.database.replace('"', "\"\"");
    format!(
        "CREATE ROLE tagout_app LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION; \
         GRANT <the owner of the tables> TO tagout_app; GRANT CONNECT ON DATABASE \"{database}\" TO tagout_app"
    )
}
