//! What became of a commit whose answer was lost: the server knows, and is asked by the transaction's id.

use std::sync::Arc;
use std::time::Duration;

use tagout_core::ids::UpstreamName;
use tagout_core::permit::Clearance;
use tagout_core::pipeline::{Later, Outcome, Vault};

use crate::error::PostgresError;
use crate::sign_in::{Role, ServerAddress, connect};

/// How often a transaction that is still on its way is asked about, and how long is waited between.
const TRIES: usize = 20;
const BETWEEN: Duration = Duration::from_millis(250);

/// Gives leave to sign in once more.
pub(crate) type Leave = Box<dyn Fn() -> Option<Clearance> + Send + Sync>;

/// Asks a server what became of a transaction.
pub(crate) struct Settler {
    pub(crate) address: ServerAddress,
    pub(crate) upstream: UpstreamName,
    pub(crate) role: Role,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) leave: Leave,
}

impl Settler {
    /// The outcome of a commit that broke with `error`.
    pub(crate) fn settle<'a>(
        &'a self,
        xid: Option<u64>,
        error: &'a PostgresError,
    ) -> Later<'a, Outcome> {
        Box::pin(async move {
            let Some(xid) = xid else {
                return Outcome::Unknown(error.to_string());
            };
            for _ in 0..TRIES {
                match self.status(xid).await.as_deref() {
                    Some("committed") => {
                        return Outcome::Done(format!(
                            "committed as transaction {xid}; its answer was lost, and the server says so"
                        ));
                    }
                    Some("aborted") => {
                        return Outcome::Failed(format!(
                            "transaction {xid} was aborted; its answer was lost, and the server says so"
                        ));
                    }
                    _ => tokio::time::sleep(BETWEEN).await,
                }
            }
            Outcome::Unknown(format!(
                "{error}; transaction {xid} could not be asked about"
            ))
        })
    }

    async fn status(&self, xid: u64) -> Option<String> {
        let leave = (self.leave)()?;
        let vault = self.vault.as_ref();
        let connected = connect(&self.address, &self.upstream, &self.role, vault, leave).await;
        let mut backend = connected.ok()?;
        let sql = format!("SELECT pg_catalog.pg_xact_status('{xid}'::pg_catalog.xid8)");
        let rows = backend.ask(&sql).await.ok()?;
        rows.into_iter().next()?.into_iter().next()?
    }
}
