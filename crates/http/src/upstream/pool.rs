//! Connections to one upstream, used again.
//!
//! What is sent is sent once. Only what provably never left (the connection was closed before it took
//! the request) is given to another connection here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use rustls::ClientConfig;
use tokio::time::error::Elapsed;

use crate::limits::{
    ANSWER_TIMEOUT, EFFECT_IDLE_LIMIT, IDLE_CONNECTION_LIFE, IDLE_CONNECTIONS_LIMIT, UPLOAD_TIMEOUT,
};
use crate::upload::RequestBody;
use crate::upstream::dial::{Connection, dial};
use crate::upstream::{AnswerBody, Endpoint};

/// How often a request that never left may try another connection: more means that the upstream
/// closes every connection as soon as it is open.
const TRIES: usize = 3;

/// Time for a connection that gave its whole answer to be ready for the next request.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// What is sent, which decides how fresh its connection must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Something that only observes.
    Read,
    /// Anything else.
    Effect,
    /// An effect whose body takes its time.
    Upload,
}

impl Sending {
    /// How long a connection may have been idle to carry it.
    const fn idle_limit(self) -> Duration {
        match self {
            Self::Read => IDLE_CONNECTION_LIFE,
            Self::Effect | Self::Upload => EFFECT_IDLE_LIMIT,
        }
    }

    /// How long it is waited for the head of the answer.
    const fn patience(self) -> Duration {
        match self {
            Self::Read | Self::Effect => ANSWER_TIMEOUT,
            Self::Upload => UPLOAD_TIMEOUT,
        }
    }
}

/// What became of one request.
#[derive(Debug)]
pub(crate) enum Sent {
    /// The head of the answer is here.
    Answered(Response<AnswerBody>),
    /// It never left.
    Unsent(String),
    /// It left, or may have, and the connection died before an answer.
    Lost(String),
    /// It left, and no answer came in time.
    Late,
}

/// The connections of one upstream.
#[derive(Debug)]
pub(crate) struct Pool {
    endpoint: Endpoint,
    tls: Arc<ClientConfig>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The one that was used last at the back.
    idle: VecDeque<Idle>,
    /// One connection for all, and when it was used last.
    shared: Option<(http2::SendRequest<RequestBody>, Instant)>,
}

/// A connection, and since when nothing is sent on it.
type Idle = (http1::SendRequest<RequestBody>, Instant);

/// One attempt on one connection.
enum Tried {
    Over(Sent),
    Again(Box<Request<RequestBody>>, String),
}

impl Pool {
    /// An empty pool.
    pub(crate) fn new(endpoint: Endpoint, tls: Arc<ClientConfig>) -> Arc<Self> {
        Arc::new(Self {
            endpoint,
            tls,
            kept: Mutex::default(),
        })
    }

    /// How TLS is spoken to this upstream.
    pub(crate) const fn tls(&self) -> &Arc<ClientConfig> {
        &self.tls
    }

    /// Sends `request` (origin-form target, `host` line) once.
    pub(crate) async fn send(
        self: &Arc<Self>,
        mut request: Request<RequestBody>,
        sending: Sending,
    ) -> Sent {
        let mut why = String::new();
        for _ in 0..TRIES {
            let connection = match self.connection(sending).await {
                Ok(connection) => connection,
                Err(error) => return Sent::Unsent(error),
            };
            match self.send_on(connection, request, sending).await {
                Tried::Over(sent) => return sent,
                Tried::Again(unsent, error) => (request, why) = (*unsent, error),
            }
        }
        Sent::Unsent(why)
    }

    async fn connection(&self, sending: Sending) -> Result<Connection, String> {
        if let Some(shared) = self.shared(sending.idle_limit()) {
            return Ok(Connection::Http2(shared));
        }
        while let Some(mut idle) = self.take_idle(sending.idle_limit()) {
            let ready = tokio::time::timeout(READY_TIMEOUT, idle.ready()).await;
            if ready.is_ok_and(|ready| ready.is_ok()) {
                return Ok(Connection::Http1(idle));
            }
        }
        let opened = dial(&self.endpoint, &self.tls).await?;
        if let Connection::Http2(shared) = &opened {
            self.kept().shared = Some((shared.clone(), Instant::now()));
        }
        Ok(opened)
    }

    /// The shared connection, if it is in use. One that was idle for too long may be dead without our
    /// knowing; what still runs on it goes on.
    fn shared(&self, idle_limit: Duration) -> Option<http2::SendRequest<RequestBody>> {
        let mut kept = self.kept();
        let over = |(sender, used): &mut (http2::SendRequest<_>, Instant)| {
            sender.is_closed() || used.elapsed() >= idle_limit
        };
        kept.shared.take_if(over);
        let (sender, used) = kept.shared.as_mut()?;
        *used = Instant::now();
        Some(sender.clone())
    }

    /// The connection that was used last, if that is not too long ago.
    fn take_idle(&self, idle_limit: Duration) -> Option<http1::SendRequest<RequestBody>> {
        let mut kept = self.kept();
        loop {
            let (sender, since) = kept.idle.pop_back()?;
            if since.elapsed() >= idle_limit {
                // All others have been idle for longer.
                kept.idle.push_back((sender, since));
                return None;
            }
            if !sender.is_closed() {
                return Some(sender);
            }
        }
    }

    /// Keeps a connection whose answer was read to its end.
    pub(crate) fn keep(&self, sender: http1::SendRequest<RequestBody>) {
        if sender.is_closed() {
            return;
        }
        let mut kept = self.kept();
        let is_old = |(_, since): &mut Idle| since.elapsed() >= IDLE_CONNECTION_LIFE;
        while kept.idle.len() >= IDLE_CONNECTIONS_LIMIT || kept.idle.front_mut().is_some_and(is_old)
        {
            kept.idle.pop_front();
        }
        kept.idle.push_back((sender, Instant::now()));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send_on(
        self: &Arc<Self>,
        connection: Connection,
        request: Request<RequestBody>,
        sending: Sending,
    ) -> Tried {
        match connection {
            Connection::Http1(mut sender) => {
                let answer = in_time(sending, sender.try_send_request(request)).await;
                over(answer, |body| {
                    AnswerBody::new(body, Some((sender, Arc::clone(self))))
                })
            }
            Connection::Http2(mut sender) => {
                let request = self.for_http2(request);
                over(
                    in_time(sending, sender.try_send_request(request)).await,
                    |body| AnswerBody::new(body, None),
                )
            }
        }
    }

    /// HTTP/2 carries scheme and authority in the target, and no `host` line.
    fn for_http2(&self, mut request: Request<RequestBody>) -> Request<RequestBody> {
        request.headers_mut().remove(http::header::HOST);
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let whole = format!("https://{}{target}", self.endpoint.authority());
        if let Ok(uri) = whole.parse::<Uri>() {
            *request.uri_mut() = uri;
        }
        *request.version_mut() = http::Version::HTTP_2;
        request
    }
}

type TrySent = Result<Response<Incoming>, hyper::client::conn::TrySendError<Request<RequestBody>>>;

async fn in_time(
    sending: Sending,
    sent: impl Future<Output = TrySent>,
) -> Result<TrySent, Elapsed> {
    tokio::time::timeout(sending.patience(), sent).await
}

fn over(answer: Result<TrySent, Elapsed>, body: impl FnOnce(Incoming) -> AnswerBody) -> Tried {
    match answer {
        Ok(Ok(response)) => Tried::Over(Sent::Answered(response.map(body))),
        Ok(Err(mut error)) => match error.take_message() {
            Some(unsent) => Tried::Again(Box::new(unsent), error.error().to_string()),
            None => Tried::Over(Sent::Lost(error.error().to_string())),
        },
        Err(_) => Tried::Over(Sent::Late),
    }
}
