//! Things to put into a store.

use tagout_core::approval::{ApprovalDocument, Ceilings};
use tagout_core::card::{Card, Choice, Hold, SignedApproval};
use tagout_core::digest::{BytesDigest, OperationDigest, PolicyDigest};
use tagout_core::effect::{Effect, Reversibility};
use tagout_core::environment::Environment;
use tagout_core::grant::{Budget, Connection, Grant, GrantState, Spending};
use tagout_core::hold::{HOLD_LIFE_MS, HoldState};
use tagout_core::ids::{
    AuthenticatorId, CeremonyId, ConnectionId, FreezeId, GrantId, HoldId, PersonId, ProposalId,
};
use tagout_core::passkey::Assertion;
use tagout_core::proposal::{Acceptance, Change, Proposal, ProposalState};
use tagout_core::rights::Rights;
use tagout_core::store::{Authenticator, Freeze, Person, Store, StoreError};
use tagout_core::time::UnixMs;

/// When everything here happens.
pub(crate) const NOW: UnixMs = UnixMs(1_777_042_931_999);

const fn bits(number: u64) -> [u8; 16] {
    ((number as u128) + 1).to_be_bytes()
}

pub(crate) fn connection_id(number: u64) -> ConnectionId {
    ConnectionId::from_bits(bits(number))
}

pub(crate) fn grant_id(number: u64) -> GrantId {
    GrantId::from_bits(bits(number))
}

pub(crate) fn hold_id(number: u64) -> HoldId {
    HoldId::from_bits(bits(number))
}

pub(crate) fn person_id(number: u64) -> PersonId {
    PersonId::from_bits(bits(number))
}

pub(crate) fn proposal_id(number: u64) -> ProposalId {
    ProposalId::from_bits(bits(number))
}

pub(crate) fn authenticator_id(number: u64) -> AuthenticatorId {
    AuthenticatorId::from_bits(bits(number))
}

pub(crate) fn operation(number: u64) -> OperationDigest {
    OperationDigest::of(&number.to_be_bytes())
}

pub(crate) fn destroy(count: u64) -> Spending {
    Spending([(Effect::Destroy, count)].into())
}

pub(crate) fn budget(count: u64) -> Budget {
    Budget([(Effect::Destroy, count)].into())
}

fn assertion() -> Assertion {
    Assertion {
        credential: "Y3JlZA".into(),
        authenticator_data: "ZGF0YQ".into(),
        client_data: "Y2xpZW50".into(),
        signature: "c2ln".into(),
    }
}

pub(crate) fn person(number: u64) -> Person {
    Person {
        id: person_id(number),
        name: "Ada \u{202e}".into(),
        since: UnixMs(number),
        authenticators: vec![Authenticator {
            id: authenticator_id(number),
            credential: format!("credential {number}"),
            public_key: "cHVibGlj".into(),
            sign_count: 0,
        }],
    }
}

pub(crate) fn acceptance(at: UnixMs) -> Acceptance {
    Acceptance {
        ceremony: CeremonyId::from_bits([7; 16]),
        person: person_id(0),
        at,
        challenge: r#"{"a":1}"#.into(),
        assertion: assertion(),
        public_key: "cHVibGlj".into(),
    }
}

pub(crate) fn proposal(number: u64, change: Change) -> Proposal {
    Proposal {
        id: proposal_id(number),
        change,
        from: "command line".into(),
        created: NOW,
        state: ProposalState::Open,
    }
}

pub(crate) fn freeze(number: u64) -> Freeze {
    Freeze {
        id: FreezeId::from_bits(bits(number)),
        since: NOW,
        by: "Ada".into(),
        reason: "smoke".into(),
    }
}

pub(crate) fn connect(number: u64) -> Change {
    Change::Connect {
        id: connection_id(number),
        agent: "cursor".into(),
        workspace: "site".into(),
        rights: Rights::standing(),
        budget: budget(3),
    }
}

pub(crate) fn open_grant(number: u64, connection: u64, parent: Option<u64>) -> Change {
    Change::OpenGrant {
        id: grant_id(number),
        connection: connection_id(connection),
        parent: parent.map(grant_id),
        task: "tidy up".into(),
        rights: Rights::standing(),
        budget: budget(3),
        life_ms: 1_000,
    }
}

pub(crate) fn connection(number: u64, parent: Option<u64>) -> Connection {
    Connection {
        id: connection_id(number),
        agent: "cursor".into(),
        workspace: "site".into(),
        owner: Some(person_id(0)),
        parent: parent.map(connection_id),
        rights: Rights::standing(),
        budget: budget(3),
        token_version: 1,
        created: NOW,
        used: NOW,
        revoked: false,
    }
}

pub(crate) fn grant(number: u64, connection: u64, parent: Option<u64>) -> Grant {
    Grant {
        id: grant_id(number),
        connection: connection_id(connection),
        parent: parent.map(grant_id),
        task: "tidy up".into(),
        rights: Rights::standing(),
        budget: budget(3),
        expires: NOW.plus_ms(1_000),
        state: GrantState::Open,
    }
}

fn document(number: u64, approvals: u8, delay_ms: u64) -> ApprovalDocument {
    ApprovalDocument {
        hold: hold_id(number),
        upstream: "railway".parse().unwrap(),
        operation: operation(number),
        bytes: BytesDigest::of(b"bytes"),
        variant: None,
        shown: "volumeDelete".into(),
        ceilings: Ceilings::default(),
        safeguards: [].into(),
        approvals,
        delay_ms,
        policy: PolicyDigest::of(b"policy"),
        expires: NOW.plus_ms(2 * HOLD_LIFE_MS),
    }
}

/// A hold of connection 0 with one choice for each pair of people needed and delay.
pub(crate) fn hold(number: u64, choices: &[(u8, u64)]) -> Hold {
    let choice = |&(approvals, delay_ms): &(u8, u64)| Choice {
        title: "Approve".into(),
        shown: "volumeDelete".into(),
        document: document(number, approvals, delay_ms),
    };
    Hold {
        id: hold_id(number),
        state: HoldState::Pending,
        operation: operation(number),
        connection: connection_id(0),
        grant: None,
        upstream: "railway".parse().unwrap(),
        attempt: "Ynl0ZXM=".into(),
        spending: destroy(1),
        card: card(number, choices.iter().map(choice).collect()),
        approvals: Vec::new(),
        created: NOW,
        approved: None,
        run_at: None,
        outcome: None,
    }
}

fn card(number: u64, choices: Vec<Choice>) -> Card {
    Card {
        hold: hold_id(number),
        headline: "destroy volume".into(),
        environment: Environment::Production,
        targets: Vec::new(),
        reversibility: Reversibility::Irreversible,
        reason: "it destroys".into(),
        operation: "mutation { volumeDelete }\0".into(),
        agent: "cursor".into(),
        connection: connection_id(0),
        task: None,
        strays: String::new(),
        precedent: Vec::new(),
        claimed: Some("it said so".into()),
        notices: Vec::new(),
        choices,
        expires: NOW.plus_ms(HOLD_LIFE_MS),
    }
}

pub(crate) fn signature(person: u64, choice: usize, at: UnixMs) -> SignedApproval {
    SignedApproval {
        person: person_id(person),
        at,
        choice,
        challenge: "{}".into(),
        assertion: assertion(),
        public_key: "cHVibGlj".into(),
    }
}

/// Proposes a change and has person 0 accept it.
pub(crate) async fn accept(
    store: &impl Store,
    number: u64,
    change: Change,
) -> Result<Change, StoreError> {
    store.propose(proposal(number, change), 100).await.unwrap();
    let id = proposal_id(number);
    store
        .settle(&id, ProposalState::Accepted, acceptance(NOW))
        .await
}

/// Person 0, connection 0, and below it grant 0.
pub(crate) async fn populate(store: &impl Store) {
    store.enrol_first(person(0)).await.unwrap();
    accept(store, 1_000, connect(0)).await.unwrap();
    accept(store, 1_001, open_grant(0, 0, None)).await.unwrap();
}

/// An approved hold.
pub(crate) async fn approved(store: &impl Store, number: u64) -> Hold {
    store.open_hold(hold(number, &[(1, 0)]), 100).await.unwrap();
    let id = hold_id(number);
    let signed = store.sign(&id, signature(0, 0, NOW), None, NOW).await;
    signed.unwrap()
}
