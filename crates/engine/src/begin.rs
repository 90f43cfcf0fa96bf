//! Beginning a ceremony: what exactly the person's passkey will sign.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tagout_core::approval::{Challenge, Decision};
use tagout_core::canonical::{canonical_json, prefixed_hash};
use tagout_core::card::{Choice, Hold};
use tagout_core::desk::{Ceremony, CeremonyKind, DeskError, SignedIn, Wish};
use tagout_core::hold::HoldState;
use tagout_core::ids::{CeremonyId, HoldId, ProposalId};
use tagout_core::proposal::ProposalState;
use tagout_core::store::StoreError;
use tagout_core::untrusted::Untrusted;

use crate::ceremony::{Begun, CEREMONY_LIFE_MS};
use crate::engine::Engine;
use crate::random::random;

const ENROL_PREFIX: &str = "tagout/enrol/v1";
const SIGN_IN_PREFIX: &str = "tagout/sign-in/v1";
const SETTLE_PREFIX: &str = "tagout/settle/v1";

/// What is signed, before it is given an id.
struct Subject {
    kind: CeremonyKind,
    challenge: [u8; 32],
    text: String,
    documents: Vec<String>,
    user: Option<(String, Untrusted)>,
}

pub(crate) type Desked<T> = Result<T, DeskError>;

impl Engine {
    pub(crate) async fn begin_ceremony(
        &self,
        session: Option<&SignedIn>,
        wish: Wish,
    ) -> Desked<Ceremony> {
        let subject = self.subject(session, &wish).await?;
        let now = self.clock.now();
        let expires = now.plus_ms(CEREMONY_LIFE_MS);
        let id = CeremonyId::from_bits(random().map_err(DeskError::Refused)?);
        let credentials = match (subject.kind, session) {
            (CeremonyKind::Get, Some(session)) => self.credentials_of(session),
            _ => Vec::new(),
        };
        let ceremony = Ceremony {
            id: id.clone(),
            kind: subject.kind,
            challenge: URL_SAFE_NO_PAD.encode(subject.challenge),
            rp_id: self.settings.rp_id.clone(),
            credentials,
            user: subject.user,
            expires,
        };
        let begun = Begun {
            wish,
            person: session.map(|session| session.person.clone()),
            challenge: subject.challenge,
            text: subject.text,
            documents: subject.documents,
            expires,
        };
        self.ceremonies.keep(id, begun, now);
        Ok(ceremony)
    }

    async fn subject(&self, session: Option<&SignedIn>, wish: &Wish) -> Desked<Subject> {
        match wish {
            Wish::Enrol { code, name } => self.subject_enrol(code, name),
            Wish::SignIn => Ok(Subject::plain(SIGN_IN_PREFIX, &json!({"nonce": nonce()?}))),
            Wish::AddAuthenticator => {
                let session = session.ok_or(DeskError::SignedOut)?;
                Subject::creating(session.name.raw())
            }
            Wish::Join { code, name } => {
                let inviter = self.ceremonies.inviter(code, self.clock.now());
                inviter.ok_or(DeskError::EnrolmentClosed)?;
                Subject::creating(name)
            }
            Wish::Judge {
                holds, decision, ..
            } => {
                let session = session.ok_or(DeskError::SignedOut)?;
                self.subject_judge(session, holds, *decision).await
            }
            Wish::Settle { proposal, decision } => {
                let session = session.ok_or(DeskError::SignedOut)?;
                self.subject_settle(session, proposal, *decision).await
            }
        }
    }

    fn subject_enrol(&self, code: &str, name: &str) -> Desked<Subject> {
        let open = self.in_force().people().is_empty();
        if !(open && self.ceremonies.code_is(code, self.clock.now())) {
            return Err(DeskError::EnrolmentClosed);
        }
        Subject::creating(name)
    }

    async fn subject_judge(
        &self,
        session: &SignedIn,
        holds: &[(HoldId, usize)],
        decision: Decision,
    ) -> Desked<Subject> {
        let mut documents = Vec::new();
        let mut approvals = Vec::new();
        let mut first: Option<Hold> = None;
        for (id, choice) in holds {
            let hold = self.pending_hold(id).await?;
            same_card(first.as_ref(), &hold)?;
            let document = &choice_of(&hold, *choice)?.document;
            approvals.push(document.digest());
            documents.push(document.text());
            first = first.or(Some(hold));
        }
        if approvals.is_empty() {
            return Err(DeskError::Refused("choose at least one hold".to_owned()));
        }
        let challenge = Challenge {
            approvals,
            decision,
            approver: session.person.clone(),
            nonce: nonce()?,
            checkpoint: self.record.checkpoint_text(),
        };
        Ok(Subject {
            kind: CeremonyKind::Get,
            challenge: challenge.bytes(),
            text: challenge.text(),
            documents,
            user: None,
        })
    }

    async fn subject_settle(
        &self,
        session: &SignedIn,
        id: &ProposalId,
        decision: Decision,
    ) -> Desked<Subject> {
        let proposal = self.store.proposal(id).await.map_err(desk_error)?;
        if proposal.state != ProposalState::Open {
            return Err(DeskError::Refused(
                "this proposal is settled already".to_owned(),
            ));
        }
        let value = json!({
            "approver": session.person,
            "change": proposal.change.digest(),
            "checkpoint": self.record.checkpoint_text(),
            "decision": decision,
            "nonce": nonce()?,
            "proposal": id,
        });
        let mut subject = Subject::plain(SETTLE_PREFIX, &value);
        subject.documents = vec![tagout_core::canonical::canonical_text(&proposal.change)];
        Ok(subject)
    }

    /// A hold that still waits for its first or its second signature.
    pub(crate) async fn pending_hold(&self, id: &HoldId) -> Desked<Hold> {
        let hold = self.store.hold(id).await.map_err(desk_error)?;
        let waits = hold.state == HoldState::Pending && self.clock.now() < hold.card.expires;
        if !waits {
            let line = format!(
                "this hold is not waiting any more; it is {}",
                hold.state.word()
            );
            return Err(DeskError::Refused(line));
        }
        Ok(hold)
    }

    fn credentials_of(&self, session: &SignedIn) -> Vec<String> {
        let in_force = self.in_force();
        let mine = in_force
            .people()
            .iter()
            .filter(|person| person.id == session.person);
        mine.flat_map(|person| &person.authenticators)
            .map(|key| key.credential.clone())
            .collect()
    }
}

impl Subject {
    /// A signature over a small document of its own.
    fn plain(prefix: &str, value: &Value) -> Self {
        let text = canonical_json(value);
        Self {
            kind: CeremonyKind::Get,
            challenge: prefixed_hash(prefix, text.as_bytes()),
            text,
            documents: Vec::new(),
            user: None,
        }
    }

    /// A new passkey for somebody of this name.
    fn creating(name: &str) -> Desked<Self> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 80 {
            return Err(DeskError::Refused(
                "give a name of 1 to 80 characters".to_owned(),
            ));
        }
        let handle: [u8; 16] = random().map_err(DeskError::Refused)?;
        let text = canonical_json(&json!({"name": name, "nonce": nonce()?}));
        Ok(Self {
            kind: CeremonyKind::Create,
            challenge: prefixed_hash(ENROL_PREFIX, text.as_bytes()),
            text,
            documents: Vec::new(),
            user: Some((URL_SAFE_NO_PAD.encode(handle), Untrusted::new(name))),
        })
    }
}

/// Only holds of one agent, one upstream and one environment may be judged on one card.
fn same_card(first: Option<&Hold>, next: &Hold) -> Desked<()> {
    let Some(first) = first else { return Ok(()) };
    let alike = first.connection == next.connection
        && first.grant == next.grant
        && first.upstream == next.upstream
        && first.card.environment == next.card.environment;
    if alike {
        return Ok(());
    }
    Err(DeskError::Refused(
        "holds of different agents or environments are judged one by one".to_owned(),
    ))
}

pub(crate) fn choice_of(hold: &Hold, choice: usize) -> Desked<&Choice> {
    hold.card
        .choices
        .get(choice)
        .ok_or(DeskError::NotFound("choice"))
}

fn nonce() -> Desked<String> {
    Ok(hex::encode(random::<16>().map_err(DeskError::Refused)?))
}

pub(crate) fn desk_error(error: StoreError) -> DeskError {
    match error {
        StoreError::NotFound(what) => DeskError::NotFound(what),
        StoreError::Database(reason) => DeskError::Store(reason),
        other => DeskError::Refused(other.to_string()),
    }
}
