//! The control socket: how commands reach a running gateway.
//!
//! It lies in the data folder, for the gateway's own user only. Nothing that comes through it widens
//! anything: it can propose, look, stop and revoke.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tagout_core::desk::Desk as _;
use tagout_core::environment::{Environment, Place};
use tagout_core::grant::Budget;
use tagout_core::ids::{ConnectionId, GrantId, HoldId, UpstreamName};
use tagout_core::proposal::Change;
use tagout_core::rights::Rights;
use tagout_core::store::{Authorities as _, Holds as _};
use tagout_core::untrusted::Untrusted;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::gateway::Gateway;

/// What a command asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub(crate) enum Ask {
    Propose {
        change: Box<Change>,
    },
    Holds,
    Hold {
        id: HoldId,
    },
    Connections,
    Grants,
    Upstreams,
    Places {
        upstream: UpstreamName,
    },
    Probe {
        upstream: UpstreamName,
    },
    Token {
        id: ConnectionId,
    },
    NarrowConnection {
        parent: ConnectionId,
        agent: Untrusted,
        rights: Rights,
        budget: Budget,
    },
    RevokeConnection {
        id: ConnectionId,
    },
    RevokeGrant {
        id: GrantId,
    },
    Freeze {
        reason: String,
    },
    Thaw,
    Standing,
}

/// One request line at most; policies are the longest.
const LINE_LIMIT: u64 = 4 * 1024 * 1024;

/// Closed holds that a list shows.
const CLOSED_SHOWN: usize = 50;

/// How long a connection that could not be accepted is left waiting.
const PAUSE: Duration = Duration::from_millis(50);

fn socket_path(data: &Path) -> PathBuf {
    data.join("control.sock")
}

/// Starts to listen, for our own user only.
pub(crate) fn listen(data: &Path, gateway: &Arc<Gateway>) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = socket_path(data);
    // The ledger's lock says that nobody else runs here, so a socket that is there is a leftover.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("can't listen on `{}`", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let gateway = Arc::clone(gateway);
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(answer_one(stream, Arc::clone(&gateway)));
                }
                // Agents can use up the descriptors; whoever wants to stop them must be heard afterwards.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    });
    Ok(())
}

async fn answer_one(stream: UnixStream, gateway: Arc<Gateway>) {
    use tokio::io::AsyncReadExt as _;
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    if BufReader::new(reader.take(LINE_LIMIT))
        .read_line(&mut line)
        .await
        .is_err()
    {
        return;
    }
    let answer = match serde_json::from_str::<Ask>(&line) {
        Ok(ask) => fulfil(&gateway, ask).await,
        Err(error) => Err(anyhow!("not understood: {error}")),
    };
    let answer = match answer {
        Ok(value) => json!({"ok": value}),
        Err(error) => json!({"error": format!("{error:#}")}),
    };
    // Whoever asked may have gone away.
    let _ = writer.write_all(format!("{answer}\n").as_bytes()).await;
}

async fn fulfil(gateway: &Gateway, ask: Ask) -> anyhow::Result<Value> {
    let engine = &gateway.engine;
    let by = || Untrusted::new("command line");
    Ok(match ask {
        Ask::Propose { change } => json!(engine.propose(*change, by()).await?),
        Ask::Holds => json!(gateway.store.list_holds(CLOSED_SHOWN).await?),
        Ask::Hold { id } => json!(gateway.store.hold(&id).await?),
        Ask::Connections => json!(gateway.store.authority().await?.connections),
        Ask::Grants => json!(gateway.store.authority().await?.grants),
        Ask::Upstreams => json!(engine.upstreams()),
        Ask::Places { upstream } => {
            let errands = engine.operator_errands();
            let places = match gateway.is_database(&upstream) {
                true => gateway.postgres.places(&upstream, &errands).await,
                false => gateway.adapter.places(&upstream, &errands).await,
            };
            let places = places
                .ok_or_else(|| anyhow!("`{upstream}` is not in force, or could not be asked"))?;
            let labels = gateway.store.authority().await?.labels;
            json!(labelled(&upstream, &places, &labels))
        }
        Ask::Probe { upstream } if gateway.is_database(&upstream) => {
            let errands = engine.operator_errands();
            let probed = gateway.postgres.probe(&upstream, &errands).await;
            json!(probed.map_err(anyhow::Error::msg)?)
        }
        Ask::Probe { upstream } => {
            let probed = gateway
                .adapter
                .probe(&upstream, &engine.operator_errands())
                .await;
            json!(probed.map_err(anyhow::Error::msg)?.as_u16())
        }
        Ask::Token { id } => {
            let token = engine.token(&id);
            json!(
                token
                    .ok_or_else(|| anyhow!("`{id}` is not in force; has a person accepted it?"))?
            )
        }
        Ask::NarrowConnection {
            parent,
            agent,
            rights,
            budget,
        } => {
            json!(
                engine
                    .narrow_connection(&parent, agent, rights, budget)
                    .await?
            )
        }
        Ask::RevokeConnection { id } => json!(engine.revoke_connection(&id).await?),
        Ask::RevokeGrant { id } => json!(engine.revoke_grant(&id).await?),
        Ask::Freeze { reason } => json!(engine.freeze(by(), Untrusted::new(reason)).await?),
        Ask::Thaw => {
            let standing = engine.standing().await;
            let Some((freeze, ..)) = standing.frozen else {
                bail!("nothing is frozen")
            };
            json!(engine.propose(Change::Thaw { freeze }, by()).await?)
        }
        Ask::Standing => json!(engine.standing().await),
    })
}

/// Each place with its label, if a person gave it one.
fn labelled(
    upstream: &UpstreamName,
    places: &[Place],
    labels: &[(UpstreamName, String, Environment)],
) -> Vec<Value> {
    let label = |place: &Place| {
        let found = labels
            .iter()
            .find(|(of, id, _)| of == upstream && *id == place.id);
        found.map(|(_, _, environment)| environment.word())
    };
    places
        .iter()
        .map(|place| json!({"place": place, "label": label(place)}))
        .collect()
}

/// Asks the gateway that runs on this data folder.
pub(crate) fn ask(data: &Path, ask: &Ask) -> anyhow::Result<Value> {
    use std::io::{BufRead as _, Write as _};
    let path = socket_path(data);
    let stream = std::os::unix::net::UnixStream::connect(&path);
    let mut stream = stream.with_context(|| {
        format!(
            "no gateway answers at `{}`; is `tagout serve` running?",
            path.display()
        )
    })?;
    writeln!(stream, "{}", serde_json::to_string(ask)?)?;
    let mut line = String::new();
    std::io::BufReader::new(stream).read_line(&mut line)?;
    let mut answer: Value =
        serde_json::from_str(&line).context("the gateway's answer is cut off")?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => bail!("{error}"),
        None => Ok(answer.get_mut("ok").map(Value::take).unwrap_or_default()),
    }
}
