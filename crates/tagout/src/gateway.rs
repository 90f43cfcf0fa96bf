//! The composition root: the parts put together.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tagout_core::ids::UpstreamName;
use tagout_core::pipeline::Pipeline;
use tagout_core::proposal::Upstream;
use tagout_core::session::Sessions;
use tagout_core::time::Clock;
use tagout_engine::{
    Engine, EngineVault, Faults, InstallationKey, KeyUse, Lane, Notify, Parts, Settings,
    kept_checkpoint,
};
use tagout_http::understand::Packs;
use tagout_http::{HttpAdapter, Reply, Surface};
use tagout_ledger::{Ledger, NoteSigner, Options};
use tagout_postgres::sign_in::AgentTls;
use tagout_postgres::understand::{Limits, Reader};
use tagout_postgres::{Committed, Opener, PostgresSurface, SessionAdapter, strip_scheme};
use tagout_store::SqliteStore;

use crate::clock::SystemClock;

/// A gateway that is put together and not yet listening.
pub(crate) struct Gateway {
    pub(crate) engine: Arc<Engine>,
    pub(crate) lane: Arc<Lane<HttpAdapter>>,
    pub(crate) adapter: Arc<HttpAdapter>,
    pub(crate) postgres: Arc<PostgresSurface>,
    pub(crate) store: Arc<SqliteStore>,
}

/// Opens a lane for each session.
struct Lanes(Arc<Engine>);

impl Opener for Lanes {
    fn open(&self, adapter: Arc<SessionAdapter>) -> Arc<dyn Sessions<Committed>> {
        Arc::new(Lane::new(Arc::clone(&self.0), adapter))
    }

    fn door(&self) -> Arc<dyn Sessions<Committed>> {
        Arc::new(Lane::new(
            Arc::clone(&self.0),
            Arc::new(tagout_postgres::AtTheDoor),
        ))
    }
}

/// What a gateway is made from.
pub(crate) struct Plan<'a> {
    pub(crate) data: &'a Path,
    pub(crate) key: InstallationKey,
    pub(crate) settings: Settings,
    pub(crate) notify: Arc<dyn Notify>,
    pub(crate) faults: Faults,
    /// What agents' databases are encrypted with.
    pub(crate) agents_tls: Option<AgentTls>,
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
        let vault = Arc::new(vault);
        let reader = Reader::start(Limits::default()).context("no threads for reading SQL")?;
        let postgres = PostgresSurface::new(
            Arc::new(Lanes(Arc::clone(&engine))),
            Arc::clone(&vault) as Arc<_>,
            plan.agents_tls,
            Arc::new(reader),
        )?;
        let packs = Packs::built_in().map_err(|error| anyhow!("the packs don't load: {error}"))?;
        let adapter = HttpAdapter::new(packs, vault);
        let adapter = Arc::new(adapter.map_err(|error| anyhow!("the packs don't load: {error}"))?);
        let lane = Arc::new(Lane::new(Arc::clone(&engine), Arc::clone(&adapter)));
        let gateway = Self {
            engine,
            lane,
            adapter,
            postgres: Arc::new(postgres),
            store,
        };
        gateway.configure();
        Ok(gateway)
    }

    /// Tells the protocols which upstreams are in force.
    pub(crate) fn configure(&self) {
        let upstreams = self.engine.upstreams();
        for error in self.postgres.configure(&upstreams) {
            tracing::error!(%error, "a database is not served");
        }
        let is_database = |upstream: &Upstream| strip_scheme(&upstream.url).is_some();
        let others = upstreams.into_iter().filter(|it| !is_database(it));
        for error in self.adapter.configure(others.collect()) {
            tracing::error!(%error, "an upstream is not served");
        }
    }

    /// Whether an upstream in force is a database.
    pub(crate) fn is_database(&self, name: &UpstreamName) -> bool {
        let upstreams = self.engine.upstreams();
        let mut named = upstreams.iter().filter(|it| &it.name == name);
        named.any(|it| strip_scheme(&it.url).is_some())
    }

    /// What agents' listeners serve.
    pub(crate) fn surface(&self) -> Surface {
        let pipeline: Arc<dyn Pipeline<Reply>> = Arc::clone(&self.lane) as Arc<_>;
        Surface::new(pipeline, Arc::clone(&self.adapter))
    }
}
