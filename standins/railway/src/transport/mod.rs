//! The wire: plain or TLS, HTTP/1.1 or HTTP/2, and what a request is answered with.

mod body;
mod request;
mod websocket;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::dynamic::Schema;
use async_graphql::{Data, Request as Operation, Response as Answer, Value as GraphqlValue};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::faults::{Fault, FaultAction};
use crate::record::{Kind, Record};
use crate::schema::{Caller, Course, Via, identify};
use crate::state::State;
use request::Batch;

/// The schema and the state it works on.
#[derive(Clone)]
struct Graphql {
    schema: Schema,
    state: State,
    /// Ends when the server does: connections that were upgraded listen to it.
    alive: watch::Receiver<()>,
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("connection dropped on purpose")]
struct Dropped;

/// What the server says of a volume delete in the two soft modes.
const DELAY_CLAIM: &str = "volume is queued and will be permanently deleted within 48 hours";

type Reply = Response<Full<Bytes>>;

/// Accepts connections until it is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    schema: Schema,
    state: State,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> Infallible {
    let (_life, alive) = watch::channel(());
    let graphql = Graphql {
        schema,
        state,
        alive,
    };
    let acceptor = tls.map(TlsAcceptor::from);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(
                    connection(stream, graphql.clone(), acceptor.clone()),
                )),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, graphql: Graphql, acceptor: Option<TlsAcceptor>) {
    match acceptor {
        None => speak(stream, graphql).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                speak(stream, graphql).await;
            }
        }
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, graphql: Graphql) {
    let service = service_fn(move |request| {
        let graphql = graphql.clone();
        async move { graphql.handle(request).await }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    let io = TokioIo::new(stream);
    // A client that goes away is no concern of a server that plays a provider.
    drop(server.serve_connection_with_upgrades(io, service).await);
}

impl Graphql {
    async fn handle(&self, request: Request<Incoming>) -> Result<Reply, Dropped> {
        if !matches!(request.uri().path(), "/graphql/v2" | "/graphql/internal") {
            return Ok(plain(StatusCode::NOT_FOUND, "Not Found"));
        }
        let via = format!("{:?}", request.version());
        let caller = self.caller(request.headers());
        if websocket::asked_for(&request) {
            return Ok(websocket::accept(request, self.clone(), caller));
        }
        let Some(caller) = caller else {
            self.turn_away(Kind::Unauthorized, "Not Authorized", None, via);
            return Ok(not_authorized());
        };
        let batch = match request::read(request).await {
            Ok(batch) => batch,
            Err(refused) => {
                self.turn_away(Kind::Rejected, &refused.text, Some(&caller), via);
                return Ok(failure(refused.status, &refused.text));
            }
        };
        self.answer(batch, caller, via).await
    }

    fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text("authorization").and_then(bearer);
        identify(&self.state.world(), bearer, text("project-access-token"))
    }

    async fn answer(&self, batch: Batch, caller: Caller, via: String) -> Result<Reply, Dropped> {
        let fault = self
            .state
            .next_fault(&batch.root_fields())
            .unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
        if fault.action != FaultAction::Answer && !fault.after_effect {
            return spoiled(&fault);
        }
        let body = self.execute(batch, caller, via).await;
        if fault.action != FaultAction::Answer {
            return spoiled(&fault);
        }
        Ok(json_reply(StatusCode::OK, &body))
    }

    async fn execute(&self, batch: Batch, caller: Caller, via: String) -> Value {
        let mut answers = Vec::new();
        for operation in batch.operations {
            answers.push(
                self.execute_one(operation, caller.clone(), via.clone())
                    .await,
            );
        }
        if batch.is_array {
            Value::Array(answers)
        } else {
            answers.pop().unwrap_or_default()
        }
    }

    async fn execute_one(&self, operation: Operation, caller: Caller, via: String) -> Value {
        let course = Course::default();
        let request = operation
            .data(caller.clone())
            .data(Via(via.clone()))
            .data(course.clone());
        let mut answer = self.schema.execute(request).await;
        if answer.is_err() && !course.ran() {
            self.turn_away(Kind::Rejected, &first_error(&answer), Some(&caller), via);
        }
        if course.claims_delay() {
            answer
                .extensions
                .insert("notice".to_owned(), GraphqlValue::from(DELAY_CLAIM));
        }
        serde_json::to_value(&answer).unwrap_or_default()
    }

    fn turn_away(&self, kind: Kind, error: &str, caller: Option<&Caller>, via: String) {
        self.state.record(Record {
            kind,
            error: Some(error.to_owned()),
            caller: caller.map(|c| c.name.clone()),
            via,
            ..Record::default()
        });
    }

    fn connection_data(caller: Caller) -> Data {
        let mut data = Data::default();
        data.insert(caller);
        data.insert(Via("websocket".to_owned()));
        data
    }
}

/// The secret in the value of an `Authorization` header.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

fn first_error(answer: &Answer) -> String {
    answer
        .errors
        .first()
        .map(|e| e.message.clone())
        .unwrap_or_default()
}

fn spoiled(fault: &Fault) -> Result<Reply, Dropped> {
    match fault.action {
        FaultAction::Drop | FaultAction::Answer => Err(Dropped),
        FaultAction::Status(code) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
            Ok(plain(status, "<html><body>upstream trouble</body></html>"))
        }
        FaultAction::Garbage => Ok(plain(StatusCode::OK, "\u{fffd}{\"data\":{\"volumeDel")),
    }
}

fn not_authorized() -> Reply {
    failure(StatusCode::UNAUTHORIZED, "Not Authorized")
}

fn failure(status: StatusCode, text: &str) -> Reply {
    json_reply(
        status,
        &json!({ "errors": [{ "message": text }], "data": null }),
    )
}

fn json_reply(status: StatusCode, body: &Value) -> Reply {
    reply(status, "application/json; charset=utf-8", body.to_string())
}

fn plain(status: StatusCode, text: &str) -> Reply {
    reply(status, "text/html; charset=utf-8", text.to_owned())
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::from(body));
    *reply.status_mut() = status;
    let value = header::HeaderValue::from_static(content_type);
    reply.headers_mut().insert(header::CONTENT_TYPE, value);
    reply
}

fn is_get(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
