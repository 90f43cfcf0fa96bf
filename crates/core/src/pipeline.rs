//! The seams along which an operation moves: what a protocol gives to the engine, and what the engine
//! gives to a protocol. A protocol crate knows nothing of the engine but these traits.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

use crate::grant::Budget;
use crate::ids::{ConnectionId, HoldId, ProposalId, UpstreamName};
use crate::operation::{Attempt, Operation};
use crate::permit::{Clearance, Errand};
use crate::refusal::{Refusal, RefusalKind};
use crate::resolved::Resolved;
use crate::rights::Rights;
use crate::session::{Challenge, ChallengeAnswer};
use crate::untrusted::Untrusted;
use crate::verdict::Safeguard;

/// Work that ends later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A request that two readers could understand in two ways. Refused, whatever it means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request can be read in more than one way: {0}")]
pub struct Ambiguous(pub String);

/// Too many errands for what the provider lets us ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many look-ups for now; the provider's limit is kept")]
pub struct Throttled;

/// What became of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "detail")]
pub enum Outcome {
    /// It happened. One line about it.
    Done(String),
    /// The upstream refused it; nothing happened.
    Failed(String),
    /// It was sent, or may have been, and what became of it can't be known.
    Unknown(String),
    /// It was never sent.
    NotSent(String),
}

/// An outcome, and the upstream's own answer where there is one.
#[derive(Debug)]
pub struct Executed<R> {
    /// What became of it.
    pub outcome: Outcome,
    /// What the agent gets. Absent where the upstream gave no answer.
    pub reply: Option<R>,
}

/// Gives leave for the gateway's own errands.
pub trait Errands: Send + Sync {
    /// Leave to send one errand.
    ///
    /// # Errors
    /// [`Throttled`] when the provider's limit would be passed.
    fn leave(&self, upstream: &UpstreamName, errand: Errand) -> Result<Clearance, Throttled>;
}

/// What a protocol brings: understanding, looking up, sending.
pub trait Adapter: Send + Sync + 'static {
    /// The upstream's answer, as this protocol carries it to the agent.
    type Reply: Send + 'static;

    /// What the bytes mean. Pure and total: the same bytes always mean the same, and what is not
    /// understood has the effect `unknown`.
    ///
    /// # Errors
    /// [`Ambiguous`] when two readers could differ.
    fn classify(&self, attempt: &Attempt) -> Result<Operation, Ambiguous>;

    /// What it would reach. Never fails: what can't be found has no places, and so is unknown.
    fn resolve<'a>(&'a self, operation: Operation, errands: &'a dyn Errands)
    -> Later<'a, Resolved>;

    /// The safeguards that the upstream offers for this operation.
    fn offers(&self, operation: &Operation) -> BTreeSet<Safeguard>;

    /// Whether this adapter can carry out what was delayed at that upstream, without a client.
    fn serves(&self, _upstream: &UpstreamName) -> bool {
        true
    }

    /// Sends exactly `operation.exact`, once, and never again.
    fn execute<'a>(
        &'a self,
        clearance: Clearance,
        operation: &'a Operation,
    ) -> Later<'a, Executed<Self::Reply>>;
}

/// Who is at the other end of an agent's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Its user id on this machine, where that could be looked up.
    pub uid: Option<u32>,
}

/// An agent whose token was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its connection.
    pub connection: ConnectionId,
    /// Whether the gateway is only advisory for it: it shares our user id.
    pub advisory: bool,
}

/// What the agent gets.
#[derive(Debug)]
pub enum Answer<R> {
    /// The upstream's answer.
    Reply(R),
    /// The gateway's own.
    Refused(Refusal),
}

/// A credential that an agent sent and that is not its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Where it wanted to use it.
    pub upstream: Option<UpstreamName>,
    /// In which header or field.
    pub place: String,
    /// The host it was meant for, escaped.
    pub host: String,
}

/// How a hold stands, for the agent that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldStatus {
    /// The hold.
    pub hold_id: HoldId,
    /// Its state, in a word.
    pub state: String,
    /// What to do now.
    pub advice: String,
    /// When it expires or runs, RFC 3339.
    pub until: Option<String>,
    /// What became of it, when it is over.
    pub outcome: Option<String>,
}

/// Rights for one task, as an agent asks for them. Everything in it is claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// The task, in the agent's words.
    pub task: Untrusted,
    /// Which rights.
    pub rights: Rights,
    /// How much it may touch.
    #[serde(default)]
    pub budget: Budget,
    /// For how long, in milliseconds from acceptance; eight hours at most, and unless said.
    pub life_ms: Option<u64>,
}

/// The life of an operation, as a surface sees it.
pub trait Pipeline<R>: Send + Sync {
    /// Checks a token, in constant time and without IO.
    ///
    /// # Errors
    /// The refusal to send.
    fn admit(&self, token: &str, peer: &Peer) -> Result<Caller, Box<Refusal>>;

    /// Whether an answer that is on its way to the caller may go on: not after a freeze or the
    /// caller's revocation. Asked before each part of a streamed answer, so it does no IO.
    fn goes_on(&self, caller: &Caller) -> bool;

    /// Takes an attempt through all its steps.
    fn submit<'a>(&'a self, caller: &'a Caller, attempt: Attempt) -> Later<'a, Answer<R>>;

    /// Records that an agent sent a credential that is not its token, tells a person, and gives the
    /// refusal to send.
    fn stray<'a>(&'a self, caller: Option<&'a Caller>, stray: Stray) -> Later<'a, Refusal>;

    /// How one of the caller's own holds stands.
    ///
    /// # Errors
    /// The refusal to send.
    fn status<'a>(
        &'a self,
        caller: &'a Caller,
        hold: &'a HoldId,
    ) -> Later<'a, Result<HoldStatus, Box<Refusal>>>;

    /// Asks a person for rights for one task: makes a proposal and gives its id. Nothing is in force
    /// until a person has accepted it.
    ///
    /// # Errors
    /// The refusal to send; always, where this is not offered.
    fn request_grant<'a>(
        &'a self,
        _caller: &'a Caller,
        _request: GrantRequest,
    ) -> Later<'a, Result<ProposalId, Box<Refusal>>> {
        let refusal = Refusal::new(RefusalKind::Denied, "grants can't be asked for here.");
        Box::pin(std::future::ready(Err(Box::new(refusal))))
    }
}

/// Uses credentials on behalf of whoever shows a clearance. The credential itself never comes out:
/// what comes out is a request that carries it, for the host it is bound to.
pub trait Vault: Send + Sync {
    /// The header lines to add to the bytes that `clearance` admits, before they are sent to `host`.
    ///
    /// # Errors
    /// [`VaultError`] when the bytes are not the ones cleared, the host is not the one the credential
    /// is bound to, or the credential can't be had.
    fn authorize<'a>(
        &'a self,
        clearance: &'a Clearance,
        exact: &'a crate::operation::Exact,
        upstream: &'a UpstreamName,
        host: &'a str,
    ) -> Later<'a, Result<AuthorizedHeaders, VaultError>>;

    /// Answers the challenge of the server at `host` (and no other), for an errand to sign in.
    ///
    /// # Errors
    /// [`VaultError`] as for [`Self::authorize`]; [`VaultError::Unanswerable`] when answering would give
    /// the credential away, or this vault answers none.
    fn answer<'a>(
        &'a self,
        clearance: &'a Clearance,
        upstream: &'a UpstreamName,
        host: &'a str,
        challenge: Challenge,
    ) -> Later<'a, Result<ChallengeAnswer, VaultError>> {
        let _ = (clearance, host, challenge);
        let error = VaultError::Unanswerable {
            upstream: upstream.to_string(),
            reason: "this vault answers no challenges".to_owned(),
        };
        Box::pin(std::future::ready(Err(error)))
    }

    /// Replaces every occurrence of this upstream's credential in `text`; whether there was one.
    fn scrub(&self, upstream: &UpstreamName, text: &mut Vec<u8>) -> bool;
}

/// Header lines that carry a credential. Not printable, not serialisable.
pub struct AuthorizedHeaders(pub Vec<(String, Vec<u8>)>);

impl std::fmt::Debug for AuthorizedHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthorizedHeaders(…)")
    }
}

/// Why a credential was not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// These are not the bytes that were cleared.
    #[error("the bytes about to be sent are not the ones that were cleared")]
    OtherBytes,
    /// The credential is for another host.
    #[error("the credential of `{upstream}` is not for host `{host}`")]
    OtherHost {
        /// The upstream.
        upstream: String,
        /// The host it was meant for, escaped.
        host: String,
    },
    /// Answering would give the credential away.
    #[error("the credential of `{upstream}` can't answer this server: {reason}")]
    Unanswerable {
        /// The upstream.
        upstream: String,
        /// Why, without any part of the secret.
        reason: String,
    },
    /// Nothing is known of it.
    #[error("no credential for upstream `{0}`; give one with `tagout upstream add`")]
    Missing(String),
    /// The reference could not be followed.
    #[error("the credential of `{upstream}` could not be read: {reason}")]
    Unreadable {
        /// The upstream.
        upstream: String,
        /// Why, without any part of the secret.
        reason: String,
    },
}
