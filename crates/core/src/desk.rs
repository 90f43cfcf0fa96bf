//! What people can do, as the console sees it. Agents have no way to any of this.

use serde::{Deserialize, Serialize};

use crate::approval::Decision;
use crate::card::Hold;
use crate::ids::{CeremonyId, FreezeId, HoldId, PersonId, ProposalId};
use crate::passkey::{Assertion, Registration};
use crate::pipeline::Later;
use crate::proposal::Proposal;
use crate::time::UnixMs;
use crate::untrusted::Untrusted;

/// What a person wants to do with a passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "wish")]
pub enum Wish {
    /// Enrol the first passkey, with the code that was printed on the terminal.
    Enrol {
        /// The code.
        code: String,
        /// The person's name.
        name: String,
    },
    /// Propose one more passkey for whoever is signed in. It counts once the proposal is accepted.
    AddAuthenticator,
    /// Propose oneself as a new person, with the code of an invitation. It counts once somebody who is
    /// enrolled has accepted the proposal.
    Join {
        /// The invitation's code.
        code: String,
        /// The new person's name.
        name: String,
    },
    /// Sign in, to see.
    SignIn,
    /// Answer one hold, or several of one task and environment on one card.
    Judge {
        /// Each hold with the number of the choice on its card.
        holds: Vec<(HoldId, usize)>,
        /// Yes or no.
        decision: Decision,
        /// What the agent is told with a no.
        reason: Option<String>,
    },
    /// Accept a proposal, or refuse it.
    Settle {
        /// Which.
        proposal: ProposalId,
        /// Yes or no.
        decision: Decision,
    },
}

/// A ceremony that was begun: what the page hands to the authenticator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceremony {
    /// Its id.
    pub id: CeremonyId,
    /// Create a passkey, or use one.
    pub kind: CeremonyKind,
    /// 32 bytes, base64url.
    pub challenge: String,
    /// The relying party's id.
    pub rp_id: String,
    /// The credentials that may answer, base64url. Empty when creating or signing in.
    pub credentials: Vec<String>,
    /// For creating: the user handle, base64url, and the name.
    pub user: Option<(String, Untrusted)>,
    /// When it ends.
    pub expires: UnixMs,
}

/// Create a passkey, or use one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CeremonyKind {
    /// `navigator.credentials.create`.
    Create,
    /// `navigator.credentials.get`.
    Get,
}

/// What the authenticator answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasskeyAnswer {
    /// A new passkey.
    Created(Registration),
    /// A signature.
    Signed(Assertion),
}

/// What a finished ceremony brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// Signed in: the secret of the session, for a cookie.
    Session {
        /// The cookie's value.
        secret: String,
        /// Who.
        person: PersonId,
        /// Until when.
        expires: UnixMs,
    },
    /// Holds were answered; how each stands now.
    Judged(Vec<(HoldId, String)>),
    /// A proposal was settled, or a new one made.
    Proposal(ProposalId, String),
}

/// A person whose session was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub person: PersonId,
    /// Their name.
    pub name: Untrusted,
}

/// Why a person's wish was not fulfilled. Said on the page as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// Sign in first.
    #[error("sign in first")]
    SignedOut,
    /// The first enrolment is over, or the code is wrong or too old.
    #[error(
        "this link is not valid any more; `tagout serve` prints one for the first person, and whoever is enrolled can invite others"
    )]
    EnrolmentClosed,
    /// Unknown, used or too old.
    #[error("this ceremony is over; begin again")]
    CeremonyOver,
    /// The passkey's answer does not hold.
    #[error("the passkey's answer was refused: {0}")]
    Passkey(#[from] crate::passkey::PasskeyError),
    /// Nothing by that id.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It can't be done any more, or not yet.
    #[error("{0}")]
    Refused(String),
    /// The record can't be written, so nothing may widen.
    #[error("the ledger can't be written: {0}")]
    Unrecorded(String),
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(String),
}

/// How the gateway stands, for the head of every page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether somebody has enrolled.
    pub enrolled: bool,
    /// The freeze in force, since when, and by whom.
    pub frozen: Option<(FreezeId, UnixMs, Untrusted)>,
    /// Holds that wait.
    pub pending: usize,
    /// Proposals that wait.
    pub proposals: usize,
    /// Why the guard is only advisory, if it is.
    pub advisory: Option<String>,
    /// The time now, as the gateway has it.
    pub now: UnixMs,
}

/// The people's side of the engine.
pub trait Desk: Send + Sync {
    /// Begins a ceremony. Everything but enrolling and signing in takes a session.
    fn begin<'a>(
        &'a self,
        session: Option<&'a SignedIn>,
        wish: Wish,
    ) -> Later<'a, Result<Ceremony, DeskError>>;

    /// Finishes a ceremony, once.
    fn finish<'a>(
        &'a self,
        ceremony: &'a CeremonyId,
        answer: PasskeyAnswer,
    ) -> Later<'a, Result<Settled, DeskError>>;

    /// The person behind a session's cookie.
    fn session(&self, secret: &str) -> Option<SignedIn>;

    /// Ends a session.
    fn sign_out(&self, secret: &str);

    /// How the gateway stands. Also for people who are not signed in, so it names nothing.
    fn standing(&self) -> Later<'_, Standing>;

    /// Every hold that is not over, and the latest that are, newest first.
    fn holds(&self) -> Later<'_, Result<Vec<Hold>, DeskError>>;

    /// One hold.
    fn hold<'a>(&'a self, id: &'a HoldId) -> Later<'a, Result<Hold, DeskError>>;

    /// Every open proposal, newest first.
    fn proposals(&self) -> Later<'_, Result<Vec<Proposal>, DeskError>>;

    /// Makes an invitation: a code with which one new person can propose themselves within ten
    /// minutes. It opens nothing by itself.
    ///
    /// # Errors
    /// [`DeskError`] without randomness.
    fn invite(&self, by: &SignedIn) -> Result<String, DeskError>;

    /// Cancels what is scheduled. Takes no passkey: it only makes things safer.
    fn cancel<'a>(&'a self, by: &'a SignedIn, hold: &'a HoldId)
    -> Later<'a, Result<(), DeskError>>;

    /// Stops everything. Takes no passkey: it only makes things safer.
    fn freeze<'a>(
        &'a self,
        by: &'a SignedIn,
        reason: Untrusted,
    ) -> Later<'a, Result<FreezeId, DeskError>>;

    /// Proposes the end of a freeze.
    fn propose_thaw<'a>(
        &'a self,
        by: &'a SignedIn,
        freeze: &'a FreezeId,
    ) -> Later<'a, Result<ProposalId, DeskError>>;
}
