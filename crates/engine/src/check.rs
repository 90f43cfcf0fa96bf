//! Refusing changes that could never be in force, before anybody signs them.

use std::net::IpAddr;

use tagout_core::desk::DeskError;
use tagout_core::grant::Grant;
use tagout_core::ids::{ConnectionId, GrantId};
use tagout_core::proposal::{Change, Upstream};
use tagout_core::rights::Rights;
use tagout_policy::{Caps, PolicySet, Source};

use crate::begin::Desked;
use crate::engine::Engine;
use crate::vault::host_of;

/// A grant lives no longer than a month.
const LONGEST_GRANT_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// What is wrong with a change by itself, whatever is in force.
pub(crate) fn check_form(change: &Change) -> Result<(), String> {
    match change {
        Change::Upstream(upstream) => check_upstream(upstream),
        Change::Policies { files } => check_policies(files),
        Change::OpenGrant { life_ms, .. } if !(1..=LONGEST_GRANT_MS).contains(life_ms) => {
            Err("a grant lives between a moment and thirty days".to_owned())
        }
        Change::Label { place, .. } if place.is_empty() => {
            Err("a label is bound to the provider's id of an environment".to_owned())
        }
        Change::Connect { .. }
        | Change::OpenGrant { .. }
        | Change::Label { .. }
        | Change::Thaw { .. }
        | Change::Authenticator { .. } => Ok(()),
    }
}

fn check_policies(files: &[(String, String)]) -> Result<(), String> {
    let sources: Vec<_> = files
        .iter()
        .map(|(name, text)| Source::new(name, text))
        .collect();
    let loaded = PolicySet::load(&sources, Caps::default());
    loaded.map(|_| ()).map_err(|rejected| rejected.to_string())
}

fn check_upstream(upstream: &Upstream) -> Result<(), String> {
    let name = &upstream.name;
    let database = is_database(&upstream.url);
    let host = host_of(&upstream.url).filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| format!("`{name}`: its address has no host"))?;
    let encrypted = upstream.url.starts_with("https://");
    let plain = upstream.url.starts_with("http://");
    if !(database || encrypted || plain && is_loopback(host)) {
        return Err(format!(
            "`{name}`: use `https://`; plain `http://` is for this machine only"
        ));
    }
    if !database && upstream.url.contains('@') {
        return Err(format!("`{name}`: no user or password in its address"));
    }
    if !is_reference(&upstream.credential) {
        // Nothing of what was given: it may be the secret itself.
        return Err(format!(
            "`{name}`: its credential is no reference; use `env:NAME`, `file:PATH`, `systemd:NAME`, `vault:` or `none`"
        ));
    }
    if !database && !is_header(&upstream.header) {
        return Err(format!(
            "`{name}`: its header is not one; use for example `authorization: Bearer`"
        ));
    }
    Ok(())
}

/// A database's address names its role. What else it must be, its protocol checks when it serves it.
fn is_database(url: &str) -> bool {
    let rest = url.strip_prefix("postgres://");
    let rest = rest.or_else(|| url.strip_prefix("postgresql://"));
    let role = rest
        .and_then(|rest| rest.split_once('@'))
        .map(|(role, _)| role);
    role.is_some_and(|role| !role.is_empty() && !role.contains([':', '/', '?']))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn is_reference(credential: &str) -> bool {
    let named = |rest: &str| !rest.is_empty() && !rest.chars().any(char::is_control);
    match credential.split_once(':') {
        None => credential == "none",
        Some(("vault", rest)) => rest.is_empty(),
        Some(("env" | "file" | "systemd", rest)) => named(rest),
        Some(_) => false,
    }
}

fn is_header(template: &str) -> bool {
    let (name, before) = template.split_once(':').unwrap_or((template, ""));
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token) && !before.chars().any(char::is_control)
}

impl Engine {
    /// Refuses what could never be in force, before somebody's signature brings it there.
    pub(crate) fn check_change(&self, change: &Change) -> Desked<()> {
        check_form(change).map_err(DeskError::Refused)?;
        match change {
            Change::OpenGrant {
                connection,
                parent,
                rights,
                ..
            } => self.check_grant(connection, parent.as_ref(), rights),
            Change::Label { upstream, .. } => {
                let in_force = self.in_force();
                let known = in_force.upstream(upstream);
                known.map(|_| ()).ok_or(DeskError::NotFound("upstream"))
            }
            Change::Thaw { freeze } => {
                let in_force = self.in_force();
                let this = in_force.frozen().filter(|frozen| &frozen.id == freeze);
                this.map(|_| ()).ok_or(DeskError::NotFound("freeze"))
            }
            Change::Connect { .. }
            | Change::Upstream(_)
            | Change::Policies { .. }
            | Change::Authenticator { .. } => Ok(()),
        }
    }

    fn check_grant(
        &self,
        connection: &ConnectionId,
        parent: Option<&GrantId>,
        rights: &Rights,
    ) -> Desked<()> {
        let in_force = self.in_force();
        if in_force.connection(connection).is_none() {
            return Err(DeskError::NotFound("connection"));
        }
        let Some(parent) = parent else { return Ok(()) };
        let open = |grant: &&std::sync::Arc<Grant>| grant.open(self.clock.now());
        let parent = in_force.grant(parent).filter(open);
        let parent = parent.ok_or(DeskError::NotFound("parent grant"))?;
        let narrowed = parent.rights.narrow(rights.clone());
        narrowed
            .map(|_| ())
            .map_err(|wider| DeskError::Refused(wider.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tagout_core::verdict::Mode;

    fn upstream(url: &str, credential: &str, header: &str) -> Upstream {
        Upstream {
            name: "railway".parse().unwrap(),
            url: url.to_owned(),
            aliases: Vec::new(),
            pack: "railway".to_owned(),
            credential: credential.to_owned(),
            header: header.to_owned(),
            ca_file: None,
            ourselves: Vec::new(),
            mode: Mode::Guard,
        }
    }

    #[test]
    fn upstreams_are_encrypted_and_carry_no_secret() {
        for (url, credential, header, good) in [
            (
                "https://a.example/x",
                "env:TOKEN",
                "authorization: Bearer",
                true,
            ),
            ("http://127.0.0.1:80", "none", "x-api-key", true),
            ("postgres://app@db.example/shop", "env:PASSWORD", "", true),
            (
                "postgres://app:sk_live_1@db.example/shop",
                "none",
                "",
                false,
            ),
            ("postgres://db.example/shop", "none", "", false),
            ("http://[::1]:80", "vault:", "x-api-key:", true),
            ("http://localhost/", "file:/run/t", "x-api-key", true),
            (
                "http://a.example/x",
                "env:TOKEN",
                "authorization: Bearer",
                false,
            ),
            ("http://127.0.0.1.a.example", "none", "x-api-key", false),
            ("ftp://127.0.0.1/", "none", "x-api-key", false),
            ("https://u:p@a.example", "none", "x-api-key", false),
            ("https:///x", "none", "x-api-key", false),
            ("https://a.example", "sk_live_1", "x-api-key", false),
            ("https://a.example", "vault:sk_live_1", "x-api-key", false),
            ("https://a.example", "env:", "x-api-key", false),
            ("https://a.example", "none", "x api key", false),
            ("https://a.example", "none", "x\r\ny: z", false),
        ] {
            let checked = check_form(&Change::Upstream(upstream(url, credential, header)));
            assert_eq!(checked.is_ok(), good, "{url} {credential} {header}");
            assert!(!checked.is_err_and(|why| why.contains("sk_live")));
        }
    }
}
