//! People, played by a passkey in software, through the same desk that the console uses.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tagout_authenticator::{Page, SoftAuthenticator, base64url};
use tagout_core::approval::Decision;
use tagout_core::desk::{
    Ceremony, CeremonyKind, Desk as _, DeskError, PasskeyAnswer, Settled, SignedIn, Wish,
};
use tagout_core::ids::{HoldId, ProposalId};
use tagout_core::passkey::{Assertion, Registration};
use tagout_core::proposal::Change;

use super::{ORIGIN, RP_ID, World};

/// A person with one passkey and a session.
pub(crate) struct Player {
    pub(crate) key: SoftAuthenticator,
    pub(crate) page: Page,
    pub(crate) signed_in: Option<SignedIn>,
    pub(crate) secret: String,
}

impl Player {
    pub(crate) fn with_key(number: u8) -> Self {
        Self {
            key: SoftAuthenticator::from_secret(&[number; 32]).unwrap(),
            page: Page::new(RP_ID, ORIGIN),
            signed_in: None,
            secret: String::new(),
        }
    }

    /// The first person, with the code from the terminal.
    pub(crate) async fn first(world: &World, name: &str, number: u8) -> Self {
        let mut player = Self::with_key(number);
        let code = world.engine.enrolment_code().unwrap().unwrap();
        let wish = Wish::Enrol {
            code,
            name: name.to_owned(),
        };
        let settled = player.wish(world, wish).await.unwrap();
        player.take_session(world, settled);
        player
    }

    /// One more person, invited and accepted by this one.
    pub(crate) async fn bring(&mut self, world: &World, name: &str, number: u8) -> Self {
        world.clock.pass_ms(1);
        let code = world.engine.invite(self.me()).unwrap();
        let mut player = Self::with_key(number);
        let wish = Wish::Join {
            code,
            name: name.to_owned(),
        };
        let settled = player.wish(world, wish).await.unwrap();
        let Settled::Proposal(proposal, _) = settled else {
            panic!("{settled:?}")
        };
        self.settle(world, proposal, Decision::Approve)
            .await
            .unwrap();
        player.sign_in(world).await;
        player
    }

    pub(crate) async fn sign_in(&mut self, world: &World) {
        let settled = self.wish(world, Wish::SignIn).await.unwrap();
        self.take_session(world, settled);
    }

    fn take_session(&mut self, world: &World, settled: Settled) {
        let Settled::Session { secret, .. } = settled else {
            panic!("{settled:?}")
        };
        self.signed_in = world.engine.session(&secret);
        self.secret = secret;
    }

    pub(crate) fn me(&self) -> &SignedIn {
        self.signed_in.as_ref().unwrap()
    }

    /// Begins a ceremony, touches the key, and finishes it.
    pub(crate) async fn wish(&mut self, world: &World, wish: Wish) -> Result<Settled, DeskError> {
        let ceremony = self.begin(world, wish).await?;
        let answer = self.answer(&ceremony);
        world.engine.finish(&ceremony.id, answer).await
    }

    pub(crate) async fn begin(&self, world: &World, wish: Wish) -> Result<Ceremony, DeskError> {
        world.engine.begin(self.signed_in.as_ref(), wish).await
    }

    pub(crate) fn answer(&mut self, ceremony: &Ceremony) -> PasskeyAnswer {
        let challenge = URL_SAFE_NO_PAD.decode(&ceremony.challenge).unwrap();
        match ceremony.kind {
            CeremonyKind::Create => {
                let created = self.key.create(&self.page, &challenge);
                PasskeyAnswer::Created(Registration {
                    credential: base64url(&created.credential),
                    attestation: base64url(&created.attestation),
                    client_data: base64url(&created.client_data),
                })
            }
            CeremonyKind::Get => {
                let signed = self.key.sign(&self.page, &challenge);
                PasskeyAnswer::Signed(Assertion {
                    credential: base64url(&signed.credential),
                    authenticator_data: base64url(&signed.authenticator_data),
                    client_data: base64url(&signed.client_data),
                    signature: base64url(&signed.signature),
                })
            }
        }
    }

    pub(crate) async fn settle(
        &mut self,
        world: &World,
        proposal: ProposalId,
        decision: Decision,
    ) -> Result<Settled, DeskError> {
        self.wish(world, Wish::Settle { proposal, decision }).await
    }

    /// Proposes a change and accepts it.
    pub(crate) async fn accept(&mut self, world: &World, change: Change) {
        let proposal = world.engine.propose(change, "a test".into()).await.unwrap();
        self.settle(world, proposal, Decision::Approve)
            .await
            .unwrap();
    }

    pub(crate) fn judgement(hold: &HoldId, choice: usize, decision: Decision) -> Wish {
        Wish::Judge {
            holds: vec![(hold.clone(), choice)],
            decision,
            reason: None,
        }
    }

    /// Approves what the agent asked: the last choice.
    pub(crate) async fn approve(&mut self, world: &World, hold: &HoldId) -> String {
        let last = world.load(hold).await.card.choices.len() - 1;
        self.try_approve(world, hold, last).await.unwrap()
    }

    pub(crate) async fn try_approve(
        &mut self,
        world: &World,
        hold: &HoldId,
        choice: usize,
    ) -> Result<String, DeskError> {
        let wish = Self::judgement(hold, choice, Decision::Approve);
        match self.wish(world, wish).await? {
            Settled::Judged(stands) => Ok(stands[0].1.clone()),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn deny(
        &mut self,
        world: &World,
        hold: &HoldId,
    ) -> Result<Settled, DeskError> {
        let wish = Self::judgement(hold, 0, Decision::Deny);
        self.wish(world, wish).await
    }
}
