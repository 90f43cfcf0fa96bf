//! The rows of the table: where each request goes and what it is compared with.

use std::sync::Arc;

use rustls::ClientConfig;

use crate::authority::{GRAPHQL, REST};
use crate::gateway::{Ports, Ready};
use crate::load::{Load, Way};
use crate::origin::Origin;
use crate::request::{Kind, Request};

/// The row that others' latency is taken from.
pub(crate) const DIRECT: &str = "direct";
/// The same for writes.
pub(crate) const DIRECT_WRITE: &str = "direct, write";
pub(crate) const NGINX: &str = "nginx reverse";
pub(crate) const MITMDUMP: &str = "mitmdump CONNECT";
pub(crate) const REVERSE_RECORDED: &str = "tagout reverse (c) + ledger";
pub(crate) const FORWARD_RECORDED: &str = "tagout CONNECT (c) + ledger";

/// One row.
pub(crate) struct Target {
    pub(crate) name: String,
    /// The row without anything in between.
    pub(crate) baseline: &'static str,
    pub(crate) load: Load,
}

/// Where everything listens.
pub(crate) struct Stage<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) nginx: u16,
    pub(crate) mitmdump: Option<u16>,
    pub(crate) gateway: &'a Ready,
    pub(crate) tls: &'a Arc<ClientConfig>,
}

impl Stage<'_> {
    /// All rows, in the order of the table.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let mut targets = vec![
            self.straight(DIRECT, Kind::Read, self.port(Kind::Read)),
            self.straight(DIRECT_WRITE, Kind::Write, self.port(Kind::Write)),
            self.straight(NGINX, Kind::Read, self.nginx),
        ];
        targets.extend(self.mitmdump.map(|port| self.mitmdump(port)));
        for (step, kind, ports) in [
            ("(a) pass-through", Kind::Read, self.gateway.pass_through),
            ("(b) + decided", Kind::Read, self.gateway.decided),
            ("(c) + ledger", Kind::Read, self.gateway.whole),
            ("(d) durable write", Kind::Write, self.gateway.whole),
        ] {
            targets.push(self.reverse(step, kind, ports));
            targets.push(self.forward(step, kind, ports));
        }
        targets
    }

    const fn port(&self, kind: Kind) -> u16 {
        match kind {
            Kind::Read => self.origin.graphql_port,
            Kind::Write => self.origin.rest_port,
        }
    }

    fn target(&self, name: String, kind: Kind, way: Way, request: Request) -> Target {
        let baseline = match kind {
            Kind::Read => DIRECT,
            Kind::Write => DIRECT_WRITE,
        };
        let tls = Arc::clone(self.tls);
        Target {
            name,
            baseline,
            load: Load { way, request, tls },
        }
    }

    fn straight(&self, name: &str, kind: Kind, port: u16) -> Target {
        let host = format!("localhost:{port}");
        let request = Request::new(kind, &host, kind.path(), None);
        self.target(name.to_owned(), kind, Way::Straight(port), request)
    }

    fn mitmdump(&self, proxy: u16) -> Target {
        let to = self.port(Kind::Read);
        let way = Way::Tunnel {
            proxy,
            to,
            token: None,
        };
        self.target(
            MITMDUMP.to_owned(),
            Kind::Read,
            way,
            self.in_tunnel(Kind::Read),
        )
    }

    fn in_tunnel(&self, kind: Kind) -> Request {
        let host = format!("localhost:{}", self.port(kind));
        Request::new(kind, &host, kind.path(), None)
    }

    /// The gateway as if it were the upstream: the first segment of the path names which.
    fn reverse(&self, step: &str, kind: Kind, ports: Ports) -> Target {
        let upstream = match kind {
            Kind::Read => GRAPHQL,
            Kind::Write => REST,
        };
        let host = format!("localhost:{}", ports.reverse);
        let path = format!("/{upstream}{}", kind.path());
        let request = Request::new(kind, &host, &path, Some(&self.gateway.token));
        let name = format!("tagout reverse {step}");
        self.target(name, kind, Way::Straight(ports.reverse), request)
    }

    /// The gateway as a proxy that stands in for the upstream.
    fn forward(&self, step: &str, kind: Kind, ports: Ports) -> Target {
        let way = Way::Tunnel {
            proxy: ports.forward,
            to: self.port(kind),
            token: Some(self.gateway.token.clone()),
        };
        let name = format!("tagout CONNECT {step}");
        self.target(name, kind, way, self.in_tunnel(kind))
    }
}
