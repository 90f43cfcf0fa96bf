//! Ceremonies that were begun, and sessions that are signed in. In memory only: a restart ends both,
//! which is safe, and nothing that could approve lies on a disk.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tagout_core::desk::Wish;
use tagout_core::ids::{CeremonyId, PersonId};
use tagout_core::time::UnixMs;

/// A ceremony must be finished within five minutes.
pub(crate) const CEREMONY_LIFE_MS: u64 = 5 * 60 * 1000;

/// A session ends after twelve hours.
pub(crate) const SESSION_LIFE_MS: u64 = 12 * 60 * 60 * 1000;

/// The first enrolment's code is good for ten minutes.
pub(crate) const CODE_LIFE_MS: u64 = 10 * 60 * 1000;

/// More ceremonies than this are not kept; the oldest goes. Signing in can be begun by anybody.
const MOST: usize = 1000;

/// A ceremony that waits for its answer.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) wish: Wish,
    /// Who began it, if signed in.
    pub(crate) person: Option<PersonId>,
    /// What the authenticator is given.
    pub(crate) challenge: [u8; 32],
    /// The canonical text behind the challenge.
    pub(crate) text: String,
    /// The canonical texts of the documents whose digests are in it.
    pub(crate) documents: Vec<String>,
    pub(crate) expires: UnixMs,
}

/// Ceremonies, sessions and the enrolment code.
#[derive(Debug, Default)]
pub(crate) struct Ceremonies(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    begun: HashMap<CeremonyId, Begun>,
    sessions: HashMap<String, (PersonId, UnixMs)>,
    code: Option<(String, UnixMs)>,
    /// Invitations, each good for one person.
    invitations: HashMap<String, (PersonId, UnixMs)>,
}

impl Ceremonies {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keep(&self, id: CeremonyId, begun: Begun, now: UnixMs) {
        let mut state = self.state();
        state.begun.retain(|_, each| now < each.expires);
        if state.begun.len() >= MOST {
            // Signing in can be begun by anybody, so those go before what somebody began who is known.
            let age = |(_, each): &(&CeremonyId, &Begun)| (each.person.is_some(), each.expires);
            let oldest = state.begun.iter().min_by_key(age);
            let oldest = oldest.map(|(id, _)| id.clone());
            oldest.and_then(|id| state.begun.remove(&id));
        }
        state.begun.insert(id, begun);
    }

    /// Takes a ceremony out: whatever comes of it, it can't be finished twice.
    pub(crate) fn take(&self, id: &CeremonyId, now: UnixMs) -> Option<Begun> {
        self.state()
            .begun
            .remove(id)
            .filter(|begun| now < begun.expires)
    }

    pub(crate) fn sign_in(&self, secret: String, person: PersonId, expires: UnixMs, now: UnixMs) {
        let mut state = self.state();
        state.sessions.retain(|_, (_, until)| now < *until);
        state.sessions.insert(secret, (person, expires));
    }

    pub(crate) fn session(&self, secret: &str, now: UnixMs) -> Option<PersonId> {
        let state = self.state();
        let (person, expires) = state.sessions.get(secret)?;
        (now < *expires).then(|| person.clone())
    }

    pub(crate) fn sign_out(&self, secret: &str) {
        self.state().sessions.remove(secret);
    }

    pub(crate) fn set_code(&self, code: String, expires: UnixMs) {
        self.state().code = Some((code, expires));
    }

    pub(crate) fn code_is(&self, code: &str, now: UnixMs) -> bool {
        use subtle::ConstantTimeEq as _;
        let state = self.state();
        let Some((right, expires)) = &state.code else {
            return false;
        };
        now < *expires && bool::from(right.as_bytes().ct_eq(code.as_bytes()))
    }

    pub(crate) fn invite(&self, code: String, by: PersonId, expires: UnixMs, now: UnixMs) {
        let mut state = self.state();
        state.invitations.retain(|_, (_, until)| now < *until);
        state.invitations.insert(code, (by, expires));
    }

    /// Who made this invitation, if it is good.
    pub(crate) fn inviter(&self, code: &str, now: UnixMs) -> Option<PersonId> {
        let state = self.state();
        let (by, expires) = state.invitations.get(code)?;
        (now < *expires).then(|| by.clone())
    }

    pub(crate) fn spend_invitation(&self, code: &str) {
        self.state().invitations.remove(code);
    }

    /// Takes the code out if it is this one: it opens once.
    pub(crate) fn take_code(&self, code: &str, now: UnixMs) -> bool {
        let right = self.code_is(code, now);
        right && self.state().code.take().is_some()
    }
}
