//! One request, from the wire to its answer.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tagout_core::ids::UpstreamName;
use tagout_core::operation::Attempt;
use tagout_core::pipeline::{Answer, Caller, Pipeline, Stray};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::untrusted::Untrusted;
use tokio::sync::Semaphore;

use crate::adapter::HttpAdapter;
use crate::limits::UPLOADS_LIMIT;
use crate::refused::{Shape, refusal_reply, text_reply};
use crate::reply::{Reply, ReplyBody};
use crate::surface::asked::{self, Asked, malformed};
use crate::surface::attempt::{NoBody, attempt, body_memory, drain, may_be_long, read_body};
use crate::surface::own;
use crate::surface::route::Routed;
use crate::surface::websocket::{self, Conversation};
use crate::surface::wire::Wire;
use crate::upload::{NotSpooled, spool, with_line};

/// What all listeners for agents share.
#[derive(Clone)]
pub struct Surface {
    pipeline: Arc<dyn Pipeline<Reply>>,
    adapter: Arc<HttpAdapter>,
    body_memory: Arc<Semaphore>,
    upload_places: Arc<Semaphore>,
}

/// What the answer to one attempt depends on, besides the attempt.
pub(crate) struct Answering<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) shape: Shape,
    pub(crate) origin: &'a str,
    pub(crate) wire: &'a Wire,
}

impl fmt::Debug for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surface(…)")
    }
}

impl Surface {
    /// A surface that hands requests for the adapter's upstreams to `pipeline`.
    #[must_use]
    pub fn new(pipeline: Arc<dyn Pipeline<Reply>>, adapter: Arc<HttpAdapter>) -> Self {
        Self {
            pipeline,
            adapter,
            body_memory: body_memory(),
            upload_places: Arc::new(Semaphore::new(UPLOADS_LIMIT)),
        }
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
        let leaves_http = websocket::asks_upgrade(request.headers());
        let (mut parts, body) = request.into_parts();
        let asked = match asked::read(&mut parts, wire, self.adapter.upstreams()) {
            Ok(asked) => asked,
            Err(reply) => {
                drain(body).await;
                return reply.into_response();
            }
        };
        if leaves_http {
            return self.upgrade(asked, Request::from_parts(parts, body)).await;
        }
        if own::is_ours(parts.uri.path()) {
            return self.answer_ours(&asked, &parts, body).await.into_response();
        }
        self.forward(&asked, parts, body).await.into_response()
    }

    /// GraphQL over WebSocket is conversed; nothing else leaves HTTP here.
    async fn upgrade(
        &self,
        asked: Asked<'_>,
        mut request: Request<Incoming>,
    ) -> Response<ReplyBody> {
        let protocol = websocket::protocol(request.headers());
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
            wire: asked.wire.clone(),
            origin: asked.origin,
            protocol,
        };
        let accepted = websocket::accept(&mut request, conversation);
        accepted.unwrap_or_else(|| upgrade_refused().into_response())
    }

    async fn answer_ours(&self, asked: &Asked<'_>, parts: &Parts, body: Incoming) -> Reply {
        let path = parts.uri.path();
        if let Some(healthy) = own::health(&parts.method, path) {
            drain(body).await;
            return healthy;
        }
        let caller = match self.admit(asked, None).await {
            Ok(caller) => caller,
            Err(refusal) => {
                drain(body).await;
                return refusal_reply(&refusal, Shape::Http, Some(&asked.origin));
            }
        };
        if own::asks_for_a_grant(&parts.method, path) {
            return match read_body(body, &self.body_memory).await {
                Ok(body) => own::grant(self.pipeline(), &caller, &body.bytes, &asked.origin).await,
                Err(why) => no_body(why),
            };
        }
        drain(body).await;
        own::answer(self.pipeline(), &caller, &parts.method, path, &asked.origin).await
    }

    async fn forward(&self, asked: &Asked<'_>, parts: Parts, body: Incoming) -> Reply {
        let Some(routed) = &asked.routed else {
            drain(body).await;
            return self.refuse_unknown(asked).await;
        };
        let shape = Shape::at(&routed.target);
        let caller = match self.admit(asked, Some(&routed.to.upstream.name)).await {
            Ok(caller) => caller,
            Err(refusal) => {
                drain(body).await;
                return refusal_reply(&refusal, shape, Some(&asked.origin));
            }
        };
        if may_be_long(&body) && self.is_upload(routed, &parts) {
            let answering = Answering {
                caller: &caller,
                shape,
                origin: &asked.origin,
                wire: asked.wire,
            };
            return self.upload(routed, parts, body, answering).await;
        }
        let body = match read_body(body, &self.body_memory).await {
            Ok(body) => body,
            Err(why) => return no_body(why),
        };
        let shape = shape.for_batch(&body.bytes);
        let attempt = attempt(routed, parts.method, parts.headers, body.bytes);
        let answering = Answering {
            caller: &caller,
            shape,
            origin: &asked.origin,
            wire: asked.wire,
        };
        let mut reply = self.submit(attempt, answering).await;
        drop(body.share);
        routed.lead_back(&mut reply.headers);
        reply
    }

    /// Whether a pack declares this request's route for bodies of any length.
    fn is_upload(&self, routed: &Routed, parts: &Parts) -> bool {
        let head = attempt(
            routed,
            parts.method.clone(),
            parts.headers.clone(),
            Bytes::new(),
        );
        let understanding = self.adapter.understanding();
        understanding
            .upload_route(&head.upstream, &head.bytes)
            .is_some()
    }

    /// Keeps the body in a file until the attempt is over.
    async fn upload(
        &self,
        routed: &Routed,
        parts: Parts,
        body: Incoming,
        answering: Answering<'_>,
    ) -> Reply {
        let Ok(_place) = self.upload_places.acquire().await else {
            return not_kept(NotSpooled::NoRoom);
        };
        let content_type = parts.headers.get(header::CONTENT_TYPE).cloned();
        let spooled = match spool(body, content_type).await {
            Ok(spooled) => Arc::new(spooled),
            Err(why) => return not_kept(why),
        };
        self.adapter.uploads().keep(&spooled);
        let mut attempt = attempt(routed, parts.method, parts.headers, Bytes::new());
        attempt.bytes = with_line(&attempt.bytes, &spooled);
        let mut reply = self.submit(attempt, answering).await;
        routed.lead_back(&mut reply.headers);
        reply
    }

    /// Takes an attempt through the pipeline, also when the agent hangs up: what was begun must come to
    /// its record, and hanging up must not be a way to lose it.
    pub(crate) async fn submit(&self, attempt: Attempt, answering: Answering<'_>) -> Reply {
        let Answering {
            caller,
            shape,
            origin,
            wire,
        } = answering;
        let (pipeline, hearing) = (Arc::clone(&self.pipeline), Arc::clone(&self.pipeline));
        let (caller, hearer) = (caller.clone(), caller.clone());
        let place = Arc::clone(&wire.place);
        let submitted = tokio::spawn(async move {
            let answer = pipeline.submit(&caller, attempt).await;
            drop(place);
            answer
        });
        match submitted.await {
            Ok(Answer::Reply(reply)) => reply.while_it(Box::new(move || hearing.goes_on(&hearer))),
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

    /// A credential that was meant for an unknown host is reported all the same.
    async fn refuse_unknown(&self, asked: &Asked<'_>) -> Reply {
        if asked.credentials.stray.is_some()
            && let Err(refusal) = self.admit(asked, None).await
        {
            return refusal_reply(&refusal, Shape::Http, Some(&asked.origin));
        }
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
}

fn no_token() -> Refusal {
    let what =
        "no token was sent. Send the token of your connection as `Authorization: Bearer tgo_…`.";
    let mut refusal = Refusal::new(RefusalKind::Token, what);
    refusal.advice = "Ask the person you work for to run `tagout connect`; no other credential is accepted here.".to_owned();
    refusal
}

fn not_ended() -> Refusal {
    let what = "something failed inside; whether the request was executed is not known. A person has to look.";
    Refusal::new(RefusalKind::Unrecorded, what)
}

fn upgrade_refused() -> Reply {
    let text = "DENIED by tagout: of what leaves HTTP only GraphQL over WebSocket is carried here. Nothing was forwarded.";
    text_reply(StatusCode::FORBIDDEN, text)
}

fn not_kept(why: NotSpooled) -> Reply {
    match why {
        NotSpooled::TooLong => no_body(NoBody::TooLong),
        NotSpooled::BrokenOff => no_body(NoBody::BrokenOff),
        NotSpooled::NoRoom => {
            let text =
                "UPSTREAM by tagout: there is no room for this upload now. It was not forwarded.";
            text_reply(StatusCode::INSUFFICIENT_STORAGE, text)
        }
    }
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
