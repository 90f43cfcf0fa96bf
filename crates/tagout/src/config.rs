//! `tagout.toml`: plumbing only. What it says of upstreams is a proposal until a person accepts it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use tagout_core::proposal::Upstream;

use crate::exit::BadConfiguration;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where people decide.
    pub(crate) console: Console,
    /// Where agents come in.
    pub(crate) agents: Agents,
    /// Where state and ledger lie; relative to this file.
    pub(crate) data: PathBuf,
    /// Where the installation's key comes from: `file:`, `env:` or `systemd:`. Never beside the data.
    pub(crate) key: String,
    /// How long a held request waits on the wire for a person.
    #[serde(default)]
    pub(crate) wait_on_wire_ms: Option<u64>,
    /// Whom to tell that something waits.
    #[serde(default)]
    pub(crate) notices: Notices,
    /// Upstreams to propose.
    #[serde(default, rename = "upstream")]
    pub(crate) upstreams: Vec<Upstream>,
}

/// The console's listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Console {
    /// Its public origin, fixed at `init`: passkeys are bound to it.
    pub(crate) url: String,
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Certificate chain and key, PEM files; without them it speaks plain HTTP, which browsers accept
    /// for passkeys on `localhost` only (or behind a proxy that speaks TLS).
    #[serde(default)]
    pub(crate) tls: Option<TlsFiles>,
}

/// The agents' listeners.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agents {
    /// The reverse mode's listener.
    pub(crate) reverse: SocketAddr,
    /// Certificate chain and key for it, PEM files.
    #[serde(default)]
    pub(crate) tls: Option<TlsFiles>,
    /// Where agents' PostgreSQL clients come in; with the same TLS as above.
    #[serde(default)]
    pub(crate) postgres: Option<SocketAddr>,
    /// The forward proxy's listener, for clients that can't be given another address. They trust the
    /// certificate in `agents-ca.pem` in the data folder.
    #[serde(default)]
    pub(crate) forward: Option<SocketAddr>,
}

/// Where notices go. They name what waits and link to the console; they decide nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notices {
    /// A webhook, signed with the key that `tagout notice key` prints.
    #[serde(default)]
    pub(crate) webhook: Option<String>,
    /// A topic of an ntfy server: `https://ntfy.sh/topic`.
    #[serde(default)]
    pub(crate) ntfy: Option<String>,
}

/// A certificate chain and its key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    /// The chain, PEM.
    pub(crate) certificates: PathBuf,
    /// The key, PEM.
    pub(crate) key: PathBuf,
}

impl Config {
    /// Reads and checks a file. Paths in it are relative to it.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let hint = || format!("can't read `{}`; `tagout init` makes one", path.display());
        let text = std::fs::read_to_string(path).with_context(hint)?;
        let mut config = Self::parse(&text)
            .map_err(|why| BadConfiguration(format!("`{}`: {why}", path.display())))?;
        let base = path.parent().unwrap_or(Path::new("."));
        config.data = base.join(&config.data);
        for files in [&mut config.console.tls, &mut config.agents.tls]
            .into_iter()
            .flatten()
        {
            files.certificates = base.join(&files.certificates);
            files.key = base.join(&files.key);
        }
        Ok(config)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Self =
            toml::from_str(text).map_err(|error| with_suggestion(&error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let url = &self.console.url;
        let plain = url.strip_prefix("http://");
        let host = plain.or_else(|| url.strip_prefix("https://"));
        let host = host.ok_or("`console.url` must begin with `https://` or `http://localhost`")?;
        if host.is_empty() || host.contains(['/', '?', '#', '@']) {
            return Err(
                "`console.url` is an origin: a scheme, a host and maybe a port, no path".to_owned(),
            );
        }
        if plain.is_some() && !matches!(self.rp_id(), "localhost") {
            return Err("`console.url` needs `https://` unless the host is `localhost`: browsers give no passkeys otherwise".to_owned());
        }
        if self.key.is_empty() || !self.key.contains(':') {
            return Err("`key` must be a reference: `file:`, `env:` or `systemd:`".to_owned());
        }
        self.upstreams.iter().try_for_each(check_upstream)
    }

    /// The passkeys' relying party: the console's host.
    pub(crate) fn rp_id(&self) -> &str {
        let host = self.console.url.split("://").nth(1).unwrap_or_default();
        host.split(':').next().unwrap_or_default()
    }
}

/// Secrets are given by reference, never inline: a pasted one would be in every backup of the file.
pub(crate) fn check_upstream(upstream: &Upstream) -> Result<(), String> {
    let given = upstream.credential.as_str();
    let reference = given == "none"
        || given == "vault:"
        || ["env:", "file:", "systemd:"]
            .iter()
            .any(|scheme| given.starts_with(scheme));
    if reference {
        return Ok(());
    }
    Err(format!(
        "the credential of upstream `{}` is not a reference; use `env:NAME`, `file:PATH`, `systemd:NAME`, `vault:` or `none`",
        upstream.name
    ))
}

/// Names the nearest known key for an unknown one.
fn with_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let is_unknown = message.contains("unknown field");
    let unknown = quoted.find(|_| is_unknown).unwrap_or_default().to_owned();
    let expected = message.split("expected").nth(1).unwrap_or_default();
    let known = expected.split('`').skip(1).step_by(2);
    let distance = |name: &&str| strsim::damerau_levenshtein(name, &unknown);
    match known.min_by_key(distance).filter(|_| is_unknown) {
        Some(near) if strsim::damerau_levenshtein(near, &unknown) <= 3 => {
            format!("{message}hint: did you mean `{near}`?")
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        data = "data"
        key = "file:/etc/tagout/installation.key"
        [console]
        url = "https://tagout.example:8443"
        listen = "127.0.0.1:8443"
        [agents]
        reverse = "127.0.0.1:8080"
        [[upstream]]
        name = "railway"
        url = "https://backboard.railway.com"
        pack = "railway"
        credential = "env:RAILWAY_TOKEN"
        header = "authorization: Bearer"
    "#;

    #[test]
    fn a_good_file_is_read() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!(config.rp_id(), "tagout.example");
        assert_eq!(config.upstreams.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_with_a_hint() {
        for (from, to, said) in [
            ("listen =", "lisen =", "did you mean `listen`?"),
            (
                "https://tagout.example:8443",
                "http://tagout.example",
                "browsers give no passkeys",
            ),
            (
                "https://tagout.example:8443",
                "https://tagout.example/x",
                "no path",
            ),
            ("env:RAILWAY_TOKEN", "sk_live_secret", "is not a reference"),
            (
                "file:/etc/tagout/installation.key",
                "0011",
                "must be a reference",
            ),
        ] {
            let error = Config::parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(error.contains(said), "{error}");
            assert!(!error.contains("sk_live"), "{error}");
        }
    }
}
