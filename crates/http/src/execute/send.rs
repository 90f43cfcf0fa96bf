//! The way of exact bytes to an upstream: checked, given their credential, sent.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use tagout_core::operation::{Exact, Operation};
use tagout_core::permit::Clearance;
use tagout_core::pipeline::{AuthorizedHeaders, Executed, Outcome, Vault};

use crate::execute::answer::{Expected, receive};
use crate::limits::LOOK_UP_TIMEOUT;
use crate::message::Message;
use crate::reply::Reply;
use crate::upload::{RequestBody, Spooled};
use crate::upstream::{AnswerBody, Registered, Sending, Sent};

/// Who sends: the upstream and the vault with its credential.
#[derive(Clone, Copy)]
pub(crate) struct Sender<'a> {
    pub(crate) to: &'a Registered,
    pub(crate) vault: &'a dyn Vault,
}

/// Sends `operation.exact` with the body that was kept for it, and reads what became of it.
pub(crate) async fn execute_upload(
    sender: Sender<'_>,
    clearance: &Clearance,
    operation: &Operation,
    spooled: &Spooled,
    expected: Expected<'_>,
) -> Executed<Reply> {
    let request = sender.request(clearance, &operation.exact).await;
    let request = request.and_then(|request| with_file(request, spooled));
    let sent = match request {
        Ok(request) => sender.to.pool.send(request, Sending::Upload).await,
        Err(why) => Sent::Unsent(why),
    };
    concluded(sender, sent, expected).await
}

fn with_file(
    request: Request<RequestBody>,
    spooled: &Spooled,
) -> Result<Request<RequestBody>, String> {
    let body = RequestBody::file(spooled).map_err(|error| error.to_string())?;
    let mut request = request.map(|_| body);
    if let Some(content_type) = &spooled.content_type {
        request
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, content_type.clone());
    }
    Ok(request)
}

/// Sends `operation.exact` and reads what became of it.
pub(crate) async fn execute(
    sender: Sender<'_>,
    clearance: &Clearance,
    operation: &Operation,
    expected: Expected<'_>,
) -> Executed<Reply> {
    let sent = sender.send(clearance, &operation.exact).await;
    concluded(sender, sent, expected).await
}

async fn concluded(sender: Sender<'_>, sent: Sent, expected: Expected<'_>) -> Executed<Reply> {
    let lost = match sent {
        Sent::Answered(response) => return receive(sender, response, expected).await,
        Sent::Unsent(why) => return without_answer(Outcome::NotSent(why)),
        Sent::Lost(why) => why,
        Sent::Late => "no answer in time".to_owned(),
    };
    // A read whose answer is lost has changed nothing.
    let outcome = if expected.effect {
        Outcome::Unknown(lost)
    } else {
        Outcome::Failed(lost)
    };
    without_answer(outcome)
}

pub(crate) const fn without_answer(outcome: Outcome) -> Executed<Reply> {
    Executed {
        outcome,
        reply: None,
    }
}

impl Sender<'_> {
    /// Sends `exact`. Only a read is sent a second time, when its connection died before an answer.
    pub(crate) async fn send(self, clearance: &Clearance, exact: &Exact) -> Sent {
        let sending = sending(clearance);
        let sent = self.send_once(clearance, exact, sending).await;
        match (sent, sending) {
            (Sent::Lost(_), Sending::Read) => self.send_once(clearance, exact, sending).await,
            (sent, _) => sent,
        }
    }

    /// Asks for the head of `/`, whatever it is.
    pub(crate) async fn probe(self, leave: &Clearance) -> Result<StatusCode, String> {
        let message = Message {
            method: Method::HEAD,
            target: "/".to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let exact = Exact::new(message.write());
        match tokio::time::timeout(LOOK_UP_TIMEOUT, self.send(leave, &exact)).await {
            Ok(Sent::Answered(answer)) => Ok(answer.status()),
            Ok(Sent::Unsent(why) | Sent::Lost(why)) => Err(why),
            Ok(Sent::Late) | Err(_) => Err("no answer in time".to_owned()),
        }
    }

    async fn send_once(self, clearance: &Clearance, exact: &Exact, sending: Sending) -> Sent {
        match self.request(clearance, exact).await {
            Ok(request) => self.to.pool.send(request, sending).await,
            Err(why) => Sent::Unsent(why),
        }
    }

    /// The request as it goes on the wire, for the bytes that `clearance` admits and no others.
    pub(crate) async fn request(
        self,
        clearance: &Clearance,
        exact: &Exact,
    ) -> Result<Request<RequestBody>, String> {
        let upstream = &self.to.upstream.name;
        if !clearance.admits(upstream, exact) {
            return Err("these bytes were not cleared for this upstream".to_owned());
        }
        let message = Message::parse(exact.bytes()).map_err(|error| error.to_string())?;
        let host = self.to.endpoint.bare_host();
        let authorized = self.vault.authorize(clearance, exact, upstream, host).await;
        let authorized = authorized.map_err(|error| error.to_string())?;
        self.compose(message, authorized)
            .ok_or_else(|| "the request can't be written".to_owned())
    }

    fn compose(
        self,
        message: Message,
        authorized: AuthorizedHeaders,
    ) -> Option<Request<RequestBody>> {
        let mut request = Request::new(RequestBody::whole(message.body));
        *request.method_mut() = message.method;
        *request.uri_mut() = message.target.parse().ok()?;
        *request.headers_mut() = message.headers;
        let headers = request.headers_mut();
        headers.insert(
            http::header::HOST,
            HeaderValue::from_str(&self.to.authority).ok()?,
        );
        headers.insert(
            http::header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        headers.remove(&self.to.credential_header);
        for (name, value) in authorized.0 {
            let mut value = HeaderValue::from_bytes(&value).ok()?;
            value.set_sensitive(true);
            headers.insert(name.parse::<HeaderName>().ok()?, value);
        }
        Some(request)
    }
}

/// Errands only look; what is recorded as an effect is never sent twice, whatever it is.
const fn sending(clearance: &Clearance) -> Sending {
    match clearance {
        Clearance::Effect(_) | Clearance::Trial(_) => Sending::Effect,
        Clearance::Read(_) | Clearance::Errand(_) => Sending::Read,
    }
}

/// The method that an operation is sent with.
pub(crate) fn method_of(operation: &Operation) -> Method {
    let line = operation.exact.bytes().split(|byte| *byte == b' ').next();
    line.and_then(|method| Method::from_bytes(method).ok())
        .unwrap_or_default()
}

/// An answer whose head is here.
pub(crate) type Answered = Response<AnswerBody>;
