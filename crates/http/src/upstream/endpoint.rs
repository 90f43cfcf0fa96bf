//! Where an upstream is: scheme, host and port, and nothing else.

use tagout_core::proposal::Upstream;

use crate::error::HttpError;

/// The address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Whether TLS is spoken. Plain HTTP is for this machine only.
    pub(crate) tls: bool,
    /// The host, in lower case, an IPv6 address in brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

impl Endpoint {
    /// Reads `https://host[:port]`, or `http://host[:port]` for a host on this machine.
    pub(crate) fn of(upstream: &Upstream) -> Result<Self, HttpError> {
        Self::read(&upstream.url).map_err(|reason| HttpError::Address {
            name: upstream.name.to_string(),
            url: upstream.url.escape_debug().to_string(),
            reason,
        })
    }

    fn read(url: &str) -> Result<Self, &'static str> {
        let (tls, rest) = match url.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err("write `https://host`"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_authority(authority).ok_or("write `https://host[:port]`")?;
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        if !tls && !is_loopback(&host) {
            return Err("plain `http` is for hosts on this machine only; use `https`");
        }
        Ok(Self { tls, host, port })
    }

    /// Whether the port is the scheme's own.
    pub(crate) const fn has_default_port(&self) -> bool {
        self.port == if self.tls { 443 } else { 80 }
    }

    /// `host`, or `host:port` where the port is not the scheme's own: the `Host` line.
    pub(crate) fn authority(&self) -> String {
        if self.has_default_port() {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The host without the brackets of an IPv6 address, to look up or to name in TLS.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// Splits `host[:port]` and lowers the host. `None` for anything else: user information, a path, an
/// empty host, a port out of range.
pub(crate) fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (
                format!("[{address}]"),
                after
                    .strip_prefix(':')
                    .or_else(|| after.is_empty().then_some("")),
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (authority.to_owned(), Some("")),
        },
    };
    let port = match port? {
        "" if authority.ends_with(':') => return None,
        "" => None,
        digits => Some(read_port(digits)?),
    };
    (host.starts_with('[') || is_host_name(&host)).then(|| (host.to_ascii_lowercase(), port))
}

fn read_port(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    plain
        .then(|| digits.parse().ok().filter(|port| *port != 0))
        .flatten()
}

fn is_host_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=253).contains(&host.len()) && host.bytes().all(allowed) && !host.starts_with('.')
}

/// Whether `host` is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses() {
        let endpoint = |tls, host: &str, port| {
            Ok(Endpoint {
                tls,
                host: host.to_owned(),
                port,
            })
        };
        for (url, read) in [
            ("https://API.example", endpoint(true, "api.example", 443)),
            (
                "https://api.example:8443/",
                endpoint(true, "api.example", 8443),
            ),
            ("http://127.0.0.1:4000", endpoint(false, "127.0.0.1", 4000)),
            ("http://localhost", endpoint(false, "localhost", 80)),
            ("https://[::1]:9", endpoint(true, "[::1]", 9)),
        ] {
            assert_eq!(Endpoint::read(url), read, "{url}");
        }
        for bad in [
            "http://api.example",
            "ftp://x",
            "https://",
            "https://user@host",
            "https://host/path",
            "https://host:0",
            "https://host:99999",
            "https://host:+1",
            "https://host:",
            "https://[::1",
            "https://a b",
        ] {
            assert!(Endpoint::read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_authority_is_a_host_and_a_port_or_nothing(text in "\\PC{0,30}") {
            if let Some((host, port)) = split_authority(&text) {
                let again = match port {
                    Some(port) => format!("{host}:{port}"),
                    None => host.clone(),
                };
                prop_assert_eq!(split_authority(&again), Some((host, port)));
                prop_assert!(!text.contains(['@', '/', '?', '#', ' ', '\\', ',']));
            }
        }
    }
}
