//! GraphQL subscriptions: judged like a query, carried by a WebSocket, answered as an event stream
//! (`next` and `complete`, as in GraphQL over SSE). Each event is redacted and scrubbed by itself.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::{Value, json};
use tagout_core::ids::UpstreamName;
use tagout_core::operation::{Operation, SecretPath};
use tagout_core::permit::Clearance;
use tagout_core::pipeline::{Executed, Outcome, Vault};
use tokio_tungstenite::tungstenite::Message;

use crate::execute::redact::redact;
use crate::execute::send::{Sender, without_answer};
use crate::limits::{ANSWER_IDLE_TIMEOUT, SUBSCRIPTION_LIFE};
use crate::reply::{BrokenOff, Reply};
use crate::upstream::websocket::{Socket, open};

/// The one subscription of each WebSocket of ours.
const ID: &str = "1";

/// What is read from, until it ends.
struct Events {
    socket: Socket,
    secrets: Vec<SecretPath>,
    upstream: UpstreamName,
    vault: Arc<dyn Vault>,
    until: tokio::time::Instant,
    ready: VecDeque<Bytes>,
    ended: bool,
}

/// Whether an operation is a subscription, and nothing else.
pub(crate) fn is_subscription(operation: &Operation) -> bool {
    match operation
        .canonical
        .get("graphql")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        Some([one]) => one.get("kind").and_then(Value::as_str) == Some("subscription"),
        _ => false,
    }
}

/// Opens the subscription that `operation` is.
pub(crate) async fn subscribe(
    sender: Sender<'_>,
    clearance: &Clearance,
    operation: &Operation,
    vault: Arc<dyn Vault>,
) -> Executed<Reply> {
    let request = match sender.request(clearance, &operation.exact).await {
        Ok(request) => request,
        Err(why) => return without_answer(Outcome::NotSent(why)),
    };
    let (head, body) = request.into_parts();
    let payload: Value = match http_body_util::BodyExt::collect(body).await {
        Ok(body) => serde_json::from_slice(&body.to_bytes()).unwrap_or_default(),
        Err(error) => return without_answer(Outcome::NotSent(error.to_string())),
    };
    let mut opening = Request::new(());
    *opening.uri_mut() = head.uri;
    *opening.headers_mut() = head.headers;
    opening.headers_mut().remove(header::CONTENT_TYPE);
    match begin(sender, opening, payload).await {
        Ok(socket) => answered(Events {
            socket,
            secrets: operation.secrets.clone(),
            upstream: operation.upstream.clone(),
            vault,
            until: tokio::time::Instant::now() + SUBSCRIPTION_LIFE,
            ready: VecDeque::new(),
            ended: false,
        }),
        Err(why) => without_answer(Outcome::Failed(why)),
    }
}

async fn begin(sender: Sender<'_>, opening: Request<()>, payload: Value) -> Result<Socket, String> {
    let mut socket = open(&sender.to.endpoint, sender.to.pool.tls(), opening).await?;
    let broken = |error: tokio_tungstenite::tungstenite::Error| error.to_string();
    let init = json!({"type": "connection_init"}).to_string();
    socket.send(Message::text(init)).await.map_err(broken)?;
    let acknowledged = async {
        while let Some(message) = socket.next().await {
            if kind_of(&message.map_err(broken)?).as_deref() == Some("connection_ack") {
                return Ok(());
            }
        }
        Err("the upstream closed the WebSocket".to_owned())
    };
    let acknowledged = tokio::time::timeout(ANSWER_IDLE_TIMEOUT, acknowledged).await;
    acknowledged.map_err(|_| "the upstream did not acknowledge the WebSocket".to_owned())??;
    let subscribe = json!({"id": ID, "type": "subscribe", "payload": payload}).to_string();
    socket
        .send(Message::text(subscribe))
        .await
        .map_err(broken)?;
    Ok(socket)
}

fn kind_of(message: &Message) -> Option<String> {
    let value: Value = serde_json::from_str(message.to_text().ok()?).ok()?;
    value.get("type")?.as_str().map(str::to_owned)
}

fn answered(events: Events) -> Executed<Reply> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let frames = stream::unfold(events, |mut events| async {
        let next = events.next().await?;
        Some((Ok::<_, BrokenOff>(Frame::data(next)), events))
    });
    let reply = Reply::events(StatusCode::OK, headers, StreamBody::new(frames));
    Executed {
        outcome: Outcome::Done("subscribed".to_owned()),
        reply: Some(reply),
    }
}

impl Events {
    /// The next event, until the subscription has ended or lived long enough.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            let message = tokio::time::timeout_at(self.until, self.socket.next()).await;
            match message {
                Ok(Some(Ok(message))) => self.take(&message),
                _ => self.complete(),
            }
        }
    }

    fn take(&mut self, message: &Message) {
        let Message::Text(text) = message else { return };
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            return self.complete();
        };
        match value.get("type").and_then(Value::as_str) {
            Some("next") => self.push(value.get("payload").unwrap_or(&Value::Null)),
            Some("error") => {
                self.push(&json!({"errors": value.get("payload")}));
                self.complete();
            }
            Some("complete") => self.complete(),
            // Keep-alives. Anything else is not for us.
            _ => {}
        }
    }

    fn push(&mut self, payload: &Value) {
        let text = payload.to_string();
        let Some(mut shown) = redact(text.as_bytes(), &self.secrets) else {
            return self.complete();
        };
        self.vault.scrub(&self.upstream, &mut shown);
        self.ready.push_back(
            [b"event: next\ndata: ".as_slice(), &shown, b"\n\n"]
                .concat()
                .into(),
        );
    }

    fn complete(&mut self) {
        self.ready
            .push_back(Bytes::from_static(b"event: complete\ndata: \n\n"));
        self.ended = true;
    }
}
