//! The composition root: the parts put together.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tagout_core::pipeline::Pipeline;
use tagout_core::time::Clock;
use tagout_engine::{
    Engine, EngineVault, Faults, InstallationKey, KeyUse, Lane, Notify, Parts, Settings,
    kept_checkpoint,
};
use tagout_http::understand::Packs;
use tagout_http::{HttpAdapter, Reply, Surface};
use tagout_ledger::{Ledger, NoteSigner, Options};
use tagout_store::SqliteStore;

use crate::clock::SystemClock;

/// A gateway that is put together and not yet listening.
pub(crate) struct Gateway {
    pub(crate) engine: Arc<Engine>,
    pub(crate) lane: Arc<Lane<HttpAdapter>>,
    pub(crate) adapter: Arc<HttpAdapter>,
    pub(crate) store: Arc<SqliteStore>,
}

/// What a gateway is made from.
pub(crate) struct Plan<'a> {
    pub(crate) data: &'a Path,
    pub(crate) key: InstallationKey,
    pub(crate) settings: Settings,
    pub(crate) notify: Arc<dyn Notify>,
    pub(crate) faults: Faults,
}

/// The name of an installation's log: its console's host and port. The log is bound to its name, so that a
/// console at another origin, which nobody accepted, has no log and does not start.
fn origin_of(settings: &Settings) -> String {
    let authority = settings.origin.split("://").nth(1);
    format!("{}/tagout", authority.unwrap_or(&settings.rp_id))
}

/// The signer of an installation's ledger.
pub(crate) fn signer(key: &InstallationKey, settings: &Settings) -> anyhow::Result<NoteSigner> {
    let seed = key.derive(KeyUse::Ledger);
    Ok(NoteSigner::from_seed(&origin_of(settings), seed.bytes())?)
}

impl Gateway {
    pub(crate) async fn assemble(plan: Plan<'_>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(plan.data)
            .with_context(|| format!("can't create `{}`", plan.data.display()))?;
        let store = SqliteStore::open(&plan.data.join("tagout.sqlite"))?;
        let store = Arc::new(store);
        let signer = signer(&plan.key, &plan.settings)?;
        let mut options = Options::new(plan.data.join("ledger"), signer);
        let known = options.signer.verifier();
        options.must_extend = kept_checkpoint(store.as_ref(), known).await?;
        let opened = Ledger::open(options);
        let (ledger, _recovery) = opened
            .context("the ledger can't be opened; `console.url` and `key` are fixed at `init`")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let engine = Engine::start(Parts {
            store: Arc::clone(&store) as Arc<_>,
            ledger,
            clock,
            key: plan.key.clone(),
            notify: plan.notify,
            settings: plan.settings,
            faults: plan.faults,
        })
        .await?;
        let vault = EngineVault::new(Arc::clone(&engine), plan.key.derive(KeyUse::Vault));
        let packs = Packs::built_in().map_err(|error| anyhow!("the packs don't load: {error}"))?;
        let adapter = HttpAdapter::new(packs, Arc::new(vault));
        let adapter = Arc::new(adapter.map_err(|error| anyhow!("the packs don't load: {error}"))?);
        let lane = Arc::new(Lane::new(Arc::clone(&engine), Arc::clone(&adapter)));
        let gateway = Self {
            engine,
            lane,
            adapter,
            store,
        };
        gateway.configure();
        Ok(gateway)
    }

    /// Tells the protocols which upstreams are in force.
    pub(crate) fn configure(&self) {
        for error in self.adapter.configure(self.engine.upstreams()) {
            tracing::error!(%error, "an upstream is not served");
        }
    }

    /// What agents' listeners serve.
    pub(crate) fn surface(&self) -> Surface {
        let pipeline: Arc<dyn Pipeline<Reply>> = Arc::clone(&self.lane) as Arc<_>;
        Surface::new(pipeline, Arc::clone(&self.adapter))
    }
}
