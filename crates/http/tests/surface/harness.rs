//! A gateway on a free port of the loopback, with a pipeline that allows reads and writes, holds the
//! rest, and remembers what it saw.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use standin_railway::{Config, Running, Standin, seed};
use tagout_core::digest::{OperationDigest, PolicyDigest};
use tagout_core::effect::{Effect, EffectOn};
use tagout_core::ids::{ConnectionId, HoldId, OperationId, UpstreamName};
use tagout_core::operation::{Attempt, Exact, Operation};
use tagout_core::permit::{Basis, Clearance, Errand, ErrandPermit, Permit, QueuedRead, Recorded};
use tagout_core::pipeline::{
    Adapter as _, Answer, AuthorizedHeaders, Caller, Errands, Executed, HoldStatus, Later, Outcome,
    Peer, Pipeline, Stray, Throttled, Vault, VaultError,
};
use tagout_core::proposal::Upstream;
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::resolved::Resolved;
use tagout_http::understand::Packs;
use tagout_http::{HttpAdapter, Reply, StopHandle, Surface, serve_reverse, stop_signal};
use tagout_seal::{EngineSeal, LedgerSeal};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The one token that is admitted.
pub(crate) const TOKEN: &str = "tgo_harness1";

/// Knows one credential, for every upstream.
pub(crate) struct OneCredential {
    pub(crate) header: &'static str,
    pub(crate) before: &'static str,
    pub(crate) secret: &'static str,
}

impl Vault for OneCredential {
    fn authorize<'a>(
        &'a self,
        clearance: &'a Clearance,
        exact: &'a Exact,
        upstream: &'a UpstreamName,
        _host: &'a str,
    ) -> Later<'a, Result<AuthorizedHeaders, VaultError>> {
        let admitted = clearance.admits(upstream, exact);
        let line = (
            self.header.to_owned(),
            format!("{}{}", self.before, self.secret).into_bytes(),
        );
        Box::pin(async move {
            if admitted {
                Ok(AuthorizedHeaders(vec![line]))
            } else {
                Err(VaultError::OtherBytes)
            }
        })
    }

    fn scrub(&self, _upstream: &UpstreamName, text: &mut Vec<u8>) -> bool {
        let secret = self.secret.as_bytes();
        let mut found = false;
        while let Some(at) = text
            .windows(secret.len())
            .position(|window| window == secret)
        {
            text.splice(at..at + secret.len(), *b"[gone]");
            found = true;
        }
        found
    }
}

/// Gives leave so many times, and counts.
pub(crate) struct Counted {
    pub(crate) asked: AtomicUsize,
    pub(crate) limit: AtomicUsize,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            asked: AtomicUsize::new(0),
            limit: AtomicUsize::new(usize::MAX),
        }
    }
}

impl Errands for Counted {
    fn leave(&self, upstream: &UpstreamName, errand: Errand) -> Result<Clearance, Throttled> {
        if self.asked.fetch_add(1, Ordering::SeqCst) >= self.limit.load(Ordering::SeqCst) {
            return Err(Throttled);
        }
        Ok(Clearance::Errand(ErrandPermit::mint(
            EngineSeal::new(),
            upstream.clone(),
            errand,
        )))
    }
}

/// The pipeline of these tests.
pub(crate) struct Direct {
    pub(crate) adapter: Arc<HttpAdapter>,
    pub(crate) errands: Counted,
    pub(crate) strays: Mutex<Vec<Stray>>,
    pub(crate) held: Mutex<Vec<Resolved>>,
    pub(crate) outcomes: Mutex<Vec<Outcome>>,
    pub(crate) peers: Mutex<Vec<Peer>>,
    /// A person stopped everything.
    pub(crate) stopped: AtomicBool,
    /// Run what would be held.
    pub(crate) lenient: bool,
    next: AtomicU8,
}

/// A clearance as the engine would give it.
pub(crate) fn clearance(operation: &Operation) -> Clearance {
    let id = OperationId::from_bits([1; 16]);
    let digest = OperationDigest::of(b"test");
    let basis = Basis::Policy(PolicyDigest::of(b"test"));
    let bytes = operation.exact.digest();
    let permit = Permit::mint(
        EngineSeal::new(),
        id,
        operation.upstream.clone(),
        digest,
        bytes,
        basis,
    );
    let observes = |on: &EffectOn| on.effect.only_observes();
    if operation.effects.iter().all(observes) {
        Clearance::Read(QueuedRead::new(LedgerSeal::new(), permit))
    } else {
        Clearance::Effect(Recorded::new(LedgerSeal::new(), permit, 0))
    }
}

impl Direct {
    async fn run(&self, resolved: Resolved) -> Answer<Reply> {
        let operation = resolved.operation;
        let Executed { outcome, reply } = self
            .adapter
            .execute(clearance(&operation), &operation)
            .await;
        self.outcomes.lock().unwrap().push(outcome.clone());
        match reply {
            Some(reply) => Answer::Reply(reply),
            None => Answer::Refused(Refusal::new(RefusalKind::Upstream, &format!("{outcome:?}"))),
        }
    }

    fn hold(&self, resolved: Resolved) -> Answer<Reply> {
        let hold = HoldId::from_bits([self.next.fetch_add(1, Ordering::SeqCst); 16]);
        let what = resolved.operation.summary.to_string();
        self.held.lock().unwrap().push(resolved);
        Answer::Refused(Refusal::held(hold, &what, 1))
    }
}

impl Pipeline<Reply> for Direct {
    fn goes_on(&self, _caller: &Caller) -> bool {
        !self.stopped.load(Ordering::SeqCst)
    }

    fn admit(&self, token: &str, peer: &Peer) -> Result<Caller, Box<Refusal>> {
        self.peers.lock().unwrap().push(peer.clone());
        if token == TOKEN {
            Ok(Caller {
                connection: ConnectionId::from_bits([1; 16]),
                advisory: false,
            })
        } else {
            Err(Box::new(Refusal::new(
                RefusalKind::Token,
                "this token is not known.",
            )))
        }
    }

    fn submit<'a>(&'a self, _caller: &'a Caller, attempt: Attempt) -> Later<'a, Answer<Reply>> {
        Box::pin(async move {
            let operation = match self.adapter.classify(&attempt) {
                Ok(operation) => operation,
                Err(error) => {
                    return Answer::Refused(Refusal::new(RefusalKind::Denied, &error.to_string()));
                }
            };
            let resolved = self.adapter.resolve(operation, &self.errands).await;
            let worst = resolved.operation.worst();
            let passes = matches!(worst, Effect::Read | Effect::SecretRead | Effect::Write);
            if passes || self.lenient {
                self.run(resolved).await
            } else {
                self.hold(resolved)
            }
        })
    }

    fn stray<'a>(&'a self, _caller: Option<&'a Caller>, stray: Stray) -> Later<'a, Refusal> {
        let what = format!("a credential in {} is not a token of yours.", stray.place);
        self.strays.lock().unwrap().push(stray);
        Box::pin(async move { Refusal::new(RefusalKind::Denied, &what) })
    }

    fn status<'a>(
        &'a self,
        _caller: &'a Caller,
        hold: &'a HoldId,
    ) -> Later<'a, Result<HoldStatus, Box<Refusal>>> {
        let known = usize::from(self.next.load(Ordering::SeqCst)) > 0;
        let status = HoldStatus {
            hold_id: hold.clone(),
            state: "pending".to_owned(),
            advice: "Go on with other work.".to_owned(),
            until: None,
            outcome: None,
        };
        Box::pin(async move {
            if known {
                Ok(status)
            } else {
                Err(Box::new(Refusal::new(RefusalKind::Denied, "no such hold.")))
            }
        })
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) pipeline: Arc<Direct>,
    pub(crate) stop: StopHandle,
    pub(crate) serving: JoinHandle<()>,
}

/// An upstream as a person would have accepted it.
pub(crate) fn upstream(name: &str, url: &str, pack: &str) -> Upstream {
    Upstream {
        name: name.parse().unwrap(),
        url: url.to_owned(),
        aliases: Vec::new(),
        pack: pack.to_owned(),
        credential: "env:UNUSED".to_owned(),
        header: "authorization: Bearer".to_owned(),
        ca_file: None,
        ourselves: Vec::new(),
        mode: Default::default(),
    }
}

/// A pipeline over these upstreams, with the account's token as the credential.
pub(crate) fn pipeline(upstreams: Vec<Upstream>, lenient: bool) -> Arc<Direct> {
    let account = OneCredential {
        header: "authorization",
        before: "Bearer ",
        secret: seed::ACCOUNT_TOKEN,
    };
    pipeline_with(account, upstreams, lenient)
}

/// A pipeline over these upstreams, with this credential.
pub(crate) fn pipeline_with(
    credential: OneCredential,
    upstreams: Vec<Upstream>,
    lenient: bool,
) -> Arc<Direct> {
    let vault = Arc::new(credential);
    let adapter = Arc::new(HttpAdapter::new(Packs::built_in().unwrap(), vault).unwrap());
    assert_eq!(adapter.configure(upstreams), []);
    Arc::new(Direct {
        adapter,
        errands: Counted::default(),
        strays: Mutex::default(),
        held: Mutex::default(),
        outcomes: Mutex::default(),
        peers: Mutex::default(),
        stopped: AtomicBool::new(false),
        lenient,
        next: AtomicU8::new(0),
    })
}

/// A surface for a pipeline.
pub(crate) fn surface(pipeline: &Arc<Direct>) -> Surface {
    Surface::new(pipeline.clone(), Arc::clone(&pipeline.adapter))
}

/// Starts a plain reverse gateway.
pub(crate) async fn gateway(pipeline: Arc<Direct>) -> Gateway {
    gateway_with(pipeline, None).await
}

/// Starts a reverse gateway, with TLS where given.
pub(crate) async fn gateway_with(
    pipeline: Arc<Direct>,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> Gateway {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = stop_signal();
    let serving = tokio::spawn(serve_reverse(listener, tls, surface(&pipeline), stopped));
    Gateway {
        address,
        pipeline,
        stop,
        serving,
    }
}

/// A stand-in for Railway and a gateway in front of it, under the upstream name `railway`.
pub(crate) async fn railway(lenient: bool) -> (Running, Gateway) {
    let standin = Standin::spawn(Config::default()).await.unwrap();
    let url = format!("http://{}", standin.graphql_addr);
    let mut upstream = upstream("railway", &url, "railway");
    upstream.aliases = vec!["backboard.railway.app".to_owned()];
    let gateway = gateway(pipeline(vec![upstream], lenient)).await;
    (standin, gateway)
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Runs curl with these arguments, its own configuration and proxies left out.
pub(crate) async fn curl(args: &[&str]) -> Got {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    tokio::task::spawn_blocking(move || curl_blocking(&args))
        .await
        .unwrap()
}

fn curl_blocking(args: &[String]) -> Got {
    let mut command = Command::new("curl");
    command
        .args(["-q", "-sS", "-i", "--max-time", "20", "--noproxy", "*"])
        .args(args);
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        command.env_remove(name);
    }
    let output = command.output().expect("curl is needed for this test");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}\n{text}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut rest = text.as_str();
    loop {
        let (head, body) = rest.split_once("\r\n\r\n").expect("a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .expect("a status");
        // An answer to CONNECT, or an interim one, comes before the real one.
        if body.starts_with("HTTP/") {
            rest = body;
            continue;
        }
        return Got {
            status,
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        };
    }
}
