//! GraphQL over WebSocket: each operation that comes over it is an attempt of its own, judged as if it
//! had been posted. Nothing of the agent's frames is forwarded.
//!
//! Two protocols go by confusing names: `graphql-transport-ws`, and the older one whose name on the
//! wire is `graphql-ws`.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tagout_core::pipeline::Caller;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::limits::{HEAD_TIMEOUT, REQUEST_BODY_LIMIT_BYTES, SUBSCRIPTIONS_LIMIT};
use crate::refused::Shape;
use crate::reply::{Reply, ReplyBody};
use crate::surface::attempt::attempt;
use crate::surface::route::Routed;
use crate::surface::serve::{Answering, Surface};
use crate::surface::wire::Wire;
use crate::upstream::websocket::config;

/// How often the token is checked again while a connection is open.
const RECHECK: Duration = Duration::from_secs(1);

/// Answers that may wait for a slow client.
const QUEUE: usize = 64;

/// What is said in which protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `graphql-transport-ws`.
    Transport,
    /// `graphql-ws`, the older one.
    Legacy,
}

impl Protocol {
    const fn name(self) -> &'static str {
        match self {
            Self::Transport => "graphql-transport-ws",
            Self::Legacy => "graphql-ws",
        }
    }

    const fn next(self) -> &'static str {
        match self {
            Self::Transport => "next",
            Self::Legacy => "data",
        }
    }
}

/// One conversation.
#[derive(Clone)]
pub(crate) struct Conversation {
    pub(crate) surface: Surface,
    pub(crate) routed: Routed,
    pub(crate) caller: Caller,
    pub(crate) token: String,
    pub(crate) wire: Wire,
    pub(crate) origin: String,
    pub(crate) protocol: Protocol,
}

/// What a client's message asks for.
enum Said {
    Init,
    Ping(Value),
    Begin(String, Value),
    End(String),
    Terminate,
    Nothing,
}

/// Whether a request asks to leave HTTP. Asking for HTTP/2 in the clear is ignored, as servers do.
pub(crate) fn asks_upgrade(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE);
    upgrade.is_some_and(|upgrade| !upgrade.as_bytes().eq_ignore_ascii_case(b"h2c"))
}

/// The GraphQL protocol that a request wants to speak over a WebSocket.
pub(crate) fn protocol(headers: &HeaderMap) -> Option<Protocol> {
    let says = |name, expected: &str| {
        let value = headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value.eq_ignore_ascii_case(expected))
    };
    if !says(header::UPGRADE, "websocket") || !says(header::SEC_WEBSOCKET_VERSION, "13") {
        return None;
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offered = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let offered: Vec<&str> = offered.map(str::trim).collect();
    [Protocol::Transport, Protocol::Legacy]
        .into_iter()
        .find(|known| offered.contains(&known.name()))
}

/// Accepts the handshake, and converses until one side ends.
pub(crate) fn accept(
    request: &mut Request<Incoming>,
    conversation: Conversation,
) -> Option<Response<ReplyBody>> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY)?;
    let accepted = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
    let mut headers = HeaderMap::new();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
    let protocol = HeaderValue::from_static(conversation.protocol.name());
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    tokio::spawn(conversation.run(hyper::upgrade::on(request)));
    Some(Reply::whole(StatusCode::SWITCHING_PROTOCOLS, headers, Bytes::new()).into_response())
}

impl Conversation {
    async fn run(self, upgraded: OnUpgrade) {
        let Ok(stream) = upgraded.await else { return };
        let limits = Some(config(REQUEST_BODY_LIMIT_BYTES));
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, limits).await;
        let (mut sink, mut source) = socket.split();
        let (answers, mut answered) = mpsc::channel::<Message>(QUEUE);
        let mut stop = self.wire.stop.clone();
        let mut running = Running::new(self, answers);
        let mut recheck = tokio::time::interval(RECHECK);
        let greeted = tokio::time::sleep(HEAD_TIMEOUT);
        tokio::pin!(greeted);
        loop {
            let goes_on = tokio::select! {
                message = source.next() => match message {
                    Some(Ok(Message::Text(text))) => running.take(&text).await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => true,
                    _ => false,
                },
                Some(answer) = answered.recv() => sink.send(answer).await.is_ok(),
                _ = recheck.tick() => running.is_admitted(),
                () = stop.ordered() => false,
                () = &mut greeted, if !running.greeted => false,
            };
            if !goes_on {
                break;
            }
        }
        // Dropping `running` ends what still runs. The client may be gone already.
        let _ = sink.close().await;
    }

    /// Takes one operation through the pipeline, and its answer to the client.
    async fn answer(self, id: String, payload: Value, answers: mpsc::Sender<Message>) {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let body = Bytes::from(payload.to_string());
        let attempt = attempt(&self.routed, Method::POST, headers, body);
        let answering = Answering {
            caller: &self.caller,
            shape: Shape::GraphQl,
            origin: &self.origin,
            wire: &self.wire,
        };
        let reply = self.surface.submit(attempt, answering).await;
        let events = reply
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == "text/event-stream");
        if events {
            self.pass_events(&id, reply, &answers).await;
        } else {
            let body = reply
                .body
                .collect()
                .await
                .map(|body| body.to_bytes())
                .unwrap_or_default();
            let payload = serde_json::from_slice(&body).unwrap_or_else(|_| not_json(&body));
            let _ = answers
                .send(message(self.protocol.next(), Some(&id), Some(payload)))
                .await;
        }
        let _ = answers.send(message("complete", Some(&id), None)).await;
    }

    /// Each frame of such a body is one event.
    async fn pass_events(&self, id: &str, reply: Reply, answers: &mpsc::Sender<Message>) {
        let mut body = reply.body;
        while let Some(Ok(frame)) = body.frame().await {
            let event = frame.into_data().unwrap_or_default();
            let Some(data) = event.strip_prefix(b"event: next\ndata: ") else {
                continue;
            };
            let Ok(payload) = serde_json::from_slice(data) else {
                return;
            };
            if answers
                .send(message(self.protocol.next(), Some(id), Some(payload)))
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

/// What runs in one conversation.
struct Running {
    conversation: Conversation,
    answers: mpsc::Sender<Message>,
    tasks: HashMap<String, AbortHandle>,
    greeted: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.abort();
        }
    }
}

impl Running {
    fn new(conversation: Conversation, answers: mpsc::Sender<Message>) -> Self {
        Self {
            conversation,
            answers,
            tasks: HashMap::new(),
            greeted: false,
        }
    }

    /// Whether the token is still good.
    fn is_admitted(&self) -> bool {
        let Conversation {
            surface,
            token,
            wire,
            ..
        } = &self.conversation;
        surface.pipeline().admit(token, &wire.peer).is_ok()
    }

    /// Takes one message; whether the conversation goes on.
    async fn take(&mut self, text: &str) -> bool {
        match said(text) {
            Some(Said::Init) if !self.greeted => {
                self.greeted = true;
                self.say(message("connection_ack", None, None)).await
            }
            Some(Said::Ping(payload)) => self.say(message("pong", None, Some(payload))).await,
            Some(Said::Begin(id, payload)) if self.greeted => self.begin(id, payload),
            Some(Said::End(id)) => {
                self.tasks.remove(&id).inspect(AbortHandle::abort);
                true
            }
            Some(Said::Nothing) => true,
            _ => false,
        }
    }

    async fn say(&self, message: Message) -> bool {
        self.answers.send(message).await.is_ok()
    }

    fn begin(&mut self, id: String, payload: Value) -> bool {
        self.tasks.retain(|_, task| !task.is_finished());
        if self.tasks.contains_key(&id)
            || self.tasks.len() >= SUBSCRIPTIONS_LIMIT
            || !self.is_admitted()
        {
            return false;
        }
        let answering = self
            .conversation
            .clone()
            .answer(id.clone(), payload, self.answers.clone());
        self.tasks
            .insert(id, tokio::spawn(answering).abort_handle());
        true
    }
}

/// What a text says, in either protocol. The payload of the greeting is not looked at and goes nowhere:
/// the token came with the handshake.
fn said(text: &str) -> Option<Said> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    let payload = value
        .get_mut("payload")
        .map(Value::take)
        .unwrap_or_default();
    let id = || value.get("id")?.as_str().map(str::to_owned);
    Some(match value.get("type")?.as_str()? {
        "connection_init" => Said::Init,
        "ping" => Said::Ping(payload),
        "subscribe" | "start" => Said::Begin(id()?, payload),
        "complete" | "stop" => Said::End(id()?),
        "connection_terminate" => Said::Terminate,
        "pong" => Said::Nothing,
        _ => return None,
    })
}

fn message(kind: &str, id: Option<&str>, payload: Option<Value>) -> Message {
    let mut members = Map::new();
    members.extend(id.map(|id| ("id".to_owned(), Value::from(id))));
    members.insert("type".to_owned(), Value::from(kind));
    members.extend(
        payload
            .filter(|payload| !payload.is_null())
            .map(|payload| ("payload".to_owned(), payload)),
    );
    Message::text(Value::Object(members).to_string())
}

/// An answer that is not GraphQL's, as an error.
fn not_json(body: &[u8]) -> Value {
    let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
    json!({"data": null, "errors": [{"message": text}]})
}
