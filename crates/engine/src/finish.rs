//! Finishing a ceremony: checking the passkey's answer and doing what was signed.

use tagout_core::approval::Decision;
use tagout_core::card::{Hold, SignedApproval};
use tagout_core::desk::{DeskError, PasskeyAnswer, Settled, Wish};
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::{AuthenticatorId, CeremonyId, HoldId, PersonId, ProposalId};
use tagout_core::passkey::{
    Assertion, NewCredential, Registration, verify_assertion, verify_registration,
};
use tagout_core::proposal::{Acceptance, Change, ProposalState};
use tagout_core::store::{Authenticator, Person};
use tagout_core::untrusted::Untrusted;

use crate::begin::{Desked, choice_of, desk_error};
use crate::ceremony::{Begun, SESSION_LIFE_MS};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::holding::SOLO_AFTER_MS;
use crate::leaf::{Leaf, Signature};
use crate::random::random;

/// A passkey that answered, and whose.
struct Signer {
    person: PersonId,
    key: Authenticator,
}

impl Engine {
    pub(crate) async fn finish_ceremony(
        &self,
        id: &CeremonyId,
        answer: PasskeyAnswer,
    ) -> Desked<Settled> {
        let taken = self.ceremonies.take(id, self.clock.now());
        let begun = taken.ok_or(DeskError::CeremonyOver)?;
        match (begun.wish.clone(), answer) {
            (Wish::Enrol { code, name }, PasskeyAnswer::Created(new)) => {
                self.enrol(&begun, &code, &name, &new).await
            }
            (Wish::AddAuthenticator { name }, PasskeyAnswer::Created(new)) => {
                self.propose_authenticator(&begun, &name, &new).await
            }
            (Wish::SignIn, PasskeyAnswer::Signed(assertion)) => {
                self.sign_in(&begun, &assertion).await
            }
            (
                Wish::Judge {
                    holds,
                    decision,
                    reason,
                },
                PasskeyAnswer::Signed(assertion),
            ) => {
                self.judge_holds(&begun, &holds, decision, reason, assertion)
                    .await
            }
            (Wish::Settle { proposal, decision }, PasskeyAnswer::Signed(assertion)) => {
                self.settle_proposal(id, &begun, &proposal, decision, assertion)
                    .await
            }
            _ => Err(DeskError::CeremonyOver),
        }
    }

    fn new_credential(&self, begun: &Begun, new: &Registration) -> Desked<NewCredential> {
        let settings = &self.settings;
        Ok(verify_registration(
            new,
            &begun.challenge,
            &settings.rp_id,
            &settings.origin,
        )?)
    }

    async fn enrol(
        &self,
        begun: &Begun,
        code: &str,
        name: &str,
        new: &Registration,
    ) -> Desked<Settled> {
        let credential = self.new_credential(begun, new)?;
        if !self.ceremonies.code_is(code, self.clock.now()) {
            return Err(DeskError::EnrolmentClosed);
        }
        let person = Person {
            id: PersonId::from_bits(random().map_err(DeskError::Refused)?),
            name: Untrusted::new(name.trim()),
            authenticators: vec![authenticator(&credential)?],
        };
        let id = person.id.clone();
        let public_key = credential.public_key.clone();
        self.recorded(&Leaf::Enrolled {
            person: id.clone(),
            public_key,
        })
        .await?;
        self.store.enrol_first(person).await.map_err(desk_error)?;
        self.ceremonies.spend_code();
        self.reloaded().await?;
        self.open_session(id).await
    }

    async fn propose_authenticator(
        &self,
        begun: &Begun,
        name: &str,
        new: &Registration,
    ) -> Desked<Settled> {
        let credential = self.new_credential(begun, new)?;
        let proposer = begun.person.clone().ok_or(DeskError::SignedOut)?;
        let in_force = self.in_force();
        let named = in_force
            .people()
            .iter()
            .find(|person| person.name.raw() == name.trim());
        let person = match named {
            Some(person) => person.id.clone(),
            None => PersonId::from_bits(random().map_err(DeskError::Refused)?),
        };
        let change = Change::Authenticator {
            id: authenticator(&credential)?.id,
            person,
            name: Untrusted::new(name.trim()),
            credential: credential.credential,
            public_key: credential.public_key,
        };
        let id = self
            .propose(change, Untrusted::new(proposer.to_string()))
            .await;
        Ok(Settled::Proposal(id.map_err(said)?, "open".to_owned()))
    }

    async fn sign_in(&self, begun: &Begun, assertion: &Assertion) -> Desked<Settled> {
        let signer = self.signer(begun, assertion).await?;
        let leaf = Leaf::SignedIn {
            person: signer.person.clone(),
        };
        self.record
            .note(&leaf)
            .await
            .map_err(|error| DeskError::Unrecorded(error.to_string()))?;
        self.open_session(signer.person).await
    }

    async fn open_session(&self, person: PersonId) -> Desked<Settled> {
        let secret = hex::encode(random::<32>().map_err(DeskError::Refused)?);
        let expires = self.clock.now().plus_ms(SESSION_LIFE_MS);
        self.ceremonies
            .sign_in(secret.clone(), person.clone(), expires);
        Ok(Settled::Session {
            secret,
            person,
            expires,
        })
    }

    /// Checks a signature against the enrolled passkey it names, and its counter.
    async fn signer(&self, begun: &Begun, assertion: &Assertion) -> Desked<Signer> {
        let in_force = self.in_force();
        let found = in_force.people().iter().find_map(|person| {
            let key = person
                .authenticators
                .iter()
                .find(|key| key.credential == assertion.credential);
            key.map(|key| Signer {
                person: person.id.clone(),
                key: key.clone(),
            })
        });
        let signer = found.ok_or(DeskError::NotFound("passkey"))?;
        if begun
            .person
            .as_ref()
            .is_some_and(|person| person != &signer.person)
        {
            return Err(DeskError::Refused(
                "sign with the passkey of whoever is signed in".to_owned(),
            ));
        }
        let settings = &self.settings;
        let verified = verify_assertion(
            assertion,
            &begun.challenge,
            &settings.rp_id,
            &settings.origin,
            &signer.key.public_key,
            signer.key.sign_count,
        )?;
        if verified.sign_count > 0 {
            let noted = self
                .store
                .note_sign_count(&signer.key.id, verified.sign_count)
                .await;
            noted.map_err(desk_error)?;
            self.reloaded().await?;
        }
        Ok(signer)
    }

    async fn judge_holds(
        &self,
        begun: &Begun,
        holds: &[(HoldId, usize)],
        decision: Decision,
        reason: Option<String>,
        assertion: Assertion,
    ) -> Desked<Settled> {
        let signer = self.signer(begun, &assertion).await?;
        let signature = self.signature(begun, &signer, assertion);
        let body = self.record.documents(&begun.documents).await;
        let body = body.map_err(|error| DeskError::Unrecorded(error.to_string()))?;
        let mut stands = Vec::new();
        for ((id, choice), document) in holds.iter().zip(&begun.documents) {
            let hold = self.pending_hold(id).await?;
            if &choice_of(&hold, *choice)?.document.text() != document {
                return Err(DeskError::Refused(
                    "the card has changed; look again".to_owned(),
                ));
            }
            let (signature, body) = (signature.clone(), body.clone());
            let leaf = Leaf::Judged {
                hold: id.clone(),
                signature: signature.clone(),
                body,
            };
            self.recorded(&leaf).await?;
            let judged = match decision {
                Decision::Approve => self.approve(id, *choice, &signature).await?,
                Decision::Deny => self.deny(id, reason.as_deref()).await?,
            };
            stands.push((id.clone(), judged.state.word().to_owned()));
        }
        self.holds_changed.notify_waiters();
        Ok(Settled::Judged(stands))
    }

    async fn approve(&self, id: &HoldId, choice: usize, signature: &Signature) -> Desked<Hold> {
        let now = self.clock.now();
        let approval = SignedApproval {
            person: signature.person.clone(),
            at: now,
            choice,
            challenge: signature.challenge.clone(),
            assertion: signature.assertion.clone(),
            public_key: signature.public_key.clone(),
        };
        let alone = self.in_force().people().len() == 1;
        let solo = alone.then_some(SOLO_AFTER_MS);
        self.store
            .sign(id, approval, solo, now)
            .await
            .map_err(desk_error)
    }

    async fn deny(&self, id: &HoldId, reason: Option<&str>) -> Desked<Hold> {
        let reason = Untrusted::new(reason.unwrap_or("no reason given")).cut(300);
        let step = self
            .store
            .step(id, HoldState::Pending, HoldEvent::Deny, Some(reason));
        step.await.map_err(desk_error)
    }

    async fn settle_proposal(
        &self,
        ceremony: &CeremonyId,
        begun: &Begun,
        id: &ProposalId,
        decision: Decision,
        assertion: Assertion,
    ) -> Desked<Settled> {
        let signer = self.signer(begun, &assertion).await?;
        let proposal = self.store.proposal(id).await.map_err(desk_error)?;
        let accepted = decision == Decision::Approve;
        if accepted {
            self.check_change(&proposal.change)?;
        }
        let acceptance = Acceptance {
            ceremony: ceremony.clone(),
            person: signer.person.clone(),
            at: self.clock.now(),
            challenge: begun.text.clone(),
            assertion: assertion.clone(),
            public_key: signer.key.public_key.clone(),
        };
        let signature = self.signature(begun, &signer, assertion);
        let change = Box::new(proposal.change);
        self.recorded(&Leaf::Settled {
            proposal: id.clone(),
            accepted,
            change,
            signature,
        })
        .await?;
        let state = if accepted {
            ProposalState::Accepted
        } else {
            ProposalState::Refused
        };
        self.store
            .settle(id, state, acceptance)
            .await
            .map_err(desk_error)?;
        self.reloaded().await?;
        self.changed.send_modify(|count| *count += 1);
        let word = if accepted { "accepted" } else { "refused" };
        Ok(Settled::Proposal(id.clone(), word.to_owned()))
    }

    fn signature(&self, begun: &Begun, signer: &Signer, assertion: Assertion) -> Signature {
        Signature {
            person: signer.person.clone(),
            challenge: begun.text.clone(),
            assertion,
            public_key: signer.key.public_key.clone(),
            rp_id: self.settings.rp_id.clone(),
            origin: self.settings.origin.clone(),
        }
    }

    /// What widens is durable in the ledger before it is in force.
    async fn recorded(&self, leaf: &Leaf) -> Desked<()> {
        let widened = self.record.widening(leaf).await;
        widened
            .map(|_| ())
            .map_err(|error| DeskError::Unrecorded(error.to_string()))
    }

    async fn reloaded(&self) -> Desked<()> {
        self.reload().await.map_err(said)
    }
}

fn authenticator(credential: &NewCredential) -> Desked<Authenticator> {
    Ok(Authenticator {
        id: AuthenticatorId::from_bits(random().map_err(DeskError::Refused)?),
        credential: credential.credential.clone(),
        public_key: credential.public_key.clone(),
        sign_count: credential.sign_count,
    })
}

pub(crate) fn said(error: EngineError) -> DeskError {
    match error {
        EngineError::Store(error) => desk_error(error),
        EngineError::Ledger(error) => DeskError::Unrecorded(error.to_string()),
        other => DeskError::Refused(other.to_string()),
    }
}
