//! What is known of a connection before its first request.

use std::sync::Arc;

use tagout_core::pipeline::Peer;
use tokio::sync::OwnedSemaphorePermit;

use crate::surface::agree;
use crate::surface::stop::Stop;
use crate::upstream::endpoint::split_authority;

/// An agent's connection.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    /// Who is at its other end.
    pub(crate) peer: Peer,
    /// Whether the agent speaks TLS to us.
    pub(crate) tls: bool,
    /// The host that the TLS handshake named.
    pub(crate) sni: Option<String>,
    /// The authority and the token of the tunnel that this connection came through.
    pub(crate) tunnel: Option<Tunnel>,
    /// Hears the order to stop.
    pub(crate) stop: Stop,
    /// Its place among the connections of its listener, free again when all that came of the
    /// connection has ended.
    pub(crate) place: Arc<OwnedSemaphorePermit>,
}

/// A tunnel that a client asked for with `CONNECT`.
#[derive(Clone, Debug)]
pub(crate) struct Tunnel {
    /// Where the client wants to go.
    pub(crate) authority: String,
    /// The token that the client showed to the proxy.
    pub(crate) token: String,
}

impl Wire {
    /// The host of a request must be the one of the handshake and of the tunnel.
    pub(crate) fn agrees_with(&self, authority: &str) -> bool {
        let of_tunnel = |tunnel: &Tunnel| same_place(&tunnel.authority, authority);
        self.tunnel.as_ref().is_none_or(of_tunnel)
            && agree::matches_sni(authority, self.sni.as_deref())
    }

    /// `https`, or `http`.
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

/// Whether two authorities name one place; without a port, that of HTTPS is meant, since only TLS is
/// spoken inside of tunnels.
fn same_place(one: &str, other: &str) -> bool {
    let read = |authority: &str| {
        let (host, port) = split_authority(authority)?;
        Some((host, port.unwrap_or(443)))
    };
    read(one).is_some() && read(one) == read(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_several_spellings() {
        for (one, other, same) in [
            ("api.example:443", "API.example", true),
            ("api.example:443", "api.example:443", true),
            ("api.example:8443", "api.example:8443", true),
            ("api.example:8443", "api.example", false),
            ("api.example:443", "evil.example", false),
            ("", "", false),
        ] {
            assert_eq!(same_place(one, other), same, "{one} {other}");
        }
    }
}
