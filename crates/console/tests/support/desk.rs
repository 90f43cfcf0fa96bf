//! A desk over memory: real ceremonies and real signatures, small rules, no engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tagout_core::approval::{Challenge, Decision};
use tagout_core::canonical::prefixed_hash;
use tagout_core::card::{Hold, SignedApproval};
use tagout_core::desk::{
    Ceremony, CeremonyKind, Desk, DeskError, PasskeyAnswer, Settled, SignedIn, Standing, Wish,
};
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::{AuthenticatorId, CeremonyId, FreezeId, HoldId, PersonId, ProposalId};
use tagout_core::passkey::{Assertion, Registration, verify_assertion, verify_registration};
use tagout_core::pipeline::Later;
use tagout_core::proposal::{Change, Proposal, ProposalState};
use tagout_core::time::UnixMs;
use tagout_core::untrusted::Untrusted;

/// The time at this desk stands still.
pub(crate) const NOW: UnixMs = UnixMs(1_777_042_931_000);

/// The code of the first enrolment.
pub(crate) const CODE: &str = "brick-otter-27";

pub(crate) struct MemoryDesk {
    rp_id: String,
    origin: String,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    made: u128,
    pub(crate) keys: Vec<Key>,
    sessions: BTreeMap<String, PersonId>,
    ceremonies: BTreeMap<CeremonyId, Begun>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) proposals: Vec<Proposal>,
    pub(crate) frozen: Option<(FreezeId, UnixMs, Untrusted)>,
    pub(crate) advisory: Option<String>,
    /// What agents were told with a no.
    pub(crate) told: Vec<String>,
    invitations: std::collections::BTreeSet<String>,
}

#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) person: PersonId,
    name: Untrusted,
    credential: String,
    pub(crate) public_key: String,
    sign_count: u32,
}

struct Begun {
    wish: Wish,
    by: Option<SignedIn>,
    challenge: [u8; 32],
    text: String,
}

impl State {
    fn bits(&mut self) -> [u8; 16] {
        self.made += 1;
        self.made.to_be_bytes()
    }

    fn enrolled(&self) -> bool {
        !self.keys.is_empty()
    }

    pub(crate) fn hold_mut(&mut self, id: &HoldId) -> Result<&mut Hold, DeskError> {
        let found = self.holds.iter_mut().find(|hold| hold.id == *id);
        found.ok_or(DeskError::NotFound("hold"))
    }

    fn challenge(&mut self, wish: &Wish, by: Option<&SignedIn>) -> Result<Challenge, DeskError> {
        let Wish::Judge {
            holds, decision, ..
        } = wish
        else {
            return Err(DeskError::CeremonyOver);
        };
        let mut approvals = Vec::new();
        for (id, index) in holds {
            let hold = self.hold_mut(id)?;
            if hold.state != HoldState::Pending {
                return Err(DeskError::Refused(format!("{id} is {}", hold.state.word())));
            }
            let choice = hold.card.choices.get(*index);
            approvals.push(
                choice
                    .ok_or(DeskError::NotFound("choice"))?
                    .document
                    .digest(),
            );
        }
        Ok(Challenge {
            approvals,
            decision: *decision,
            approver: by.ok_or(DeskError::SignedOut)?.person.clone(),
            nonce: hex::encode(self.bits()),
            checkpoint: "tagout.test/ledger\n7\nroot=\n".to_owned(),
        })
    }
}

impl MemoryDesk {
    pub(crate) fn new(rp_id: &str, origin: &str) -> Arc<Self> {
        Arc::new(Self {
            rp_id: rp_id.to_owned(),
            origin: origin.to_owned(),
            state: Mutex::default(),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn begun(&self, by: Option<&SignedIn>, wish: Wish) -> Result<Ceremony, DeskError> {
        let mut state = self.state();
        let mut credentials = Vec::new();
        let mut user = None;
        let bits = state.bits();
        let mut text = format!("{bits:?}");
        let mut challenge = prefixed_hash("test/ceremony", text.as_bytes());
        match &wish {
            Wish::Enrol { code, name } => {
                if state.enrolled() || code != CODE {
                    return Err(DeskError::EnrolmentClosed);
                }
                user = Some((URL_SAFE_NO_PAD.encode(bits), name.as_str().into()));
            }
            Wish::AddAuthenticator => {
                let by = by.ok_or(DeskError::SignedOut)?;
                user = Some((URL_SAFE_NO_PAD.encode(bits), by.name.clone()));
            }
            Wish::Join { code, name } => {
                let known = state.invitations.contains(code);
                known.then_some(()).ok_or(DeskError::EnrolmentClosed)?;
                user = Some((URL_SAFE_NO_PAD.encode(bits), name.as_str().into()));
            }
            Wish::SignIn => {}
            Wish::Judge { .. } => {
                let ours = state.challenge(&wish, by)?;
                (text, challenge) = (ours.text(), ours.bytes());
            }
            Wish::Settle { proposal, .. } => {
                let open = state.proposals.iter().any(|one| one.id == *proposal);
                open.then_some(()).ok_or(DeskError::NotFound("proposal"))?;
            }
        }
        if let Some(by) = by {
            let mine = state.keys.iter().filter(|key| key.person == by.person);
            credentials.extend(mine.map(|key| key.credential.clone()));
        }
        let id = CeremonyId::from_bits(state.bits());
        let kind = match user {
            Some(_) => CeremonyKind::Create,
            None => CeremonyKind::Get,
        };
        let by = by.cloned();
        let begun = Begun {
            wish,
            by,
            challenge,
            text,
        };
        state.ceremonies.insert(id.clone(), begun);
        Ok(Ceremony {
            id,
            kind,
            challenge: URL_SAFE_NO_PAD.encode(challenge),
            rp_id: self.rp_id.clone(),
            credentials: if user.is_some() {
                Vec::new()
            } else {
                credentials
            },
            user,
            expires: NOW.plus_ms(120_000),
        })
    }

    fn finished(&self, id: &CeremonyId, answer: PasskeyAnswer) -> Result<Settled, DeskError> {
        let begun = self.state().ceremonies.remove(id);
        let begun = begun.ok_or(DeskError::CeremonyOver)?;
        match answer {
            PasskeyAnswer::Created(registration) => self.created(begun, &registration),
            PasskeyAnswer::Signed(assertion) => self.signed(begun, &assertion),
        }
    }

    fn created(&self, begun: Begun, registration: &Registration) -> Result<Settled, DeskError> {
        let new = verify_registration(registration, &begun.challenge, &self.rp_id, &self.origin)?;
        let mut state = self.state();
        let person = PersonId::from_bits(state.bits());
        match begun.wish {
            Wish::Enrol { name, .. } => {
                state.keys.push(Key {
                    person: person.clone(),
                    name: name.into(),
                    credential: new.credential,
                    public_key: new.public_key,
                    sign_count: new.sign_count,
                });
                Ok(session(&mut state, person))
            }
            wish @ (Wish::AddAuthenticator | Wish::Join { .. }) => {
                let (person, name) = match (wish, begun.by) {
                    (Wish::Join { code, name }, _) => {
                        state.invitations.remove(&code);
                        (person, name.into())
                    }
                    (_, Some(by)) => (by.person, by.name),
                    (_, None) => return Err(DeskError::SignedOut),
                };
                let change = Change::Authenticator {
                    id: AuthenticatorId::from_bits(state.bits()),
                    person,
                    name,
                    credential: new.credential,
                    public_key: new.public_key,
                };
                Ok(Settled::Proposal(
                    propose(&mut state, change),
                    "open".to_owned(),
                ))
            }
            _ => Err(DeskError::CeremonyOver),
        }
    }

    fn signed(&self, begun: Begun, assertion: &Assertion) -> Result<Settled, DeskError> {
        let mut state = self.state();
        let by = begun.by.map(|by| by.person);
        let key = state.keys.iter_mut().find(|key| {
            key.credential == assertion.credential && by.as_ref().is_none_or(|by| *by == key.person)
        });
        let key = key.ok_or(DeskError::NotFound("passkey"))?;
        let verified = verify_assertion(
            assertion,
            &begun.challenge,
            &self.rp_id,
            &self.origin,
            &key.public_key,
            key.sign_count,
        )?;
        key.sign_count = verified.sign_count;
        let key = key.clone();
        match begun.wish {
            Wish::SignIn => Ok(session(&mut state, key.person)),
            Wish::Judge {
                holds,
                decision,
                reason,
            } => {
                state.told.extend(reason);
                let mut stand = Vec::new();
                for (id, choice) in holds {
                    let hold = state.hold_mut(&id)?;
                    judge(hold, choice, decision, &key, &begun.text, assertion);
                    stand.push((id, hold.state.word().to_owned()));
                }
                Ok(Settled::Judged(stand))
            }
            Wish::Settle { proposal, decision } => {
                state.proposals.retain(|one| one.id != proposal);
                let word = match decision {
                    Decision::Approve => "accepted",
                    Decision::Deny => "refused",
                };
                Ok(Settled::Proposal(proposal, word.to_owned()))
            }
            _ => Err(DeskError::CeremonyOver),
        }
    }
}

fn session(state: &mut State, person: PersonId) -> Settled {
    let secret = format!("session{}", hex::encode(state.bits()));
    state.sessions.insert(secret.clone(), person.clone());
    Settled::Session {
        secret,
        person,
        expires: NOW.plus_ms(3_600_000),
    }
}

pub(crate) fn propose(state: &mut State, change: Change) -> ProposalId {
    let id = ProposalId::from_bits(state.bits());
    state.proposals.push(Proposal {
        id: id.clone(),
        change,
        from: "command line".into(),
        created: NOW,
        state: ProposalState::Open,
    });
    id
}

fn judge(
    hold: &mut Hold,
    choice: usize,
    decision: Decision,
    key: &Key,
    challenge: &str,
    assertion: &Assertion,
) {
    let event = match decision {
        Decision::Approve => HoldEvent::Approve,
        Decision::Deny => HoldEvent::Deny,
    };
    hold.approvals.push(SignedApproval {
        person: key.person.clone(),
        at: NOW,
        choice,
        challenge: challenge.to_owned(),
        assertion: assertion.clone(),
        public_key: key.public_key.clone(),
    });
    hold.state = hold.state.after(event).unwrap();
}

impl Desk for MemoryDesk {
    fn begin<'a>(
        &'a self,
        session: Option<&'a SignedIn>,
        wish: Wish,
    ) -> Later<'a, Result<Ceremony, DeskError>> {
        Box::pin(async move { self.begun(session, wish) })
    }

    fn finish<'a>(
        &'a self,
        ceremony: &'a CeremonyId,
        answer: PasskeyAnswer,
    ) -> Later<'a, Result<Settled, DeskError>> {
        Box::pin(async move { self.finished(ceremony, answer) })
    }

    fn session(&self, secret: &str) -> Option<SignedIn> {
        let state = self.state();
        let person = state.sessions.get(secret)?.clone();
        let key = state.keys.iter().find(|key| key.person == person)?;
        let name = key.name.clone();
        Some(SignedIn { person, name })
    }

    fn sign_out(&self, secret: &str) {
        self.state().sessions.remove(secret);
    }

    fn standing(&self) -> Later<'_, Standing> {
        Box::pin(async move {
            let state = self.state();
            let pending = |hold: &&Hold| hold.state == HoldState::Pending;
            Standing {
                enrolled: state.enrolled(),
                frozen: state.frozen.clone(),
                pending: state.holds.iter().filter(pending).count(),
                proposals: state.proposals.len(),
                advisory: state.advisory.clone(),
                now: NOW,
            }
        })
    }

    fn holds(&self) -> Later<'_, Result<Vec<Hold>, DeskError>> {
        Box::pin(async move { Ok(self.state().holds.clone()) })
    }

    fn hold<'a>(&'a self, id: &'a HoldId) -> Later<'a, Result<Hold, DeskError>> {
        Box::pin(async move { self.state().hold_mut(id).cloned() })
    }

    fn proposals(&self) -> Later<'_, Result<Vec<Proposal>, DeskError>> {
        Box::pin(async move { Ok(self.state().proposals.clone()) })
    }

    fn invite(&self, _by: &SignedIn) -> Result<String, DeskError> {
        let mut state = self.state();
        let code = hex::encode(state.bits());
        state.invitations.insert(code.clone());
        Ok(code)
    }

    fn cancel<'a>(
        &'a self,
        _by: &'a SignedIn,
        hold: &'a HoldId,
    ) -> Later<'a, Result<(), DeskError>> {
        Box::pin(async move {
            let mut state = self.state();
            let hold = state.hold_mut(hold)?;
            let after = hold.state.after(HoldEvent::Cancel);
            hold.state = after.map_err(|step| DeskError::Refused(step.to_string()))?;
            Ok(())
        })
    }

    fn freeze<'a>(
        &'a self,
        by: &'a SignedIn,
        reason: Untrusted,
    ) -> Later<'a, Result<FreezeId, DeskError>> {
        Box::pin(async move {
            let mut state = self.state();
            let id = FreezeId::from_bits(state.bits());
            state.told.push(reason.to_string());
            state.frozen = Some((id.clone(), NOW, by.name.clone()));
            Ok(id)
        })
    }

    fn propose_thaw<'a>(
        &'a self,
        _by: &'a SignedIn,
        freeze: &'a FreezeId,
    ) -> Later<'a, Result<ProposalId, DeskError>> {
        Box::pin(async move {
            let freeze = freeze.clone();
            Ok(propose(&mut self.state(), Change::Thaw { freeze }))
        })
    }
}
