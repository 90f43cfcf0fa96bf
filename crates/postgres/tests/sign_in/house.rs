//! A door with somebody behind it who says what came in.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use tagout_core::ids::{ConnectionId, HoldId, UpstreamName};
use tagout_core::operation::Attempt;
use tagout_core::permit::Clearance;
use tagout_core::pipeline::{Answer, Caller, HoldStatus, Later, Peer, Pipeline, Stray};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::session::{Prospect, Reading, ScramKeys, Sessions};
use tagout_postgres::sign_in::{Accepted, AgentTls, Arrival, Door, DoorLimits, signed_in};
use tagout_postgres::wire::server::Status;
use tagout_postgres::wire::{Arrived, write};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::vault;

/// The one token that opens.
pub(crate) const TOKEN: &str = "tgo_a-token-that-only-its-agent-has";

/// What every token that opens nothing is told.
pub(crate) const REFUSED: &str = "this token opens nothing. The upstream was not asked.";

/// Connections that there are: one in force, and one that is revoked while its agent signs in.
pub(crate) fn connection() -> ConnectionId {
    ConnectionId::from_bits([1; 16])
}

pub(crate) fn revoked() -> ConnectionId {
    ConnectionId::from_bits([2; 16])
}

/// Knows one token.
struct OneToken;

fn caller() -> Caller {
    Caller {
        connection: connection(),
        advisory: false,
    }
}

fn refusal() -> Box<Refusal> {
    Box::new(Refusal::new(RefusalKind::Token, REFUSED))
}

impl Pipeline<()> for OneToken {
    fn admit(&self, token: &str, _: &Peer) -> Result<Caller, Box<Refusal>> {
        (token == TOKEN).then(caller).ok_or_else(refusal)
    }

    fn goes_on(&self, _: &Caller) -> bool {
        true
    }

    fn submit<'a>(&'a self, _: &'a Caller, _: Attempt) -> Later<'a, Answer<()>> {
        panic!("nothing is submitted while signing in")
    }

    fn stray<'a>(&'a self, _: Option<&'a Caller>, _: Stray) -> Later<'a, Refusal> {
        panic!("nothing is stray while signing in")
    }

    fn status<'a>(
        &'a self,
        _: &'a Caller,
        _: &'a HoldId,
    ) -> Later<'a, Result<HoldStatus, Box<Refusal>>> {
        panic!("nothing is held while signing in")
    }
}

impl Sessions<()> for OneToken {
    fn admit_connection(&self, id: &ConnectionId, _: &Peer) -> Result<Caller, Box<Refusal>> {
        (*id == connection()).then(caller).ok_or_else(refusal)
    }

    fn reading<'a>(
        &'a self,
        _: &'a Caller,
        _: Attempt,
    ) -> Later<'a, Result<Arc<dyn Reading>, Box<Refusal>>> {
        panic!("nothing is read while signing in")
    }

    fn leave_to_sign_in(&self, _: &Caller, _: &UpstreamName) -> Result<Clearance, Box<Refusal>> {
        panic!("nobody signs in at a server here")
    }

    fn prospect<'a>(
        &'a self,
        _: &'a Caller,
        _: Attempt,
    ) -> Later<'a, Result<Prospect, Box<Refusal>>> {
        panic!("nothing is tried while signing in")
    }

    fn submit_at_once<'a>(&'a self, _: &'a Caller, _: Attempt) -> Later<'a, Answer<()>> {
        panic!("nothing is submitted while signing in")
    }

    fn approved<'a>(&'a self, _: &'a Caller, _: &'a HoldId) -> Later<'a, bool> {
        panic!("nobody waits while signing in")
    }

    fn scram_keys(&self, id: &ConnectionId, salt: &[u8], iterations: u32) -> Option<ScramKeys> {
        let known = [connection(), revoked()].contains(id);
        known.then(|| vault::keys(TOKEN, salt, iterations))
    }
}

/// A certificate authority's certificate, and a certificate for `localhost` with its key, as PEM.
pub(crate) struct Papers {
    pub(crate) ca: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Papers {
    pub(crate) fn new() -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::default();
        // Another name than the certificate's own, or clients take that for its own issuer.
        let named = rcgen::DnType::CommonName;
        ca.distinguished_name.push(named, "authority of a test");
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_certificate = ca.clone().self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let ours = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        Self {
            ca: ca_certificate.pem(),
            certificate: ours.signed_by(&key, &issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn tls(&self) -> AgentTls {
        AgentTls::from_pem(self.certificate.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

/// Agents are let in, and everybody who is gets one answer about himself.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    /// Who came and was not let in, and who wanted to cancel.
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
}

impl House {
    pub(crate) async fn open(tls: Option<AgentTls>, limits: DoorLimits) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Arc::new(Door::new(tls, limits).unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let house = Self {
            address,
            heard: Arc::clone(&heard),
        };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (door, heard) = (Arc::clone(&door), Arc::clone(&heard));
                tokio::spawn(async move {
                    if let Some(said) = serve(&door, socket).await {
                        heard.lock().unwrap().push(said);
                    }
                });
            }
        });
        house
    }

    pub(crate) async fn plain() -> Self {
        Self::open(None, DoorLimits::default()).await
    }

    /// What was heard, as soon as something was.
    pub(crate) async fn heard(&self) -> String {
        for _ in 0..500 {
            if let Some(first) = self.heard.lock().unwrap().first().cloned() {
                return first;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing was heard")
    }
}

async fn serve(door: &Door, socket: TcpStream) -> Option<String> {
    let peer = Peer {
        address: socket.peer_addr().unwrap(),
        uid: None,
    };
    match door.welcome(&OneToken, socket, &peer).await {
        Ok(Arrival::Session(accepted)) => {
            answer(*accepted).await;
            None
        }
        Ok(Arrival::Cancel { process, secret }) => Some(format!("cancel {process} {secret:?}")),
        Err(error) => Some(format!("{error:?}")),
    }
}

/// Tells the agent how it came in, whatever it asks.
async fn answer(mut accepted: Accepted) {
    let settings = accepted.settings.iter();
    let settings: Vec<_> = settings
        .map(|it| format!("{}={}", it.name, it.value))
        .collect();
    let encrypted = if accepted.transport.is_encrypted() {
        "TLS"
    } else {
        "plain"
    };
    let row = format!(
        "{} {encrypted} 3.{} [{}]",
        accepted.database,
        accepted.minor,
        settings.join(", ")
    );
    assert_eq!(accepted.caller, caller());
    let mut out = BytesMut::new();
    let reported = [("client_encoding", "UTF8"), ("server_version", "15.0")];
    signed_in(&mut out, reported, 7, b"key!");
    loop {
        if accepted.transport.write_all(&out).await.is_err() {
            return;
        }
        out.clear();
        let next = accepted.frames.next(&mut accepted.transport).await;
        match next {
            Ok(Some(Arrived::Frame(frame))) if frame.tag == b'Q' => {
                write::row_description(&mut out, &["you"]);
                write::data_row(&mut out, &[Some(row.as_bytes())]);
                write::command_complete(&mut out, "SELECT 1");
                write::ready_for_query(&mut out, Status::Idle);
            }
            _ => return,
        }
    }
}
