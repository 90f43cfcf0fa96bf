//! One request, from the wire to its answer.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tagout_core::ids::UpstreamName;
use tagout_core::operation::Attempt;
use tagout_core::pipeline::{Answer, Caller, Peer, Pipeline, Stray};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::untrusted::Untrusted;
use tokio::sync::OwnedSemaphorePermit;

use crate::adapter::HttpAdapter;
use crate::refused::{Shape, refusal_reply, text_reply};
use crate::reply::{Reply, ReplyBody};
use crate::surface::attempt::{NoBody, attempt, read_body};
use crate::surface::credentials::Credentials;
use crate::surface::route::{Routed, route};
use crate::surface::stop::Stop;
use crate::surface::websocket::{self, Conversation};
use crate::surface::{agree, own};

/// What all listeners for agents share.
#[derive(Clone)]
pub struct Surface {
    pipeline: Arc<dyn Pipeline<Reply>>,
    adapter: Arc<HttpAdapter>,
}

/// What is known of a connection before its first request.
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
    #[expect(dead_code, reason = "held, and given back by being dropped")]
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

impl fmt::Debug for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surface(…)")
    }
}

/// A request that was read in exactly one way, and whose credentials are out.
struct Asked<'a> {
    /// How the agent reached us: `https://host`.
    origin: String,
    authority: String,
    credentials: Credentials,
    routed: Option<Routed>,
    wire: &'a Wire,
}

impl Surface {
    /// A surface that hands requests for the adapter's upstreams to `pipeline`.
    #[must_use]
    pub fn new(pipeline: Arc<dyn Pipeline<Reply>>, adapter: Arc<HttpAdapter>) -> Self {
        Self { pipeline, adapter }
    }

    pub(crate) fn pipeline(&self) -> &dyn Pipeline<Reply> {
        self.pipeline.as_ref()
    }

    pub(crate) fn adapter(&self) -> &HttpAdapter {
        &self.adapter
    }

    /// Answers one request.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        wire: &Wire,
    ) -> Response<ReplyBody> {
        if websocket::asks_upgrade(request.headers()) {
            return self.upgrade(request, wire).await;
        }
        let (mut parts, body) = request.into_parts();
        let reply = match self.ask(&mut parts, wire) {
            Ok(asked) if own::is_ours(parts.uri.path()) => self.answer_ours(&asked, &parts).await,
            Ok(asked) => return self.forward(&asked, parts, body).await.into_response(),
            Err(reply) => *reply,
        };
        drain(body).await;
        reply.into_response()
    }

    fn ask<'a>(&self, parts: &mut Parts, wire: &'a Wire) -> Result<Asked<'a>, Box<Reply>> {
        let authority = agree::authority(&parts.uri, &parts.headers).map_err(malformed)?;
        if !wire.agrees_with(&authority) {
            let text = "DENIED by tagout: the host differs from the one that this connection was opened for.";
            return Err(Box::new(text_reply(StatusCode::MISDIRECTED_REQUEST, text)));
        }
        if parts
            .uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(malformed("the address carries a user name"));
        }
        let target = parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let routed = route(self.adapter.upstreams(), &authority, target);
        let own = routed.as_ref().map(|routed| &routed.to.credential_header);
        let mut credentials = Credentials::take(&mut parts.headers, own);
        credentials.look_in_query(parts.uri.query());
        if let Some(tunnel) = &wire.tunnel {
            credentials
                .token
                .get_or_insert_with(|| tunnel.token.clone());
        }
        let scheme = if wire.tls { "https" } else { "http" };
        Ok(Asked {
            origin: format!("{scheme}://{authority}"),
            authority,
            credentials,
            routed,
            wire,
        })
    }

    /// GraphQL over WebSocket is conversed; nothing else leaves HTTP here.
    async fn upgrade(&self, request: Request<Incoming>, wire: &Wire) -> Response<ReplyBody> {
        let (mut parts, body) = request.into_parts();
        let protocol = websocket::protocol(&parts.headers);
        let asked = match self.ask(&mut parts, wire) {
            Ok(asked) => asked,
            Err(reply) => return reply.into_response(),
        };
        let (Some(routed), Some(protocol)) = (asked.routed.clone(), protocol) else {
            return upgrade_refused().into_response();
        };
        let caller = match self.admit(&asked, Some(&routed.to.upstream.name)).await {
            Ok(caller) => caller,
            Err(refusal) => {
                return refusal_reply(&refusal, Shape::Http, Some(&asked.origin)).into_response();
            }
        };
        let conversation = Conversation {
            surface: self.clone(),
            routed,
            caller,
            token: asked.credentials.token.unwrap_or_default(),
            wire: wire.clone(),
            origin: asked.origin,
            protocol,
        };
        let mut request = Request::from_parts(parts, body);
        let accepted = websocket::accept(&mut request, conversation);
        accepted.unwrap_or_else(|| upgrade_refused().into_response())
    }

    async fn answer_ours(&self, asked: &Asked<'_>, parts: &Parts) -> Reply {
        let path = parts.uri.path();
        if let Some(healthy) = own::health(&parts.method, path) {
            return healthy;
        }
        match self.admit(asked, None).await {
            Ok(caller) => {
                own::answer(self.pipeline(), &caller, &parts.method, path, &asked.origin).await
            }
            Err(refusal) => refusal_reply(&refusal, Shape::Http, Some(&asked.origin)),
        }
    }

    async fn forward(&self, asked: &Asked<'_>, parts: Parts, body: Incoming) -> Reply {
        let Some(routed) = &asked.routed else {
            drain(body).await;
            return unknown_host(asked);
        };
        let shape = self.adapter.shape_of(routed.target.as_str());
        let caller = match self.admit(asked, Some(&routed.to.upstream.name)).await {
            Ok(caller) => caller,
            Err(refusal) => {
                drain(body).await;
                return refusal_reply(&refusal, shape, Some(&asked.origin));
            }
        };
        match read_body(body).await {
            Ok(body) => {
                let attempt = attempt(routed, parts.method, parts.headers, body);
                self.submit(&caller, attempt, shape, &asked.origin).await
            }
            Err(why) => no_body(why),
        }
    }

    /// Takes an attempt through the pipeline, also when the agent hangs up: what was begun must come to
    /// its record, and hanging up must not be a way to lose it.
    pub(crate) async fn submit(
        &self,
        caller: &Caller,
        attempt: Attempt,
        shape: Shape,
        origin: &str,
    ) -> Reply {
        let (pipeline, caller) = (Arc::clone(&self.pipeline), caller.clone());
        let submitted = tokio::spawn(async move { pipeline.submit(&caller, attempt).await });
        match submitted.await {
            Ok(Answer::Reply(reply)) => reply,
            Ok(Answer::Refused(refusal)) => refusal_reply(&refusal, shape, Some(origin)),
            Err(error) => {
                tracing::error!(%error, "an attempt was not taken to its end");
                refusal_reply(&not_ended(), shape, Some(origin))
            }
        }
    }

    /// Checks the token, and that there is no other credential.
    async fn admit(
        &self,
        asked: &Asked<'_>,
        upstream: Option<&UpstreamName>,
    ) -> Result<Caller, Box<Refusal>> {
        let token = asked.credentials.token.as_deref();
        let caller = token
            .map(|token| self.pipeline.admit(token, &asked.wire.peer))
            .transpose()?;
        if let Some(place) = &asked.credentials.stray {
            let stray = Stray {
                upstream: upstream.cloned(),
                place: place.clone(),
                host: Untrusted::from(asked.authority.as_str()).to_string(),
            };
            return Err(Box::new(self.pipeline.stray(caller.as_ref(), stray).await));
        }
        caller.ok_or_else(|| Box::new(no_token()))
    }
}

/// Reads what is left of a request before it is refused: a client that is cut off while it still sends
/// reports a broken connection, and never shows the refusal.
async fn drain(body: Incoming) {
    let _ = read_body(body).await;
}

impl Wire {
    /// The host of a request must be the one of the handshake and of the tunnel.
    fn agrees_with(&self, authority: &str) -> bool {
        let tunnelled = self
            .tunnel
            .as_ref()
            .is_none_or(|tunnel| same_place(&tunnel.authority, authority));
        tunnelled && agree::matches_sni(authority, self.sni.as_deref())
    }
}

/// Whether two authorities name one place; without a port, that of HTTPS is meant, since only TLS is
/// spoken inside of tunnels.
fn same_place(one: &str, other: &str) -> bool {
    let read = |authority: &str| {
        let (host, port) = crate::upstream::endpoint::split_authority(authority)?;
        Some((host, port.unwrap_or(443)))
    };
    read(one).is_some() && read(one) == read(other)
}

fn not_ended() -> Refusal {
    let what = "something failed inside; whether the request was executed is not known. A person has to look.";
    Refusal::new(RefusalKind::Unrecorded, what)
}

fn upgrade_refused() -> Reply {
    let text = "DENIED by tagout: of what leaves HTTP only GraphQL over WebSocket is carried here. Nothing was forwarded.";
    text_reply(StatusCode::FORBIDDEN, text)
}

fn no_token() -> Refusal {
    let what =
        "no token was sent. Send the token of your connection as `Authorization: Bearer tgo_…`.";
    let mut refusal = Refusal::new(RefusalKind::Token, what);
    refusal.advice = "Ask the person you work for to run `tagout connect`; no other credential is accepted here.".to_owned();
    refusal
}

fn unknown_host(asked: &Asked<'_>) -> Reply {
    let host = Untrusted::from(asked.authority.as_str()).cut(100);
    let what = format!(
        "no upstream is registered for `{host}`, so nothing was forwarded. A person can register it with `tagout upstream add`."
    );
    refusal_reply(
        &Refusal::new(RefusalKind::Denied, &what),
        Shape::Http,
        Some(&asked.origin),
    )
}

/// The answer to what can't be read in exactly one way.
pub(crate) fn malformed(why: &str) -> Box<Reply> {
    let text = format!("DENIED by tagout: {why}. It was not forwarded.");
    Box::new(text_reply(StatusCode::BAD_REQUEST, &text))
}

fn no_body(why: NoBody) -> Reply {
    match why {
        NoBody::TooLong => {
            let text = "DENIED by tagout: the body is longer than what can be understood here. It was not forwarded.";
            text_reply(StatusCode::PAYLOAD_TOO_LARGE, text)
        }
        NoBody::BrokenOff => *malformed("the body did not arrive whole"),
    }
}
