//! The engine as people see it, through the console.

use tagout_core::card::Hold;
use tagout_core::desk::{
    Ceremony, Desk, DeskError, PasskeyAnswer, Settled, SignedIn, Standing, Wish,
};
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::{CeremonyId, FreezeId, HoldId, ProposalId};
use tagout_core::pipeline::Later;
use tagout_core::proposal::{Change, Proposal, ProposalState};
use tagout_core::store::StoreError;
use tagout_core::untrusted::Untrusted;

use crate::begin::{Desked, desk_error};
use crate::ceremony::CODE_LIFE_MS;
use crate::check::check_form;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::finish::said;
use crate::notice::Notice;
use crate::random::random;

/// Closed holds that the list still shows.
const CLOSED_SHOWN: usize = 50;

impl Engine {
    /// Proposes a change. Nothing of it is in force until a present person accepts.
    ///
    /// # Errors
    /// [`EngineError`] when too many proposals wait or the store fails.
    pub async fn propose(
        &self,
        change: Change,
        from: Untrusted,
    ) -> Result<ProposalId, EngineError> {
        check_form(&change).map_err(EngineError::Malformed)?;
        let _one = self.proposing.lock().await;
        self.put_proposal(change, from).await
    }

    /// Puts a proposal in, unless the same one is open. Taken with `proposing` locked.
    pub(crate) async fn put_proposal(
        &self,
        change: Change,
        from: Untrusted,
    ) -> Result<ProposalId, EngineError> {
        let same = self.open_proposal_of(&change).await?;
        if let Some(id) = same {
            return Ok(id);
        }
        let id = ProposalId::from_bits(random().map_err(EngineError::Random)?);
        let proposal = Proposal {
            id: id.clone(),
            change,
            from,
            created: self.clock.now(),
            state: ProposalState::Open,
        };
        let most = self.settings.proposals_waiting;
        self.store.propose(proposal, most).await?;
        self.tell(Notice::Proposed {
            proposal: id.clone(),
        });
        Ok(id)
    }

    /// Proposing the same again is proposing it once.
    async fn open_proposal_of(&self, change: &Change) -> Result<Option<ProposalId>, EngineError> {
        let open = self.store.open_proposals(self.clock.now()).await?;
        Ok(open
            .into_iter()
            .find(|each| &each.change == change)
            .map(|each| each.id))
    }

    /// A new code for the first enrolment, for the terminal and nowhere else; `None` once somebody is
    /// enrolled. An older code is worthless from then on.
    ///
    /// # Errors
    /// [`EngineError::Random`].
    pub fn enrolment_code(&self) -> Result<Option<String>, EngineError> {
        if !self.in_force().people().is_empty() {
            return Ok(None);
        }
        let code = hex::encode(random::<16>().map_err(EngineError::Random)?);
        let expires = self.clock.now().plus_ms(CODE_LIFE_MS);
        self.ceremonies.set_code(code.clone(), expires);
        Ok(Some(code))
    }

    /// Whether anybody has enrolled; until then agents are not served.
    #[must_use]
    pub fn enrolled(&self) -> bool {
        !self.in_force().people().is_empty()
    }

    async fn cancel_hold(&self, by: &SignedIn, id: &HoldId) -> Desked<()> {
        let why = format!("cancelled by {}", by.name);
        let step = self.store.step(
            id,
            HoldState::Scheduled,
            HoldEvent::Cancel,
            Some(why.clone()),
        );
        let hold = step.await.map_err(|error| match error {
            StoreError::Settled(state) => DeskError::Refused(format!(
                "only what is scheduled can be cancelled; this is {state}"
            )),
            other => desk_error(other),
        })?;
        self.note_step(&hold, &why).await;
        Ok(())
    }

    async fn standing_now(&self) -> Standing {
        let in_force = self.in_force();
        let frozen = in_force.frozen();
        let holds = self.store.list_holds(0).await.unwrap_or_default();
        let proposals = self
            .store
            .open_proposals(self.clock.now())
            .await
            .unwrap_or_default();
        Standing {
            enrolled: self.enrolled(),
            frozen: frozen.map(|each| (each.id.clone(), each.since, each.by.clone())),
            pending: holds
                .iter()
                .filter(|hold| hold.state == HoldState::Pending)
                .count(),
            proposals: proposals.len(),
            advisory: self.settings.advisory.clone(),
            now: self.clock.now(),
        }
    }
}

impl Desk for Engine {
    fn begin<'a>(
        &'a self,
        session: Option<&'a SignedIn>,
        wish: Wish,
    ) -> Later<'a, Result<Ceremony, DeskError>> {
        Box::pin(self.begin_ceremony(session, wish))
    }

    fn finish<'a>(
        &'a self,
        ceremony: &'a CeremonyId,
        answer: PasskeyAnswer,
    ) -> Later<'a, Result<Settled, DeskError>> {
        Box::pin(self.finish_ceremony(ceremony, answer))
    }

    fn session(&self, secret: &str) -> Option<SignedIn> {
        let person = self.ceremonies.session(secret, self.clock.now())?;
        let in_force = self.in_force();
        let known = in_force.people().iter().find(|each| each.id == person)?;
        Some(SignedIn {
            person,
            name: known.name.clone(),
        })
    }

    fn sign_out(&self, secret: &str) {
        self.ceremonies.sign_out(secret);
    }

    fn standing(&self) -> Later<'_, Standing> {
        Box::pin(self.standing_now())
    }

    fn holds(&self) -> Later<'_, Result<Vec<Hold>, DeskError>> {
        Box::pin(async {
            self.store
                .list_holds(CLOSED_SHOWN)
                .await
                .map_err(desk_error)
        })
    }

    fn hold<'a>(&'a self, id: &'a HoldId) -> Later<'a, Result<Hold, DeskError>> {
        Box::pin(async { self.store.hold(id).await.map_err(desk_error) })
    }

    fn proposals(&self) -> Later<'_, Result<Vec<Proposal>, DeskError>> {
        Box::pin(async {
            self.store
                .open_proposals(self.clock.now())
                .await
                .map_err(desk_error)
        })
    }

    fn invite(&self, by: &SignedIn) -> Result<String, DeskError> {
        let code = hex::encode(random::<16>().map_err(DeskError::Refused)?);
        let now = self.clock.now();
        self.ceremonies.invite(
            code.clone(),
            by.person.clone(),
            now.plus_ms(CODE_LIFE_MS),
            now,
        );
        Ok(code)
    }

    fn cancel<'a>(
        &'a self,
        by: &'a SignedIn,
        hold: &'a HoldId,
    ) -> Later<'a, Result<(), DeskError>> {
        Box::pin(self.cancel_hold(by, hold))
    }

    fn freeze<'a>(
        &'a self,
        by: &'a SignedIn,
        reason: Untrusted,
    ) -> Later<'a, Result<FreezeId, DeskError>> {
        Box::pin(async {
            Self::freeze(self, by.name.clone(), reason)
                .await
                .map_err(said)
        })
    }

    fn propose_thaw<'a>(
        &'a self,
        by: &'a SignedIn,
        freeze: &'a FreezeId,
    ) -> Later<'a, Result<ProposalId, DeskError>> {
        Box::pin(async {
            let change = Change::Thaw {
                freeze: freeze.clone(),
            };
            self.propose(change, by.name.clone()).await.map_err(said)
        })
    }
}
