//! `tagout serve`: the console first; agents only once somebody has enrolled.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tagout_console::Site;
use tagout_core::desk::Desk;
use tagout_core::proposal::Change;
use tagout_core::untrusted::Untrusted;
use tagout_engine::{FaultPoint, Faults, KeyUse, Settings};
use tagout_http::{Stop, serve_forward, serve_reverse, stop_signal};
use tagout_postgres::sign_in::AgentTls;

use crate::ca::AgentsCa;
use crate::commands::say;
use crate::config::Config;
use crate::exit::{BadConfiguration, Exit};
use crate::gateway::{Gateway, Plan};
use crate::notify::Notifier;
use crate::{console, control, descriptors, key, listeners};

/// How often what has expired or come due is looked for.
const TICK: Duration = Duration::from_millis(250);

/// A new enrolment link is printed this often while nobody has enrolled: before the old one is too old.
const NEW_LINK: Duration = Duration::from_secs(9 * 60);

pub(crate) async fn run(path: &Path) -> anyhow::Result<Exit> {
    let config = Config::read(path)?;
    if let Err(error) = descriptors::raise_limit() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let gateway = Arc::new(assemble(&config).await?);
    serve_console(&config, &gateway).await?;
    control::listen(&config.data, &gateway)?;
    tokio::select! {
        () = enrolment(&config, &gateway) => {}
        () = told_to_stop() => return Ok(Exit::Ok),
    }
    propose_upstreams(&config, &gateway).await?;
    serve_agents(&config, gateway).await
}

async fn assemble(config: &Config) -> anyhow::Result<Gateway> {
    let mut settings = Settings::new(config.rp_id(), &config.console.url);
    settings.own_uid = own_uid();
    if let Some(wait_ms) = config.wait_on_wire_ms {
        settings.wait_on_wire_ms = wait_ms;
    }
    let agents_tls = agents_tls(config)?;
    let key = key::read(&config.key)?;
    let notices = &config.notices;
    let notify = Notifier::start(notices, &config.console.url, key.derive(KeyUse::Notices))?;
    Gateway::assemble(Plan {
        data: &config.data,
        key,
        settings,
        notify: Arc::new(notify),
        faults: faults()?,
        agents_tls,
    })
    .await
}

/// The same certificate for agents' databases as for the rest of them.
fn agents_tls(config: &Config) -> anyhow::Result<Option<AgentTls>> {
    let Some(files) = &config.agents.tls else {
        return Ok(None);
    };
    let chain = std::fs::read(&files.certificates)?;
    let key = zeroize::Zeroizing::new(std::fs::read(&files.key)?);
    Ok(Some(AgentTls::from_pem(&chain, &key)?))
}

/// The user id that this process runs as: the owner of its own entry under `/proc`.
pub(crate) fn own_uid() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").ok().map(|own| own.uid())
}

/// Where a test wants the process to end. Only builds for tests listen to this.
#[cfg(debug_assertions)]
fn faults() -> anyhow::Result<Faults> {
    let Ok(name) = std::env::var("TAGOUT_TEST_ABORT_AT") else {
        return Ok(Faults::None);
    };
    let point = FaultPoint::from_name(&name);
    let unknown = || BadConfiguration(format!("`TAGOUT_TEST_ABORT_AT`: no point `{name}`"));
    Ok(Faults::Abort(point.ok_or_else(unknown)?))
}

#[cfg(not(debug_assertions))]
fn faults() -> anyhow::Result<Faults> {
    Ok(Faults::None)
}

async fn serve_console(config: &Config, gateway: &Gateway) -> anyhow::Result<()> {
    let desk: Arc<dyn Desk> = Arc::clone(&gateway.engine) as Arc<_>;
    let site = Site {
        rp_id: config.rp_id().to_owned(),
        origin: config.console.url.clone(),
        secure: config.console.url.starts_with("https://"),
    };
    let router = tagout_console::router(desk, site);
    let listener = listeners::bind(config.console.listen, "the console").await?;
    let tls = listeners::tls(config.console.tls.as_ref())?;
    say(&format!(
        "console: {} (listening on {})",
        config.console.url,
        listener.local_addr()?
    ));
    tokio::spawn(console::serve(listener, tls, router));
    Ok(())
}

/// Waits until somebody has enrolled. The link is shown on a terminal and nowhere else.
async fn enrolment(config: &Config, gateway: &Gateway) {
    let mut link = tokio::time::interval(NEW_LINK);
    let mut look = tokio::time::interval(TICK);
    while !gateway.engine.enrolled() {
        tokio::select! {
            _ = look.tick() => {}
            _ = link.tick() => show_link(config, gateway),
        }
    }
}

fn show_link(config: &Config, gateway: &Gateway) {
    if !std::io::stderr().is_terminal() {
        say(
            "nobody has enrolled, and this is not a terminal: run `tagout serve` on one to enrol the first passkey. Agents are not served until then.",
        );
        return;
    }
    match gateway.engine.enrolment_code() {
        Ok(Some(code)) => say(&format!(
            "nobody has enrolled. Open this link within ten minutes, in a browser that no agent can reach:\n\n    {}/enrol?code={code}\n\nAgents are not served until then.",
            config.console.url
        )),
        Ok(None) => {}
        Err(error) => say(&format!("no enrolment link: {error}")),
    }
}

/// What the file says differently from what is in force becomes a proposal.
async fn propose_upstreams(config: &Config, gateway: &Gateway) -> anyhow::Result<()> {
    let in_force = gateway.engine.upstreams();
    for upstream in &config.upstreams {
        if in_force.contains(upstream) {
            continue;
        }
        let change = Change::Upstream(upstream.clone());
        let id = gateway
            .engine
            .propose(change, Untrusted::new("configuration file"))
            .await?;
        say(&format!(
            "upstream `{}` waits for a person: {}/proposals/{id}",
            upstream.name, config.console.url
        ));
    }
    Ok(())
}

async fn serve_agents(config: &Config, gateway: Arc<Gateway>) -> anyhow::Result<Exit> {
    let (handle, stop) = stop_signal();
    let reverse = listeners::bind(config.agents.reverse, "agents").await?;
    let tls = listeners::tls(config.agents.tls.as_ref())?;
    say(&format!("agents: {}", reverse.local_addr()?));
    serve_databases(config, &gateway).await?;
    let ca = serve_proxy(config, &gateway, &stop).await?;
    let serving = tokio::spawn(serve_reverse(reverse, tls, gateway.surface(), stop));
    let upkeep = tokio::spawn(upkeep(Arc::clone(&gateway), ca));
    told_to_stop().await;
    say("stopping: requests that are on their way may finish");
    handle.stop();
    let _ = tokio::time::timeout(Duration::from_secs(10), serving).await;
    upkeep.abort();
    Ok(Exit::Ok)
}

/// Agents' databases, where the file asks for them.
async fn serve_databases(config: &Config, gateway: &Gateway) -> anyhow::Result<()> {
    let Some(address) = config.agents.postgres else {
        return Ok(());
    };
    let listener = listeners::bind(address, "databases").await?;
    say(&format!("agents' databases: {}", listener.local_addr()?));
    let surface = Arc::clone(&gateway.postgres);
    tokio::spawn(tagout_postgres::serve(
        listener,
        surface,
        tagout_http::look_up_peer,
    ));
    Ok(())
}

/// The forward proxy, where the file asks for one.
async fn serve_proxy(
    config: &Config,
    gateway: &Gateway,
    stop: &Stop,
) -> anyhow::Result<Option<AgentsCa>> {
    let Some(address) = config.agents.forward else {
        return Ok(None);
    };
    let listener = listeners::bind(address, "the forward proxy").await?;
    let key = key::read(&config.key)?.derive(KeyUse::Vault);
    let ca = AgentsCa::open(gateway, &key, &config.data).await?;
    say(&format!(
        "agents' proxy: {} (trust {})",
        listener.local_addr()?,
        ca.certificate().display()
    ));
    let authority = Arc::clone(&ca.authority);
    tokio::spawn(serve_forward(
        listener,
        authority,
        gateway.surface(),
        stop.clone(),
    ));
    Ok(Some(ca))
}

/// What has to happen by itself: expiries, scheduled operations, new upstreams.
async fn upkeep(gateway: Arc<Gateway>, ca: Option<AgentsCa>) {
    let mut tick = tokio::time::interval(TICK);
    let mut changes = gateway.engine.changes();
    loop {
        tokio::select! {
            _ = tick.tick() => {
                if let Err(error) = gateway.lane.tick().await {
                    tracing::error!(%error, "upkeep failed");
                }
            }
            changed = changes.changed() => match changed {
                Ok(()) => reconfigure(&gateway, ca.as_ref()),
                Err(_) => return,
            },
        }
    }
}

fn reconfigure(gateway: &Gateway, ca: Option<&AgentsCa>) {
    gateway.configure();
    if let Some(Err(error)) = ca.map(|ca| ca.publish(gateway)) {
        tracing::error!(%error, "the agents' certificate is out of date");
    }
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
