//! `tagout doctor`: whether everything is as it should be, in words that say what to do.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::net::TcpStream;

use crate::commands::put;
use crate::config::Config;
use crate::control::{Ask, ask};
use crate::exit::Exit;
use crate::key;
use crate::serve::own_uid;

/// One thing looked at.
struct Finding {
    what: &'static str,
    /// `None` is well; else what to do.
    trouble: Option<String>,
}

pub(crate) async fn run(path: &Path, as_json: bool) -> anyhow::Result<Exit> {
    let config = Config::read(path)?;
    let mut findings = vec![
        finding("installation key", key::read(&config.key).map(|_| ())),
        finding("clock", clock_is_sane()),
        finding("data folder", data_is_writable(&config.data)),
        finding("gateway", ask(&config.data, &Ask::Standing).map(|_| ())),
        finding(
            "console",
            reachable(&config.console.listen.to_string()).await,
        ),
        finding(
            "agents' listener",
            reachable(&config.agents.reverse.to_string()).await,
        ),
    ];
    findings.extend(config.upstreams.iter().map(|upstream| {
        let readable = tagout_engine::read_reference(&upstream.credential).map(|_| ());
        let known = matches!(upstream.credential.as_str(), "none" | "vault:");
        let readable = if known { Ok(()) } else { readable };
        finding(
            "upstream credential",
            readable.map_err(|why| anyhow::anyhow!("`{}`: {why}", upstream.name)),
        )
    }));
    findings.extend(probes(&config));
    findings.push(Finding {
        what: "enforcement",
        trouble: advisory(&config),
    });
    for found in &findings {
        print(found, as_json);
    }
    let well = findings.iter().all(|found| found.trouble.is_none());
    Ok(if well { Exit::Ok } else { Exit::Failure })
}

/// Whether each upstream in force answers at all. Asks through the gateway, which has the credentials.
fn probes(config: &Config) -> Vec<Finding> {
    let upstreams = ask(&config.data, &Ask::Upstreams).unwrap_or_default();
    let names = upstreams
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|each| {
            each.pointer("/name")
                .and_then(|name| name.as_str())?
                .parse()
                .ok()
        });
    let probe = |upstream| {
        finding(
            "upstream",
            ask(&config.data, &Ask::Probe { upstream }).map(|_| ()),
        )
    };
    names.map(probe).collect()
}

fn finding(what: &'static str, result: anyhow::Result<()>) -> Finding {
    Finding {
        what,
        trouble: result.err().map(|error| format!("{error:#}")),
    }
}

fn print(found: &Finding, as_json: bool) {
    let trouble = found.trouble.as_deref();
    put(&if as_json {
        json!({"what": found.what, "ok": trouble.is_none(), "trouble": trouble}).to_string()
    } else {
        format!(
            "{:<4} {}{}",
            if trouble.is_none() { "ok" } else { "LOOK" },
            found.what,
            trouble.map(|why| format!(": {why}")).unwrap_or_default()
        )
    });
}

/// Expiry times and records mean nothing on a clock that was never set.
fn clock_is_sane() -> anyhow::Result<()> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // 2026-01-01: before the first release.
    anyhow::ensure!(
        since > Duration::from_secs(1_767_225_600),
        "the system's clock is in the past; set it"
    );
    Ok(())
}

fn data_is_writable(data: &Path) -> anyhow::Result<()> {
    let probe = data.join(".doctor");
    std::fs::write(&probe, b"probe")?;
    std::fs::remove_file(&probe)?;
    Ok(())
}

async fn reachable(address: &str) -> anyhow::Result<()> {
    let connecting = tokio::time::timeout(Duration::from_secs(2), TcpStream::connect(address));
    match connecting.await {
        Ok(connected) => Ok(connected.map(|_| ())?),
        Err(_) => anyhow::bail!("`{address}` does not answer within two seconds"),
    }
}

/// Who else runs as our user could read our memory: then nothing is enforced.
fn advisory(config: &Config) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let own = own_uid()?;
    let data = std::fs::metadata(&config.data).ok()?.uid();
    let interactive = std::env::var_os("SUDO_USER").is_none() && std::env::var_os("HOME").is_some();
    (own == data && interactive).then(|| {
        "the gateway's data belongs to the user you are now. If agents run as this user too, Tagout is only advisory: give the gateway a user or a host of its own".to_owned()
    })
}
