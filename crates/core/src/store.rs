//! What must survive a restart, one trait for each concern. Each method is one transaction that keeps
//! its own invariant; nothing is ever read in one and trusted in another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::card::{Hold, SignedApproval};
use crate::digest::OperationDigest;
use crate::environment::Environment;
use crate::grant::{Connection, Grant, Spending};
use crate::hold::{HoldEvent, HoldState, IllegalStep};
use crate::ids::{
    AuthenticatorId, ConnectionId, FreezeId, GrantId, HoldId, PersonId, ProposalId, UpstreamName,
};
use crate::pipeline::Later;
use crate::proposal::{Acceptance, Change, Proposal, ProposalState, Upstream};
use crate::time::UnixMs;
use crate::untrusted::Untrusted;

/// Why the store could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing by that id.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Somebody else was first.
    #[error("it is {0} already")]
    Settled(String),
    /// A step that a hold's life doesn't have.
    #[error(transparent)]
    Step(#[from] IllegalStep),
    /// The same person signed already.
    #[error("the same person has signed already")]
    SamePerson,
    /// No more of these may wait.
    #[error("{0} wait already; answer or withdraw some first")]
    TooMany(usize),
    /// The disk or database failed.
    #[error("the database failed: {0}")]
    Database(String),
}

/// A result of the store, later.
pub type Stored<'a, T> = Later<'a, Result<T, StoreError>>;

/// A person who may approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its id.
    pub id: PersonId,
    /// Its name.
    pub name: Untrusted,
    /// When it was enrolled. Somebody new can't be the second of two signers at once: else one person
    /// could enrol a second name and sign for both.
    pub since: UnixMs,
    /// Its passkeys.
    pub authenticators: Vec<Authenticator>,
}

/// One passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticator {
    /// Its id.
    pub id: AuthenticatorId,
    /// The credential's id, base64url.
    pub credential: String,
    /// The public key, COSE, base64url.
    pub public_key: String,
    /// How often it has signed, as it says.
    pub sign_count: u32,
}

/// An order to stop everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// Its id.
    pub id: FreezeId,
    /// Since when.
    pub since: UnixMs,
    /// By whom or what.
    pub by: Untrusted,
    /// Why.
    pub reason: Untrusted,
}

/// Everything that says who may do what, read at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authority {
    /// Every connection that is not revoked.
    pub connections: Vec<Connection>,
    /// Every grant that is not revoked.
    pub grants: Vec<Grant>,
    /// Labels: upstream, place, environment.
    pub labels: Vec<(UpstreamName, String, Environment)>,
    /// Every accepted upstream.
    pub upstreams: Vec<Upstream>,
    /// Every person.
    pub people: Vec<Person>,
    /// Accepted policies beside the default pack, file name and text.
    pub policies: Vec<(String, String)>,
    /// The freeze in force.
    pub frozen: Option<Freeze>,
}

/// Whether a hold is new or was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It was put in.
    New(Hold),
    /// One with the same operation digest is pending, approved, scheduled or executing already.
    There(Hold),
}

/// Holds and their approvals.
pub trait Holds: Send + Sync {
    /// Puts in a hold, unless one with its operation digest is open. At most `most` of one connection
    /// may be pending.
    fn open_hold(&self, hold: Hold, most: usize) -> Stored<'_, Opened>;

    /// One hold.
    fn hold<'a>(&'a self, id: &'a HoldId) -> Stored<'a, Hold>;

    /// The newest hold of that operation, open or not.
    fn latest_hold(&self, operation: OperationDigest) -> Stored<'_, Option<Hold>>;

    /// Every open hold, and the newest `closed` that are over; newest first.
    fn list_holds(&self, closed: usize) -> Stored<'_, Vec<Hold>>;

    /// Adds a signature. When as many distinct people as its choice demands have signed the same
    /// choice, the hold becomes approved, or scheduled if the choice has a delay. `solo_after_ms`, if
    /// given, lets the same person sign again that much later. Expired holds can't be signed.
    fn sign<'a>(
        &'a self,
        id: &'a HoldId,
        approval: SignedApproval,
        solo_after_ms: Option<u64>,
        now: UnixMs,
    ) -> Stored<'a, Hold>;

    /// Takes a hold from `from` by `event`, if it still stands there: a compare-and-set. Used to
    /// consume an approval exactly once.
    fn step<'a>(
        &'a self,
        id: &'a HoldId,
        from: HoldState,
        event: HoldEvent,
        outcome: Option<String>,
    ) -> Stored<'a, Hold>;

    /// Expires what waited too long and lapses what was approved too long ago; gives those changed.
    fn expire_holds(&self, now: UnixMs) -> Stored<'_, Vec<Hold>>;

    /// Scheduled holds whose time has come.
    fn due_holds(&self, now: UnixMs) -> Stored<'_, Vec<Hold>>;

    /// Withdraws, cancels or voids everything of a connection or grant that is not over.
    fn withdraw_of<'a>(
        &'a self,
        connection: &'a ConnectionId,
        grant: Option<&'a GrantId>,
    ) -> Stored<'a, Vec<Hold>>;
}

/// Who may do what.
pub trait Authorities: Send + Sync {
    /// All of it.
    fn authority(&self) -> Stored<'_, Authority>;

    /// Puts a proposal in; at most `most` may be open.
    fn propose(&self, proposal: Proposal, most: usize) -> Stored<'_, ()>;

    /// One proposal.
    fn proposal<'a>(&'a self, id: &'a ProposalId) -> Stored<'a, Proposal>;

    /// Every open proposal that has not expired, newest first.
    fn open_proposals(&self, now: UnixMs) -> Stored<'_, Vec<Proposal>>;

    /// Settles an open proposal: marks it, and, if accepted, brings its change into force together
    /// with the signed acceptance, in one transaction.
    fn settle<'a>(
        &'a self,
        id: &'a ProposalId,
        state: ProposalState,
        acceptance: Acceptance,
    ) -> Stored<'a, Change>;

    /// Enrols the first person. Fails with `Settled` if anybody is enrolled.
    fn enrol_first(&self, person: Person) -> Stored<'_, ()>;

    /// Notes an authenticator's counter; refuses to go back.
    fn note_sign_count<'a>(&'a self, id: &'a AuthenticatorId, count: u32) -> Stored<'a, ()>;

    /// Ends a connection and everything narrowed from it; gives what was ended.
    fn revoke_connection<'a>(&'a self, id: &'a ConnectionId) -> Stored<'a, Vec<ConnectionId>>;

    /// Ends a grant and everything narrowed from it; gives what was ended.
    fn revoke_grant<'a>(&'a self, id: &'a GrantId) -> Stored<'a, Vec<GrantId>>;

    /// Stops a grant whose budget is used up.
    fn trip_grant<'a>(&'a self, id: &'a GrantId) -> Stored<'a, ()>;

    /// Adds a narrower connection or grant below an existing one. What it may have was checked by
    /// `Rights::narrow`; the store checks again that the parent is in force.
    fn add_child_connection(&self, child: Connection) -> Stored<'_, ()>;

    /// The same for a grant.
    fn add_child_grant(&self, child: Grant) -> Stored<'_, ()>;

    /// Notes that a connection was used.
    fn note_use<'a>(&'a self, id: &'a ConnectionId, now: UnixMs) -> Stored<'a, ()>;

    /// Stops everything. A freeze that is in force already stays.
    fn freeze(&self, freeze: Freeze) -> Stored<'_, Freeze>;
}

/// Whose budget is spent: a grant's, or a connection's own. Written as its id: the ids of both begin
/// differently.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Purse {
    /// A connection's standing budget.
    Connection(ConnectionId),
    /// A grant's.
    Grant(GrantId),
}

/// What was spent from each purse.
pub type Spendings = BTreeMap<Purse, Spending>;

/// What the intents in a stretch of the ledger have spent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Booked {
    /// By whom.
    pub spent: Spendings,
    /// The index in the ledger up to which intents are counted; those from it on are not.
    pub below: u64,
}

/// Budgets. The record of what was spent is the ledger, whose intents say it; here is their sum, in arrears,
/// so that a start need not read them all.
pub trait Budgets: Send + Sync {
    /// The sum, and how far in the ledger it goes.
    fn booked(&self) -> Stored<'_, Booked>;

    /// Adds what the intents from index `from` on have spent that are below `more.below`. Only if the sum
    /// reaches exactly to `from`, else [`StoreError::Settled`]: so no intent is counted twice or left out.
    fn book(&self, from: u64, more: Booked) -> Stored<'_, ()>;
}

/// Secrets, sealed by the vault before they come here.
pub trait Sealed: Send + Sync {
    /// Keeps a sealed secret under a name, replacing an older version.
    fn keep<'a>(&'a self, name: &'a str, sealed: Vec<u8>) -> Stored<'a, ()>;

    /// A sealed secret.
    fn sealed<'a>(&'a self, name: &'a str) -> Stored<'a, Option<Vec<u8>>>;
}

/// Everything the engine keeps.
pub trait Store: Holds + Authorities + Budgets + Sealed {}

impl<T: Holds + Authorities + Budgets + Sealed> Store for T {}
