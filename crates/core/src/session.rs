//! The seams for protocols that keep a session with their upstream: what they ask of the engine beyond
//! [`Pipeline`], and how a credential answers a server's challenge.
//!
//! A session runs what it may run inside a transaction of the gateway's own, measures it there, and submits
//! *the commit* as the operation. So [`Pipeline::submit`]'s rules hold for it unchanged: no effect without a
//! durable intent, since nothing is in effect before the commit.

use std::sync::Arc;

use crate::ids::{ConnectionId, HoldId, UpstreamName};
use crate::operation::Attempt;
use crate::permit::Clearance;
use crate::pipeline::{Answer, Caller, Later, Peer, Pipeline};
use crate::refusal::Refusal;

/// The life of an operation, as a surface with sessions sees it.
pub trait Sessions<R>: Pipeline<R> {
    /// The caller behind a connection whose token was proven in a SCRAM exchange.
    ///
    /// # Errors
    /// The refusal to send, when the connection is not in force any more.
    fn admit_connection(
        &self,
        connection: &ConnectionId,
        peer: &Peer,
    ) -> Result<Caller, Box<Refusal>>;

    /// Leave to observe. Understood, resolved and judged once; good for as long as nothing that it rests
    /// on has changed, which [`Reading::again`] checks each time.
    ///
    /// # Errors
    /// The refusal to send; always, unless the attempt only observes and is allowed.
    fn reading<'a>(
        &'a self,
        caller: &'a Caller,
        attempt: Attempt,
    ) -> Later<'a, Result<Arc<dyn Reading>, Box<Refusal>>>;

    /// Leave to sign in at an upstream on the caller's behalf.
    ///
    /// # Errors
    /// The refusal to send: stopped, too fast, revoked.
    fn leave_to_sign_in(
        &self,
        caller: &Caller,
        upstream: &UpstreamName,
    ) -> Result<Clearance, Box<Refusal>>;

    /// Whether this may run in a transaction of the gateway's own, to be measured there.
    ///
    /// # Errors
    /// The refusal to send: stopped, too fast, revoked, or not understood.
    fn prospect<'a>(
        &'a self,
        caller: &'a Caller,
        attempt: Attempt,
    ) -> Later<'a, Result<Prospect, Box<Refusal>>>;

    /// As [`Pipeline::submit`], and never waits for a person: what is asked here may own locks.
    fn submit_at_once<'a>(&'a self, caller: &'a Caller, attempt: Attempt) -> Later<'a, Answer<R>>;

    /// Waits on the wire until a hold of the caller's is not pending any more, for as long as clients
    /// usually wait; whether it is approved. Never called while anything is locked.
    fn approved<'a>(&'a self, caller: &'a Caller, hold: &'a HoldId) -> Later<'a, bool>;

    /// What a connection's token proves in a SCRAM exchange. `None` for a connection that is not in force;
    /// the surface goes on with an invented one, so that nobody learns which exist.
    fn scram_keys(
        &self,
        connection: &ConnectionId,
        salt: &[u8],
        iterations: u32,
    ) -> Option<ScramKeys>;
}

/// What may be done with something before it is submitted.
#[derive(Debug)]
pub enum Prospect {
    /// It may run on trial, and is submitted with what it was measured to do.
    Trial(Clearance),
    /// A person would be asked whatever it did. It is submitted as it is, without being run; unless what
    /// the person has to see is known only once it ran: the rest of a transaction, data of a copy.
    Held(Clearance),
    /// It would be refused whatever it did, or a person was asked about it already: it is submitted as it
    /// is, without being run.
    Refused,
}

/// Leave to observe, to be used many times.
pub trait Reading: Send + Sync {
    /// Queues one more use for its group's record.
    ///
    /// # Errors
    /// The refusal to send, when everything is stopped, the caller asks too fast, or the record can't be
    /// written. [`Again::Moved`] when what it rests on has changed, so that it has to be asked anew.
    fn again(&self) -> Result<Clearance, Again>;
}

/// Why a reading can't be used once more.
#[derive(Debug, PartialEq, Eq)]
pub enum Again {
    /// Rights, policy, labels or the upstream have changed: ask anew.
    Moved,
    /// It may not be read now.
    Refused(Box<Refusal>),
}

/// The two keys that a SCRAM-SHA-256 server keeps instead of a password (RFC 5802, section 3). They prove a
/// client's knowledge of its token; the token can't be computed from them.
pub struct ScramKeys {
    /// `H(HMAC(SaltedPassword, "Client Key"))`.
    pub stored: [u8; 32],
    /// `HMAC(SaltedPassword, "Server Key")`.
    pub server: [u8; 32],
}

impl std::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

/// What a server asks of whoever signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// The password itself. Answered only where the transport is encrypted and the server's identity is
    /// verified.
    Cleartext {
        /// Whether it is.
        verified_tls: bool,
    },
    /// `md5(md5(password + user) + salt)`, as PostgreSQL does.
    Md5 {
        /// The role.
        user: String,
        /// The server's salt.
        salt: [u8; 4],
    },
    /// SCRAM-SHA-256 after both first messages: the salt and the count of iterations from the server's, and
    /// the text that both sides sign.
    Scram {
        /// The salt.
        salt: Vec<u8>,
        /// The count of iterations; refused below 4096 and above 1,000,000.
        iterations: u32,
        /// `client-first-message-bare,server-first-message,client-final-message-without-proof`.
        auth_message: String,
    },
}

/// A credential's answer to a [`Challenge`].
pub enum ChallengeAnswer {
    /// The text of a password message, without its final zero.
    Password(zeroize::Zeroizing<Vec<u8>>),
    /// The client's proof, and the signature that the server must show in return.
    Scram {
        /// `ClientKey XOR HMAC(StoredKey, AuthMessage)`.
        proof: [u8; 32],
        /// `HMAC(ServerKey, AuthMessage)`.
        server_signature: [u8; 32],
    },
}

impl std::fmt::Debug for ChallengeAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChallengeAnswer(…)")
    }
}
