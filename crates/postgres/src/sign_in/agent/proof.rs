//! How an agent proves its token.
//!
//! Whose user name has the form of a connection's id proves it in SCRAM, whether or not there is such a
//! connection: then with keys that are invented, always the same for one name, so that nobody learns which
//! there are. Everybody else may show the token as a password, inside TLS only.

use bytes::BytesMut;
use tagout_core::ids::ConnectionId;
use tagout_core::pipeline::{Caller, Peer};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::session::{ScramKeys, Sessions};

use super::{Door, Guest, zero_ended};
use crate::sign_in::error::AgentError;
use crate::sign_in::scram::{
    self, ClientFinal, ClientFirst, SCRAM, SCRAM_PLUS, ScramError, hmac, keys_of, server_first,
};
use crate::wire::{Malformed, write};

/// As many as RFC 7677 demands. More would only slow signing in down: a token has 160 random bits.
const ITERATIONS: u32 = 4096;

const BARE_USER: &str = "without TLS the user name is the connection's id, `conn_…`, and the password is its token. \
     The upstream was not asked; no other credential will help.";

pub(super) async fn prove<R>(
    door: &Door,
    sessions: &dyn Sessions<R>,
    guest: &mut Guest,
    user: &str,
    peer: &Peer,
) -> Result<Caller, AgentError> {
    match user.parse::<ConnectionId>() {
        Ok(connection) => {
            let exchange = Exchange::new(door, guest, &connection);
            exchange.run(sessions, &connection, peer).await
        }
        Err(_) if guest.transport.is_encrypted() => by_password(sessions, guest, peer).await,
        Err(_) => {
            let refusal = Refusal::new(RefusalKind::Token, BARE_USER);
            Err(AgentError::Refused(Box::new(refusal)))
        }
    }
}

async fn by_password<R>(
    sessions: &dyn Sessions<R>,
    guest: &mut Guest,
    peer: &Peer,
) -> Result<Caller, AgentError> {
    let mut out = BytesMut::new();
    write::authentication_cleartext(&mut out);
    guest.send(&out).await?;
    let frame = guest.secret().await?;
    let token = zero_ended(frame.body())?;
    sessions.admit(token, peer).map_err(AgentError::Refused)
}

/// One exchange of SCRAM.
struct Exchange<'a> {
    guest: &'a mut Guest,
    salt: [u8; 16],
    /// What stands for the token of a connection that there is not.
    invented: [u8; 32],
    /// What is to be bound to, where that is offered.
    channel: Option<&'a [u8]>,
}

impl<'a> Exchange<'a> {
    fn new(door: &'a Door, guest: &'a mut Guest, connection: &ConnectionId) -> Self {
        let name = connection.as_str().as_bytes();
        let mut salt = [0; 16];
        let long = hmac(&door.invented, &[b"salt\0", name]);
        salt.iter_mut().zip(long).for_each(|(to, from)| *to = from);
        let end_point = door.tls.as_ref().and_then(|tls| tls.end_point.as_deref());
        Self {
            salt,
            invented: hmac(&door.invented, &[b"token\0", name]),
            channel: end_point.filter(|_| guest.transport.is_encrypted()),
            guest,
        }
    }

    async fn run<R>(
        self,
        sessions: &dyn Sessions<R>,
        connection: &ConnectionId,
        peer: &Peer,
    ) -> Result<Caller, AgentError> {
        let known = sessions.scram_keys(connection, &self.salt, ITERATIONS);
        let keys = known.unwrap_or_else(|| keys_of(&self.invented, &self.salt, ITERATIONS));
        if !self.proves(&keys).await? {
            // What any other token is told that opens nothing.
            let refused = sessions.admit("", peer).map(|_| ());
            let none = || Box::new(Refusal::new(RefusalKind::Token, BARE_USER));
            return Err(AgentError::Refused(refused.err().unwrap_or_else(none)));
        }
        let caller = sessions.admit_connection(connection, peer);
        caller.map_err(AgentError::Refused)
    }

    /// Whether the client proves these keys. Only then does it get the proof that we know them as well.
    async fn proves(mut self, keys: &ScramKeys) -> Result<bool, AgentError> {
        self.offer().await?;
        let frame = self.guest.secret().await?;
        let (plus, data) = self.chosen(frame.body())?;
        let first = ClientFirst::read(data)?;
        first.fits(plus, self.channel.is_some())?;

        let nonce = scram::new_nonce().ok_or(AgentError::Random)?;
        let nonce = format!("{}{nonce}", first.nonce);
        let ours = server_first(&nonce, &self.salt, ITERATIONS);
        let mut out = BytesMut::new();
        write::authentication_sasl_continue(&mut out, &ours);
        self.guest.send(&out).await?;

        let frame = self.guest.secret().await?;
        let last = ClientFinal::read(frame.body())?;
        let channel = if plus { self.channel } else { None };
        let seen = [first.header.as_bytes(), channel.unwrap_or_default()].concat();
        last.answers(&nonce, &seen)?;
        let message = format!("{},{ours},{}", first.bare, last.without_proof);
        if !last.proves(keys, &message) {
            return Ok(false);
        }
        let mut out = BytesMut::new();
        write::authentication_sasl_final(&mut out, &scram::server_final(keys, &message));
        self.guest.send(&out).await?;
        Ok(true)
    }

    async fn offer(&mut self) -> Result<(), AgentError> {
        let mut out = BytesMut::new();
        match self.channel {
            Some(_) => write::authentication_sasl(&mut out, &[SCRAM_PLUS, SCRAM]),
            None => write::authentication_sasl(&mut out, &[SCRAM]),
        }
        self.guest.send(&out).await
    }

    /// Whether the mechanism with channel binding was chosen, and the client's first message.
    fn chosen<'b>(&self, body: &'b [u8]) -> Result<(bool, &'b [u8]), AgentError> {
        let end = body.iter().position(|byte| *byte == 0);
        let (mechanism, rest) = body.split_at(end.ok_or(Malformed::Unended)?);
        let plus = match mechanism {
            name if name == SCRAM.as_bytes() => false,
            name if name == SCRAM_PLUS.as_bytes() && self.channel.is_some() => true,
            _ => return Err(ScramError::Mechanism.into()),
        };
        let (length, data) = rest
            .get(1..)
            .and_then(<[u8]>::split_first_chunk)
            .ok_or(Malformed::Short)?;
        let length = i32::from_be_bytes(*length);
        if usize::try_from(length) == Ok(data.len()) {
            Ok((plus, data))
        } else {
            Err(Malformed::Length(length).into())
        }
    }
}
