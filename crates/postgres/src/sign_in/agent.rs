//! An agent's way in: encryption, first packet, proof of its token.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tagout_core::pipeline::{Caller, Peer};
use tagout_core::session::Sessions;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::error::AgentError;
use super::settings::{self, Ceilings, NotAllowed, Setting};
use super::tls::{ALPN, AgentTls};
use super::transport::Transport;
use crate::refused;
use crate::wire::server::Status;
use crate::wire::write::{self, Said};
use crate::wire::{Arrived, FirstPacket, Frame, Frames, Limits, Malformed, Startup};

mod proof;

/// The newest minor version that is spoken.
const NEWEST_MINOR: u16 = 2;

/// What strangers may take of us.
#[derive(Clone, Debug)]
pub struct DoorLimits {
    /// How many may be signing in at the same time.
    pub strangers: usize,
    /// How long signing in may take.
    pub patience: Duration,
    /// How long what may take at most, once signed in.
    pub ceilings: Ceilings,
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            strangers: 100,
            patience: Duration::from_secs(15),
            ceilings: Ceilings::default(),
        }
    }
}

/// Lets agents in.
pub struct Door {
    tls: Option<AgentTls>,
    limits: DoorLimits,
    strangers: Arc<Semaphore>,
    /// Salts, and the keys of those that there are not, come from this: always the same for one name.
    invented: [u8; 32],
}

/// Who came.
#[derive(Debug)]
pub enum Arrival {
    /// An agent that is signed in, but for [`signed_in`].
    Session(Box<Accepted>),
    /// Somebody who would like a statement to stop, and sent this key.
    Cancel {
        /// The process in it.
        process: u32,
        /// The secret in it.
        secret: Vec<u8>,
    },
}

/// An agent whose token is proven, and what it would like.
#[derive(Debug)]
pub struct Accepted {
    /// Its connection.
    pub transport: Transport,
    /// What it sent already after its proof.
    pub frames: Frames,
    /// Who it is.
    pub caller: Caller,
    /// The database that it named, or its user name where it named none.
    pub database: String,
    /// What it would like to be set.
    pub settings: Vec<Setting>,
    /// The minor version of the protocol that is agreed upon.
    pub minor: u16,
}

impl Door {
    /// A door. Without TLS, tokens are only proven, never shown.
    ///
    /// # Errors
    /// [`AgentError::Random`].
    pub fn new(tls: Option<AgentTls>, limits: DoorLimits) -> Result<Self, AgentError> {
        let mut invented = [0_u8; 32];
        getrandom::fill(&mut invented).map_err(|_| AgentError::Random)?;
        let strangers = Arc::new(Semaphore::new(limits.strangers));
        Ok(Self {
            tls,
            limits,
            strangers,
            invented,
        })
    }

    /// Lets somebody in, or says why not.
    ///
    /// # Errors
    /// [`AgentError`]: it was told, and the connection is closed.
    pub async fn welcome<R>(
        &self,
        sessions: &dyn Sessions<R>,
        socket: TcpStream,
        peer: &Peer,
    ) -> Result<Arrival, AgentError> {
        let Ok(_place) = self.strangers.try_acquire() else {
            let full = Guest::new(socket).turned_away(AgentError::Crowded);
            let limited = tokio::time::timeout(Duration::from_secs(1), full).await;
            return Err(limited.unwrap_or(AgentError::Crowded));
        };
        let arrival = self.let_in(sessions, socket, peer);
        let in_time = tokio::time::timeout(self.limits.patience, arrival).await;
        in_time.unwrap_or(Err(AgentError::TooSlow))
    }

    async fn let_in<R>(
        &self,
        sessions: &dyn Sessions<R>,
        socket: TcpStream,
        peer: &Peer,
    ) -> Result<Arrival, AgentError> {
        let (mut guest, packet) = self.first_packet(socket).await?;
        let startup = match packet {
            FirstPacket::Startup(startup) => startup,
            FirstPacket::Cancel { process, secret } => {
                return Ok(Arrival::Cancel { process, secret });
            }
            FirstPacket::Tls | FirstPacket::Gss => {
                return Err(guest.turned_away(AgentError::Again).await);
            }
        };
        match self.identify(sessions, &mut guest, &startup, peer).await {
            Ok((caller, wishes)) => Ok(Arrival::Session(Box::new(guest.admitted(caller, wishes)))),
            Err(error) => Err(guest.turned_away(error).await),
        }
    }

    /// The first packet that is not about encryption. Each sort of encryption can be asked for once.
    async fn first_packet(&self, socket: TcpStream) -> Result<(Guest, FirstPacket), AgentError> {
        let mut guest = Guest::new(socket);
        if guest.begins_with_tls().await? {
            guest = self.encrypt(guest).await?;
            guest.must_speak_postgresql()?;
        }
        let mut asked = Vec::new();
        loop {
            let packet = match guest.packet().await {
                Ok(packet) => packet,
                Err(error) => return Err(guest.turned_away(error).await),
            };
            match packet {
                FirstPacket::Startup(_) | FirstPacket::Cancel { .. } => return Ok((guest, packet)),
                FirstPacket::Tls | FirstPacket::Gss if asked.contains(&packet) => {
                    return Err(guest.turned_away(AgentError::Again).await);
                }
                FirstPacket::Tls | FirstPacket::Gss if guest.transport.is_encrypted() => {
                    return Err(guest.turned_away(AgentError::Again).await);
                }
                FirstPacket::Tls if self.tls.is_some() => {
                    guest.say(b"S").await?;
                    guest = self.encrypt(guest).await?;
                }
                FirstPacket::Tls | FirstPacket::Gss => guest.say(b"N").await?,
            }
            asked.push(packet);
        }
    }

    /// Nothing that came before is taken for what comes inside (CVE-2021-3935).
    async fn encrypt(&self, guest: Guest) -> Result<Guest, AgentError> {
        let (Some(tls), Transport::Plain(socket)) = (&self.tls, guest.transport) else {
            return Err(AgentError::Again);
        };
        let stream = tls.acceptor.accept(socket).await;
        let stream = stream.map_err(|error| AgentError::Tls(error.to_string()))?;
        Ok(Guest {
            transport: Transport::Tls(Box::new(stream.into())),
            frames: Frames::new(Limits::STRANGER),
        })
    }

    async fn identify<R>(
        &self,
        sessions: &dyn Sessions<R>,
        guest: &mut Guest,
        startup: &Startup,
        peer: &Peer,
    ) -> Result<(Caller, Wishes), AgentError> {
        let wishes = Wishes::of(startup, &self.limits.ceilings)?;
        wishes.negotiate(guest, startup).await?;
        let caller = proof::prove(self, sessions, guest, &wishes.user, peer).await?;
        Ok((caller, wishes))
    }
}

/// What a first packet asks for.
#[derive(Debug)]
struct Wishes {
    user: String,
    database: String,
    settings: Vec<Setting>,
    minor: u16,
    /// Extensions of the protocol, none of which is known here.
    extensions: Vec<String>,
}

impl Wishes {
    fn of(startup: &Startup, ceilings: &Ceilings) -> Result<Self, NotAllowed> {
        let user = startup.parameter("user").filter(|user| !user.is_empty());
        let user = user.ok_or(NotAllowed::NoUser)?.to_owned();
        let database = startup
            .parameter("database")
            .filter(|name| !name.is_empty());
        let mut wishes = Self {
            database: database.unwrap_or(&user).to_owned(),
            user,
            settings: Vec::new(),
            // 3.1 was never used; and of what comes after ours we know nothing.
            minor: if startup.minor >= 2 { NEWEST_MINOR } else { 0 },
            extensions: Vec::new(),
        };
        for (name, value) in &startup.parameters {
            wishes.take(name, value, ceilings)?;
        }
        Ok(wishes)
    }

    fn take(&mut self, name: &str, value: &str, ceilings: &Ceilings) -> Result<(), NotAllowed> {
        match name {
            "user" | "database" => {}
            "replication" => return Err(NotAllowed::Replication),
            "options" => {
                for (name, value) in settings::from_options(value)? {
                    self.set(&name, &value, ceilings)?;
                }
            }
            extension if extension.starts_with("_pq_.") => {
                self.extensions.push(extension.to_owned());
            }
            setting => self.set(setting, value, ceilings)?,
        }
        Ok(())
    }

    /// A setting in `options` gives way to the same one in the packet itself, wherever either stands.
    fn set(&mut self, name: &str, value: &str, ceilings: &Ceilings) -> Result<(), NotAllowed> {
        if let Some(setting) = Setting::allowed(name, value, ceilings)? {
            self.settings.retain(|known| known.name != setting.name);
            self.settings.push(setting);
        }
        Ok(())
    }

    async fn negotiate(&self, guest: &mut Guest, startup: &Startup) -> Result<(), AgentError> {
        if startup.minor == self.minor && self.extensions.is_empty() {
            return Ok(());
        }
        let unknown: Vec<&str> = self.extensions.iter().map(String::as_str).collect();
        let mut out = BytesMut::new();
        write::negotiate_protocol_version(&mut out, self.minor, &unknown);
        guest.send(&out).await
    }
}

/// Somebody who has not signed in.
struct Guest {
    transport: Transport,
    frames: Frames,
}

impl Guest {
    fn new(socket: TcpStream) -> Self {
        Self {
            transport: Transport::Plain(socket),
            frames: Frames::new(Limits::STRANGER),
        }
    }

    async fn begins_with_tls(&self) -> Result<bool, AgentError> {
        const HANDSHAKE: u8 = 0x16;
        let Transport::Plain(socket) = &self.transport else {
            return Ok(false);
        };
        let mut first = [0];
        match socket.peek(&mut first).await {
            Ok(1) => Ok(first == [HANDSHAKE]),
            _ => Err(AgentError::Gone),
        }
    }

    fn must_speak_postgresql(&self) -> Result<(), AgentError> {
        match &self.transport {
            Transport::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(ALPN) => Ok(()),
            _ => Err(AgentError::Alpn),
        }
    }

    async fn packet(&mut self) -> Result<FirstPacket, AgentError> {
        let packet = self.frames.next_untagged(&mut self.transport).await?;
        Ok(FirstPacket::read(&packet.ok_or(AgentError::Gone)?)?)
    }

    /// Answers about encryption. Whoever sent more already may not have sent it himself.
    async fn say(&mut self, answer: &[u8]) -> Result<(), AgentError> {
        if !self.frames.is_empty() {
            return Err(self.closed(AgentError::Early).await);
        }
        self.send(answer).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), AgentError> {
        let sent = async {
            self.transport.write_all(bytes).await?;
            self.transport.flush().await
        };
        sent.await.map_err(|_| AgentError::Gone)
    }

    /// The next message, which must be part of proving something.
    async fn secret(&mut self) -> Result<Frame, AgentError> {
        match self.frames.next(&mut self.transport).await? {
            Some(Arrived::Frame(frame)) if frame.tag == b'p' => Ok(frame),
            Some(Arrived::Frame(frame)) => Err(AgentError::OutOfTurn(frame.tag)),
            Some(Arrived::Large(header)) => Err(AgentError::OutOfTurn(header.tag)),
            None => Err(AgentError::Gone),
        }
    }

    async fn turned_away(mut self, error: AgentError) -> AgentError {
        self.closed(error).await
    }

    /// Says why, and that this is all. Whether it can still hear that does not matter.
    async fn closed(&mut self, error: AgentError) -> AgentError {
        if error != AgentError::Gone {
            let mut out = BytesMut::new();
            write_fatal(&mut out, &error);
            let _ = self.send(&out).await;
            let _ = self.transport.shutdown().await;
        }
        error
    }

    fn admitted(self, caller: Caller, wishes: Wishes) -> Accepted {
        Accepted {
            transport: self.transport,
            frames: self.frames,
            caller,
            database: wishes.database,
            settings: wishes.settings,
            minor: wishes.minor,
        }
    }
}

fn write_fatal(out: &mut BytesMut, error: &AgentError) {
    match error.answer() {
        Ok(refusal) => refused::error_response(out, "FATAL", &refusal),
        Err(sqlstate) => {
            let message = format!("tagout: {error}");
            let said = Said {
                severity: "FATAL",
                sqlstate,
                message: &message,
                detail: None,
                hint: None,
            };
            write::error_response(out, &said);
        }
    }
}

/// Appends what ends signing in, once the server's side is there as well: the parameters that the server
/// reports, and a key to cancel with.
pub fn signed_in<'a>(
    out: &mut BytesMut,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    process: u32,
    secret: &[u8],
) {
    write::authentication_ok(out);
    for (name, value) in parameters {
        write::parameter_status(out, name, value);
    }
    write::backend_key_data(out, process, secret);
    write::ready_for_query(out, Status::Idle);
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What a password message says.
fn zero_ended(body: &[u8]) -> Result<&str, Malformed> {
    let text = body.strip_suffix(b"\0").ok_or(Malformed::Unended)?;
    if text.contains(&0) {
        return Err(Malformed::Long);
    }
    std::str::from_utf8(text).map_err(|_| Malformed::NotUtf8)
}
