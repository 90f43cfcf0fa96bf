//! Finishing a ceremony: checking the passkey's answer and doing what was signed.

use tagout_core::approval::Decision;
use tagout_core::canonical::canonical_text;
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
use crate::leaf::{Leaf, Signature};
use crate::random::random;
use crate::signatures::{NEWCOMER, SOLO_AFTER_MS};

/// A longer change is not put into the ledger's leaf, only beside it.
const LONGEST_CHANGE_IN_LEAF: usize = 32 * 1024;

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
            (Wish::AddAuthenticator, PasskeyAnswer::Created(new)) => {
                self.propose_own_authenticator(&begun, &new).await
            }
            (Wish::Join { code, name }, PasskeyAnswer::Created(new)) => {
                self.propose_person(&begun, &code, &name, &new).await
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
        if !self.ceremonies.take_code(code, self.clock.now()) {
            return Err(DeskError::EnrolmentClosed);
        }
        let person = Person {
            id: PersonId::from_bits(random().map_err(DeskError::Refused)?),
            name: Untrusted::new(name.trim()),
            since: self.clock.now(),
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
        self.reloaded().await?;
        self.open_session(id).await
    }

    /// One more passkey for whoever is signed in.
    async fn propose_own_authenticator(
        &self,
        begun: &Begun,
        new: &Registration,
    ) -> Desked<Settled> {
        let credential = self.new_credential(begun, new)?;
        let proposer = begun.person.clone().ok_or(DeskError::SignedOut)?;
        let in_force = self.in_force();
        let known = in_force
            .people()
            .iter()
            .find(|person| person.id == proposer);
        let name = known.ok_or(DeskError::SignedOut)?.name.clone();
        self.propose_authenticator(proposer.clone(), name, credential, &proposer)
            .await
    }

    /// A new person, by invitation.
    async fn propose_person(
        &self,
        begun: &Begun,
        code: &str,
        name: &str,
        new: &Registration,
    ) -> Desked<Settled> {
        let credential = self.new_credential(begun, new)?;
        let inviter = self.ceremonies.inviter(code, self.clock.now());
        let inviter = inviter.ok_or(DeskError::EnrolmentClosed)?;
        let person = PersonId::from_bits(random().map_err(DeskError::Refused)?);
        let name = Untrusted::new(name.trim());
        let settled = self
            .propose_authenticator(person, name, credential, &inviter)
            .await?;
        self.ceremonies.spend_invitation(code);
        Ok(settled)
    }

    async fn propose_authenticator(
        &self,
        person: PersonId,
        name: Untrusted,
        credential: NewCredential,
        from: &PersonId,
    ) -> Desked<Settled> {
        let id = authenticator(&credential)?.id;
        let NewCredential {
            credential,
            public_key,
            ..
        } = credential;
        let change = Change::Authenticator {
            id,
            person,
            name,
            credential,
            public_key,
        };
        let id = self.propose(change, Untrusted::new(from.to_string())).await;
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
        let now = self.clock.now();
        let expires = now.plus_ms(SESSION_LIFE_MS);
        self.ceremonies
            .sign_in(secret.clone(), person.clone(), expires, now);
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
        self.cards_are_the_same(holds, &begun.documents).await?;
        let body = self.record.documents(&begun.documents).await;
        let body = match (body, decision) {
            (Ok(body), _) => body,
            // A no needs no record to count.
            (Err(_), Decision::Deny) => String::new(),
            (Err(error), Decision::Approve) => {
                return Err(DeskError::Unrecorded(error.to_string()));
            }
        };
        let mut judged = Vec::new();
        for (id, choice) in holds {
            let leaf = Leaf::Judged {
                hold: id.clone(),
                signature: signature.clone(),
                body: body.clone(),
            };
            judged.push(match decision {
                Decision::Approve => self.approve(id, *choice, &signature, &leaf).await,
                Decision::Deny => self.deny(id, reason.as_deref(), &leaf).await,
            });
        }
        self.holds_changed.notify_waiters();
        how_each_stands(holds, judged)
    }

    /// Nothing is signed unless every card is still what the person saw.
    async fn cards_are_the_same(
        &self,
        holds: &[(HoldId, usize)],
        documents: &[String],
    ) -> Desked<()> {
        for ((id, choice), document) in holds.iter().zip(documents) {
            let hold = self.pending_hold(id).await?;
            if &choice_of(&hold, *choice)?.document.text() != document {
                let line = "the card has changed; look again";
                return Err(DeskError::Refused(line.to_owned()));
            }
        }
        Ok(())
    }

    async fn approve(
        &self,
        id: &HoldId,
        choice: usize,
        signature: &Signature,
        leaf: &Leaf,
    ) -> Desked<Hold> {
        let hold = self.pending_hold(id).await?;
        let now = self.clock.now();
        let in_force = self.in_force();
        let two = choice_of(&hold, choice)?.document.approvals > 1;
        if two && in_force.is_newcomer(&signature.person, now) {
            return Err(DeskError::Refused(NEWCOMER.to_owned()));
        }
        self.recorded(leaf).await?;
        let approval = SignedApproval {
            person: signature.person.clone(),
            at: now,
            choice,
            challenge: signature.challenge.clone(),
            assertion: signature.assertion.clone(),
            public_key: signature.public_key.clone(),
        };
        let alone = in_force.people().len() == 1;
        let solo = (alone && self.waited_for_solo(&hold)).then_some(SOLO_AFTER_MS);
        self.store
            .sign(id, approval, solo, now)
            .await
            .map_err(desk_error)
    }

    /// Whether twelve hours have passed since every earlier signature, by both clocks.
    fn waited_for_solo(&self, hold: &Hold) -> bool {
        let surely = self.clock.surely();
        let long_ago = |approval: &SignedApproval| surely.since_ms(approval.at) >= SOLO_AFTER_MS;
        hold.approvals.iter().all(long_ago)
    }

    async fn deny(&self, id: &HoldId, reason: Option<&str>, leaf: &Leaf) -> Desked<Hold> {
        let reason = Untrusted::new(reason.unwrap_or("no reason given")).cut(300);
        let step = self
            .store
            .step(id, HoldState::Pending, HoldEvent::Deny, Some(reason));
        let denied = step.await.map_err(desk_error)?;
        self.noted(leaf).await;
        Ok(denied)
    }

    /// Records what makes things safer, and counts also where that fails.
    async fn noted(&self, leaf: &Leaf) {
        if let Err(error) = self.record.note(leaf).await {
            tracing::error!(%error, "a person's no could not be recorded");
        }
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
        let change = canonical_text(&proposal.change);
        if begun.documents.first() != Some(&change) {
            let line = "the proposal has changed; look again";
            return Err(DeskError::Refused(line.to_owned()));
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
        let accepted = decision == Decision::Approve;
        let fits = change.len() <= LONGEST_CHANGE_IN_LEAF;
        let mut leaf = Leaf::Settled {
            proposal: id.clone(),
            accepted,
            change: fits.then(|| Box::new(proposal.change.clone())),
            body: String::new(),
            signature,
        };
        let state = if accepted {
            self.check_change(&proposal.change)?;
            let kept = self.record.documents(&begun.documents).await;
            let kept = kept.map_err(|error| DeskError::Unrecorded(error.to_string()))?;
            if let Leaf::Settled { body, .. } = &mut leaf {
                *body = kept;
            }
            self.recorded(&leaf).await?;
            ProposalState::Accepted
        } else {
            self.noted(&leaf).await;
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

/// How each of several holds stands now, or why it was not judged. A single one fails as itself.
fn how_each_stands(holds: &[(HoldId, usize)], judged: Vec<Desked<Hold>>) -> Desked<Settled> {
    let mut stands = Vec::new();
    let mut failure = None;
    for ((id, _), judged) in holds.iter().zip(judged) {
        let word = match judged {
            Ok(hold) => hold.state.word().to_owned(),
            Err(error) => {
                let line = error.to_string();
                failure.get_or_insert(error);
                line
            }
        };
        stands.push((id.clone(), word));
    }
    match failure {
        Some(error) if holds.len() == 1 => Err(error),
        _ => Ok(Settled::Judged(stands)),
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
