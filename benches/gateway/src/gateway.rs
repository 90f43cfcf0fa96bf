//! The gateway as a process of its own: put together as the product is, with a listener for each step
//! and mode.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use tagout_core::pipeline::Pipeline;
use tagout_core::rights::Rights;
use tagout_core::time::Clock;
use tagout_engine::{
    Engine, EngineVault, Faults, InstallationKey, KeyUse, Lane, Parts, Rate, Settings, Silent,
};
use tagout_http::understand::Packs;
use tagout_http::{
    Authority, HttpAdapter, Reply, Stop, Surface, serve_forward, serve_reverse, stop_signal,
};
use tagout_ledger::{Ledger, NoteSigner, Options};
use tagout_policy::{Asker, PolicySet};
use tagout_store::SqliteStore;
use tokio::net::TcpListener;

use crate::authority;
use crate::certificates::Certificates;
use crate::clock::SystemClock;
use crate::steps::{Deciding, Depth, Partial};

/// How often what has expired or come due is looked for; as in the product.
const TICK: Duration = Duration::from_millis(250);

/// What the gateway says of itself when it is ready, as one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// The agent's token.
    pub(crate) token: String,
    pub(crate) pass_through: Ports,
    pub(crate) decided: Ports,
    pub(crate) whole: Ports,
}

/// The listeners of one step.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) reverse: u16,
    pub(crate) forward: u16,
}

struct Gateway {
    engine: Arc<Engine>,
    lane: Arc<Lane<HttpAdapter>>,
    adapter: Arc<HttpAdapter>,
}

/// Listens for one pipeline after the other.
struct Listening<'a> {
    gateway: &'a Gateway,
    certificates: Certificates,
    authority: Arc<Authority>,
    stop: Stop,
}

/// Serves until standard input ends.
pub(crate) fn run(folder: &Path, graphql_port: u16, rest_port: u16) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(folder, (graphql_port, rest_port)))
}

async fn serve(folder: &Path, ports: (u16, u16)) -> anyhow::Result<()> {
    let gateway = assemble(folder, ports).await?;
    let (_handle, stop) = stop_signal();
    let listening = Listening {
        gateway: &gateway,
        certificates: Certificates::in_folder(folder),
        authority: stand_in(folder, &gateway.adapter)?,
        stop,
    };
    let token = gateway.engine.token(&authority::connection());
    let ready = Ready {
        token: token.context("the connection is not in force")?,
        pass_through: listening.with(gateway.partial(Depth::PassThrough)).await?,
        decided: listening.with(gateway.partial(deciding()?)).await?,
        whole: listening.with(Arc::clone(&gateway.lane) as Arc<_>).await?,
    };
    println!("{}", serde_json::to_string(&ready)?);
    std::io::stdout().flush()?;
    tokio::select! {
        () = upkeep(&gateway) => {}
        _ = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])) => {}
    }
    Ok(())
}

async fn assemble(folder: &Path, ports: (u16, u16)) -> anyhow::Result<Gateway> {
    let key = InstallationKey::new([7; 32]);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock(Instant::now()));
    let store = SqliteStore::open(&folder.join("tagout.sqlite"))?;
    let certificates = Certificates::in_folder(folder);
    authority::set_up(&store, clock.as_ref(), ports, &certificates.authority).await?;
    let signer = NoteSigner::from_seed("localhost/tagout", key.derive(KeyUse::Ledger).bytes())?;
    let (ledger, _) = Ledger::open(Options::new(folder.join("ledger"), signer))?;
    let parts = Parts {
        store: Arc::new(store),
        ledger,
        clock,
        key: key.clone(),
        notify: Arc::new(Silent),
        settings: settings(),
        faults: Faults::None,
    };
    let engine = Engine::start(parts).await?;
    let vault = EngineVault::new(Arc::clone(&engine), key.derive(KeyUse::Vault));
    let adapter = Arc::new(HttpAdapter::new(Packs::built_in()?, Arc::new(vault))?);
    if let Some(error) = adapter.configure(engine.upstreams()).first() {
        return Err(anyhow!("{error}"));
    }
    let lane = Arc::new(Lane::new(Arc::clone(&engine), Arc::clone(&adapter)));
    Ok(Gateway {
        engine,
        lane,
        adapter,
    })
}

/// As shipped, but for the number of attempts that one connection may make: shipped, that is a
/// thousand a second, which is what would be measured.
fn settings() -> Settings {
    let mut settings = Settings::new("localhost", "http://localhost:1");
    settings.attempts = Rate {
        burst: 1_000_000,
        per_second: 1_000_000,
    };
    settings
}

/// The authority of the forward proxy, its certificate beside the others.
fn stand_in(folder: &Path, adapter: &HttpAdapter) -> anyhow::Result<Arc<Authority>> {
    let key = Authority::generate_key()?;
    let certificate = Authority::certificate(&key, &adapter.upstreams().hosts())?;
    std::fs::write(folder.join("agents-ca.pem"), certificate)?;
    Ok(Arc::new(Authority::new(&key)?))
}

fn deciding() -> anyhow::Result<Depth> {
    let policies = PolicySet::default_pack();
    Ok(Depth::Decided(Box::new(Deciding {
        asker: Arc::new(Asker {
            agent: "bench".to_owned(),
            owner: "bench".to_owned(),
            connection: authority::connection(),
            grant: None,
            task: None,
        }),
        rights: Rights::standing(),
        policies: policies.map_err(|error| anyhow!("{error}"))?,
    })))
}

impl Gateway {
    fn partial(&self, depth: Depth) -> Arc<dyn Pipeline<Reply>> {
        Arc::new(Partial {
            lane: Arc::clone(&self.lane),
            adapter: Arc::clone(&self.adapter),
            depth,
        })
    }
}

impl Listening<'_> {
    async fn with(&self, pipeline: Arc<dyn Pipeline<Reply>>) -> anyhow::Result<Ports> {
        let surface = Surface::new(pipeline, Arc::clone(&self.gateway.adapter));
        let reverse = TcpListener::bind("127.0.0.1:0").await?;
        let forward = TcpListener::bind("127.0.0.1:0").await?;
        let ports = Ports {
            reverse: reverse.local_addr()?.port(),
            forward: forward.local_addr()?.port(),
        };
        let tls = Some(self.certificates.server()?);
        tokio::spawn(serve_reverse(
            reverse,
            tls,
            surface.clone(),
            self.stop.clone(),
        ));
        let authority = Arc::clone(&self.authority);
        tokio::spawn(serve_forward(
            forward,
            authority,
            surface,
            self.stop.clone(),
        ));
        Ok(ports)
    }
}

async fn upkeep(gateway: &Gateway) {
    let mut tick = tokio::time::interval(TICK);
    loop {
        tick.tick().await;
        if let Err(error) = gateway.lane.tick().await {
            eprintln!("upkeep failed: {error}");
        }
    }
}
