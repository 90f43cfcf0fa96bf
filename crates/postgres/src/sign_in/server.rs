//! The gateway's way into a server: encryption, first packet, and the vault's answer to its challenge.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls_pki_types::ServerName;
use tagout_core::ids::UpstreamName;
use tagout_core::permit::Clearance;
use tagout_core::pipeline::Vault;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::backend::Backend;
use super::cancel::{CancelKey, CancelTarget};
use super::error::ServerError;
use super::settings::Setting;
use super::tls::ServerTls;
use super::transport::Transport;
use crate::wire::server::{Authentication, ServerMessage};
use crate::wire::{Arrived, Frame, Frames, Limits, Report, write};

mod answer;

/// Where a server is.
#[derive(Clone, Debug)]
pub struct ServerAddress {
    /// Its host: what its certificate is for, and its credential.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way to it is protected.
    pub tls: ServerTls,
    /// How long signing in, or asking it to stop, may take.
    pub patience: Duration,
}

/// As whom, and how.
#[derive(Clone, Debug)]
pub struct Role {
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// What is set from the beginning, besides what always is.
    pub settings: Vec<Setting>,
    /// The newest minor version to ask for: 2, but for servers that refuse it instead of saying what they
    /// speak.
    pub newest_minor: u16,
}

/// What every session has, whatever else is set: without it, statements can't be understood.
const PINNED: [(&str, &str); 2] = [
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
];

/// What is put together of a server's messages while signing in.
const SIGNING_IN: Limits = Limits {
    whole: 64 * 1024,
    most: 64 * 1024,
};

/// What is put together of its messages afterwards; what is longer comes in pieces.
const SIGNED_IN: Limits = Limits::whole(64 * 1024);

/// Signs in. The clearance is for an errand of that kind, and is used up.
///
/// # Errors
/// [`ServerError`].
pub async fn connect(
    address: &ServerAddress,
    upstream: &UpstreamName,
    role: &Role,
    vault: &dyn Vault,
    clearance: Clearance,
) -> Result<Backend, ServerError> {
    let asking = async {
        let mut caller = Caller::at(address).await?;
        caller.begin(role).await?;
        let minor = answer::prove(&mut caller, address, upstream, role, vault, &clearance).await;
        let mut minor = minor.map_err(|error| scrubbed(error, vault, upstream))?;
        minor = minor.min(role.newest_minor);
        caller.until_ready(address, minor).await
    };
    let in_time = tokio::time::timeout(address.patience, asking).await;
    in_time.unwrap_or(Err(ServerError::TooSlow))
}

/// A server may repeat what it was sent.
fn scrubbed(error: ServerError, vault: &dyn Vault, upstream: &UpstreamName) -> ServerError {
    let ServerError::Said { sqlstate, message } = error else {
        return error;
    };
    let mut bytes = message.into_bytes();
    vault.scrub(upstream, &mut bytes);
    let message = String::from_utf8_lossy(&bytes).into_owned();
    ServerError::Said { sqlstate, message }
}

/// Somebody who is signing in.
pub(super) struct Caller {
    pub(super) transport: Transport,
    frames: Frames,
}

impl Caller {
    async fn at(address: &ServerAddress) -> Result<Self, ServerError> {
        let transport = open(address).await?;
        Ok(Self {
            transport,
            frames: Frames::new(SIGNING_IN),
        })
    }

    async fn begin(&mut self, role: &Role) -> Result<(), ServerError> {
        let named = [
            ("user", role.user.as_str()),
            ("database", role.database.as_str()),
        ];
        let pinned = |name: &str| PINNED.iter().any(|(known, _)| *known == name);
        let wished = role.settings.iter().filter(|setting| !pinned(setting.name));
        let wished = wished.map(|setting| (setting.name, setting.value.as_str()));
        let all = named.into_iter().chain(PINNED).chain(wished);
        let mut out = BytesMut::new();
        write::startup(&mut out, role.newest_minor, all);
        self.send(&out).await
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), ServerError> {
        send(&mut self.transport, bytes).await
    }

    pub(super) async fn next(&mut self) -> Result<Frame, ServerError> {
        match self.frames.next(&mut self.transport).await? {
            Some(Arrived::Frame(frame)) => Ok(frame),
            Some(Arrived::Large(header)) => Err(ServerError::OutOfTurn(header.tag)),
            None => Err(ServerError::Gone),
        }
    }

    /// From the server's consent to its first wait.
    async fn until_ready(
        mut self,
        address: &ServerAddress,
        minor: u16,
    ) -> Result<Backend, ServerError> {
        let mut parameters = BTreeMap::new();
        let mut key = None;
        loop {
            let frame = self.next().await?;
            match ServerMessage::read(&frame)? {
                ServerMessage::ParameterStatus { name, value } => {
                    parameters.insert(name.to_owned(), value.to_owned());
                }
                ServerMessage::BackendKeyData { process, secret } => {
                    let secret = Zeroizing::new(secret.to_vec());
                    key = Some(CancelKey { process, secret });
                }
                ServerMessage::NoticeResponse(_) => {}
                ServerMessage::ErrorResponse(report) => return Err(said(&report)),
                ServerMessage::ReadyForQuery(_) => break,
                _ => return Err(ServerError::OutOfTurn(frame.tag)),
            }
        }
        check_pinned(&parameters)?;
        self.frames.set_limits(SIGNED_IN);
        let target = key.map(|key| CancelTarget {
            address: address.clone(),
            key,
        });
        Ok(Backend {
            transport: self.transport,
            frames: self.frames,
            parameters,
            minor,
            target,
        })
    }
}

fn check_pinned(parameters: &BTreeMap<String, String>) -> Result<(), ServerError> {
    for (name, wanted) in PINNED {
        let value = parameters.get(name).map_or("", String::as_str);
        if value != wanted {
            return Err(ServerError::Setting {
                name,
                value: value.escape_debug().to_string(),
                wanted,
            });
        }
    }
    Ok(())
}

pub(super) fn said(report: &Report<'_>) -> ServerError {
    ServerError::Said {
        sqlstate: report.sqlstate().escape_debug().to_string(),
        message: report.message().escape_debug().to_string(),
    }
}

async fn send(transport: &mut Transport, bytes: &[u8]) -> Result<(), ServerError> {
    let sent = async {
        transport.write_all(bytes).await?;
        transport.flush().await
    };
    sent.await.map_err(|_| ServerError::Gone)
}

/// Opens a way to a server, encrypted where it must be.
async fn open(address: &ServerAddress) -> Result<Transport, ServerError> {
    let socket = TcpStream::connect((address.host.as_str(), address.port)).await;
    let mut socket = socket.map_err(|error| ServerError::Unreachable {
        address: format!("{}:{}", address.host.escape_debug(), address.port),
        reason: error.to_string(),
    })?;
    // A packet of ours is an answer that somebody waits for.
    let _ = socket.set_nodelay(true);
    let ServerTls::Verified(config) = &address.tls else {
        return Ok(Transport::Plain(socket));
    };
    let mut out = BytesMut::new();
    write::ssl_request(&mut out);
    socket
        .write_all(&out)
        .await
        .map_err(|_| ServerError::Gone)?;
    // One byte and no more: what follows is TLS's, or somebody's who should not be there.
    match socket.read_u8().await {
        Ok(b'S') => {}
        Ok(b'N' | b'E') => return Err(ServerError::NoTls),
        Ok(other) => return Err(ServerError::OutOfTurn(other)),
        Err(_) => return Err(ServerError::Gone),
    }
    let failed = |reason: &dyn std::fmt::Display| ServerError::Tls(reason.to_string());
    let name = ServerName::try_from(address.host.clone()).map_err(|error| failed(&error))?;
    let stream = TlsConnector::from(Arc::clone(config))
        .connect(name, socket)
        .await;
    let stream = stream.map_err(|error| failed(&error))?;
    Ok(Transport::Tls(Box::new(stream.into())))
}

impl CancelTarget {
    /// Asks the server to stop what the session does. It does not say whether it has.
    ///
    /// # Errors
    /// [`ServerError`] when it can't be asked.
    pub async fn cancel(&self) -> Result<(), ServerError> {
        let asking = async {
            let mut transport = open(&self.address).await?;
            let mut out = BytesMut::new();
            write::cancel_request(&mut out, self.key.process, &self.key.secret);
            send(&mut transport, &out).await?;
            // It closes when it has passed the wish on; waiting keeps the order.
            let _ = transport.read_u8().await;
            Ok(())
        };
        let in_time = tokio::time::timeout(self.address.patience, asking).await;
        in_time.unwrap_or(Err(ServerError::TooSlow))
    }
}

/// What a server asks for, of the messages that come before its consent.
pub(super) enum Step<'a> {
    Asks(Authentication<'a>),
    Speaks(u16),
    Nothing,
}

pub(super) fn step(frame: &Frame) -> Result<Step<'_>, ServerError> {
    match ServerMessage::read(frame)? {
        ServerMessage::Authentication(asks) => Ok(Step::Asks(asks)),
        ServerMessage::NegotiateProtocolVersion { newest_minor, .. } => {
            Ok(Step::Speaks(newest_minor))
        }
        ServerMessage::NoticeResponse(_) => Ok(Step::Nothing),
        ServerMessage::ErrorResponse(report) => Err(said(&report)),
        _ => Err(ServerError::OutOfTurn(frame.tag)),
    }
}
