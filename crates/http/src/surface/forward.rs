//! The forward mode's listener: a proxy that agents are told to use. It opens tunnels to hosts of
//! registered upstreams only, and it is itself at the other end of each.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tagout_core::pipeline::Stray;
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::untrusted::Untrusted;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::refused::{Shape, refusal_reply, text_reply};
use crate::reply::{Reply, ReplyBody};
use crate::surface::authority::Authority;
use crate::surface::connection::{http1_builder, until_stopped};
use crate::surface::credentials::Credentials;
use crate::surface::listener::{accept_all, serve_tls};
use crate::surface::serve::Surface;
use crate::surface::stop::Stop;
use crate::surface::wire::{Tunnel, Wire};
use crate::upstream::Registered;
use crate::upstream::endpoint::split_authority;

/// What every connection of the proxy shares.
#[derive(Clone)]
struct Proxy {
    surface: Surface,
    authority: Arc<Authority>,
}

/// A tunnel that may be opened.
struct Opening {
    tunnel: Tunnel,
    config: Arc<ServerConfig>,
}

/// Serves as a proxy on `listener`. The token comes in `Proxy-Authorization`, as either half of `Basic`
/// or as `Bearer`. Returns when `stop` was ordered and every connection has ended.
pub async fn serve_forward(
    listener: TcpListener,
    authority: Arc<Authority>,
    surface: Surface,
    stop: Stop,
) {
    let proxy = Proxy { surface, authority };
    accept_all(listener, stop, move |stream, wire| {
        proxy.clone().serve(stream, wire)
    })
    .await;
}

impl Proxy {
    async fn serve(self, stream: TcpStream, wire: Wire) {
        let stop = wire.stop.clone();
        let wire = Arc::new(wire);
        let service = service_fn(move |request| {
            let (proxy, wire) = (self.clone(), Arc::clone(&wire));
            async move { Ok::<_, Infallible>(proxy.answer(request, &wire).await) }
        });
        let connection = http1_builder()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        until_stopped(stop, connection.as_mut(), |connection| {
            connection.graceful_shutdown()
        })
        .await;
    }

    async fn answer(self, request: Request<Incoming>, wire: &Wire) -> Response<ReplyBody> {
        if request.method() != Method::CONNECT {
            return self.answer_plain(request, wire).await;
        }
        match self.opening(&request, wire).await {
            Ok(opening) => {
                // The tunnel outlives the connection it was asked for on, and keeps its place.
                tokio::spawn(self.run(opening, hyper::upgrade::on(request), wire.clone()));
                Reply::whole(StatusCode::OK, http::HeaderMap::new(), bytes::Bytes::new())
                    .into_response()
            }
            Err(reply) => reply.into_response(),
        }
    }

    /// A request in the absolute form, `GET http://host/…`: for upstreams without TLS, which are on this
    /// machine. Our own addresses are answered too.
    async fn answer_plain(&self, request: Request<Incoming>, wire: &Wire) -> Response<ReplyBody> {
        if let Some(authority) = request.uri().authority() {
            let to = self.surface.adapter().upstreams().at(authority.as_str());
            if to.is_some_and(|to| to.endpoint.tls) {
                let text = "DENIED by tagout: this host is spoken to with TLS only; use `https`. Nothing was forwarded.";
                return text_reply(StatusCode::FORBIDDEN, text).into_response();
            }
            let mut headers = request.headers().clone();
            if Credentials::take(&mut headers, None) == Credentials::default() {
                return credential_wanted().into_response();
            }
        }
        self.surface.answer(request, wire).await
    }

    async fn opening(&self, request: &Request<Incoming>, wire: &Wire) -> Result<Opening, Reply> {
        let authority = request
            .uri()
            .authority()
            .map(|authority| authority.as_str().to_ascii_lowercase());
        let authority = authority.unwrap_or_default();
        if !names_one_place(request, &authority) {
            let text = "DENIED by tagout: CONNECT and the host line name different hosts.";
            return Err(text_reply(StatusCode::BAD_REQUEST, text));
        }
        let to = self.surface.adapter().upstreams().at(&authority);
        let token = self.token(request, wire, &authority, to.as_deref()).await?;
        let host = split_authority(&authority)
            .map(|(host, _)| host)
            .unwrap_or_default();
        if !to.is_some_and(|to| to.accepts_tunnel(&authority)) {
            return Err(unknown_host(&authority));
        }
        let config = self.authority.stand_in(&host).map_err(|error| {
            tracing::warn!(%error, "no certificate could be made");
            text_reply(
                StatusCode::BAD_GATEWAY,
                "UPSTREAM by tagout: no certificate could be made for this host.",
            )
        })?;
        Ok(Opening {
            tunnel: Tunnel { authority, token },
            config,
        })
    }

    /// The checked token that the client shows to the proxy.
    async fn token(
        &self,
        request: &Request<Incoming>,
        wire: &Wire,
        authority: &str,
        to: Option<&Registered>,
    ) -> Result<String, Reply> {
        let mut headers = request.headers().clone();
        let credentials = Credentials::take(&mut headers, None);
        let pipeline = self.surface.pipeline();
        let denied = |refusal: &Refusal| {
            let mut reply = refusal_reply(refusal, Shape::Http, None);
            reply.status = StatusCode::FORBIDDEN;
            reply
        };
        let caller = credentials
            .token
            .as_deref()
            .map(|token| pipeline.admit(token, &wire.peer));
        let caller = caller.transpose().map_err(|refusal| denied(&refusal))?;
        if let Some(place) = credentials.stray {
            let upstream = to.map(|to| to.upstream.name.clone());
            let host = Untrusted::from(authority).to_string();
            let stray = Stray {
                upstream,
                place,
                host,
            };
            return Err(denied(&pipeline.stray(caller.as_ref(), stray).await));
        }
        credentials.token.ok_or_else(credential_wanted)
    }

    /// Speaks TLS as the host, inside of the tunnel.
    async fn run(self, opening: Opening, upgraded: OnUpgrade, wire: Wire) {
        let Ok(stream) = upgraded.await else { return };
        let acceptor = TlsAcceptor::from(opening.config);
        let wire = Wire {
            tunnel: Some(opening.tunnel),
            ..wire
        };
        serve_tls(TokioIo::new(stream), &acceptor, self.surface, wire).await;
    }
}

/// `CONNECT host:port`, and the same or nothing in the host line.
fn names_one_place(request: &Request<Incoming>, authority: &str) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    let named = split_authority(authority).is_some_and(|(_, port)| port.is_some());
    let bare = split_authority(authority)
        .map(|(host, _)| host)
        .unwrap_or_default();
    let same = |host: &[u8]| {
        host.eq_ignore_ascii_case(authority.as_bytes())
            || host.eq_ignore_ascii_case(bare.as_bytes())
    };
    named && host.is_none_or(same) && hosts.next().is_none()
}

fn unknown_host(authority: &str) -> Reply {
    let host = Untrusted::from(authority).cut(100);
    let what = format!(
        "no upstream is registered for `{host}`, so no tunnel was opened. A person can register it with `tagout upstream add`."
    );
    refusal_reply(&Refusal::new(RefusalKind::Denied, &what), Shape::Http, None)
}

/// The one case in which a client must be asked for a credential: it sent none to the proxy, and
/// clients send it only when asked.
fn credential_wanted() -> Reply {
    let text =
        "TOKEN by tagout: this proxy wants the token of your connection in Proxy-Authorization.";
    let mut reply = text_reply(StatusCode::PROXY_AUTHENTICATION_REQUIRED, text);
    let ask = HeaderValue::from_static("Basic realm=\"tagout\", charset=\"UTF-8\"");
    reply.headers.insert(header::PROXY_AUTHENTICATE, ask);
    reply
}
