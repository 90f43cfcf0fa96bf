//! The table of accepted upstreams, replaced as a whole when a person accepts a change.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderName;
use tagout_core::ids::UpstreamName;
use tagout_core::proposal::Upstream;

use crate::error::HttpError;
use crate::resolve::Cache;
use crate::upstream::endpoint::split_authority;
use crate::upstream::trust::client_config;
use crate::upstream::{Endpoint, Pool};

/// One upstream, ready to be used.
#[derive(Debug)]
pub(crate) struct Registered {
    /// As accepted.
    pub(crate) upstream: Upstream,
    /// Where it is.
    pub(crate) endpoint: Endpoint,
    /// Its `host` line.
    pub(crate) authority: String,
    /// The header that carries its credential.
    pub(crate) credential_header: HeaderName,
    /// Its connections.
    pub(crate) pool: Arc<Pool>,
    /// What was looked up in it.
    pub(crate) inventory: Cache,
}

/// Which upstreams there are, at this moment.
#[derive(Debug, Default)]
struct Table {
    by_name: HashMap<UpstreamName, Arc<Registered>>,
    by_host: HashMap<String, Arc<Registered>>,
}

/// The accepted upstreams, shared by the executor and the listeners.
#[derive(Debug, Default)]
pub struct Upstreams {
    table: RwLock<Arc<Table>>,
}

impl Upstreams {
    /// Replaces the whole table. Connections of upstreams that stay the same are kept. An upstream that
    /// can't be used is left out, so that its hosts are unknown, and said in the answer.
    #[must_use = "an upstream that is not usable is left out, and somebody must be told"]
    pub fn configure(&self, upstreams: Vec<Upstream>) -> Vec<HttpError> {
        let before = self.table();
        let mut table = Table::default();
        let mut errors = Vec::new();
        for upstream in upstreams {
            let added = register(upstream, &before).and_then(|registered| table.add(&registered));
            errors.extend(added.err());
        }
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
        errors
    }

    /// The upstream of that name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Registered>> {
        let name = name.parse::<UpstreamName>().ok()?;
        self.table().by_name.get(&name).cloned()
    }

    /// The upstream that an authority (`host` or `host:port`) means.
    pub(crate) fn at(&self, authority: &str) -> Option<Arc<Registered>> {
        let (host, port) = split_authority(authority)?;
        let table = self.table();
        let exact = port.and_then(|port| table.by_host.get(&format!("{host}:{port}")));
        exact.or_else(|| table.by_host.get(&host)).cloned()
    }

    /// Every host name that is answered for, without ports, sorted.
    pub fn hosts(&self) -> Vec<String> {
        let table = self.table();
        let keys = table.by_host.keys().filter_map(|key| split_authority(key));
        let mut hosts: Vec<String> = keys.map(|(host, _)| host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Table {
    /// Adds an upstream whole, or not at all.
    fn add(&mut self, registered: &Arc<Registered>) -> Result<(), HttpError> {
        let keys = registered.hosts();
        for key in &keys {
            if let Some(first) = self.by_host.get(key) {
                return Err(HttpError::HostTaken {
                    host: key.escape_debug().to_string(),
                    first: first.upstream.name.to_string(),
                    second: registered.upstream.name.to_string(),
                });
            }
        }
        for key in keys {
            self.by_host.insert(key, Arc::clone(registered));
        }
        self.by_name
            .insert(registered.upstream.name.clone(), Arc::clone(registered));
        Ok(())
    }
}

impl Registered {
    /// Whether a tunnel to this authority (`host:port`, one that means this upstream) leads where the
    /// upstream is: the port was registered, or it is that of HTTPS.
    pub(crate) fn accepts_tunnel(&self, authority: &str) -> bool {
        let port = split_authority(authority).and_then(|(_, port)| port);
        port == Some(443) || self.hosts().iter().any(|host| host == authority)
    }

    /// The hosts that mean it. A host at its scheme's own port means it whatever port the agent names
    /// (the gateway listens elsewhere); with another port, only together with that port.
    fn hosts(&self) -> Vec<String> {
        let mut hosts = vec![self.authority.clone()];
        for alias in &self.upstream.aliases {
            let key = alias.to_ascii_lowercase();
            if !hosts.contains(&key) {
                hosts.push(key);
            }
        }
        hosts
    }
}

fn register(upstream: Upstream, before: &Table) -> Result<Arc<Registered>, HttpError> {
    let known = before.by_name.get(&upstream.name);
    if let Some(known) = known.filter(|known| known.upstream == upstream) {
        return Ok(Arc::clone(known));
    }
    let endpoint = Endpoint::of(&upstream)?;
    check_aliases(&upstream)?;
    let tls = client_config(upstream.ca_file.as_deref())?;
    Ok(Arc::new(Registered {
        authority: endpoint.authority(),
        credential_header: credential_header(&upstream)?,
        pool: Pool::new(endpoint.clone(), tls),
        inventory: Cache::default(),
        endpoint,
        upstream,
    }))
}

fn check_aliases(upstream: &Upstream) -> Result<(), HttpError> {
    for alias in &upstream.aliases {
        if split_authority(alias).is_none() {
            return Err(HttpError::Address {
                name: upstream.name.to_string(),
                url: alias.escape_debug().to_string(),
                reason: "an alias is `host` or `host:port`",
            });
        }
    }
    Ok(())
}

/// The name in `name: text before it`.
fn credential_header(upstream: &Upstream) -> Result<HeaderName, HttpError> {
    let name = upstream.header.split(':').next().unwrap_or_default().trim();
    name.parse().map_err(|_| HttpError::CredentialHeader {
        name: upstream.name.to_string(),
        header: upstream.header.escape_debug().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(name: &str, url: &str, aliases: &[&str]) -> Upstream {
        Upstream {
            name: name.parse().unwrap(),
            url: url.to_owned(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            pack: "generic".to_owned(),
            credential: "none".to_owned(),
            header: "authorization: Bearer".to_owned(),
            ca_file: None,
            ourselves: Vec::new(),
            mode: Default::default(),
        }
    }

    fn name_at(upstreams: &Upstreams, authority: &str) -> Option<String> {
        upstreams
            .at(authority)
            .map(|found| found.upstream.name.to_string())
    }

    #[test]
    fn hosts_mean_upstreams() {
        let upstreams = Upstreams::default();
        let errors = upstreams.configure(vec![
            upstream(
                "railway",
                "https://backboard.railway.com",
                &["backboard.railway.app"],
            ),
            upstream("local", "http://127.0.0.1:4000", &[]),
        ]);
        assert_eq!(errors, []);
        for (authority, name) in [
            ("backboard.railway.com", Some("railway")),
            ("BACKBOARD.railway.app:8443", Some("railway")),
            ("127.0.0.1:4000", Some("local")),
            ("127.0.0.1:4001", None),
            ("127.0.0.1", None),
            ("user@backboard.railway.com", None),
            ("evil.example", None),
        ] {
            assert_eq!(
                name_at(&upstreams, authority).as_deref(),
                name,
                "{authority}"
            );
        }
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_said() {
        let upstreams = Upstreams::default();
        let errors = upstreams.configure(vec![
            upstream("a", "https://api.example", &[]),
            upstream("b", "https://api.example", &[]),
            upstream("c", "http://api2.example", &[]),
            upstream("d", "https://api3.example", &["a/b"]),
        ]);
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert_eq!(name_at(&upstreams, "api.example").as_deref(), Some("a"));
        assert!(upstreams.named("b").is_none() && upstreams.named("d").is_none());
    }

    #[test]
    fn an_unchanged_upstream_keeps_its_connections() {
        let upstreams = Upstreams::default();
        let same = || vec![upstream("a", "https://api.example", &[])];
        assert_eq!(upstreams.configure(same()), []);
        let before = upstreams.named("a").unwrap();
        assert_eq!(upstreams.configure(same()), []);
        assert!(Arc::ptr_eq(&before, &upstreams.named("a").unwrap()));
    }
}
