//! Proposals, what they bring into force, and people.

use std::sync::Arc;

use tagout_core::environment::Environment;
use tagout_core::grant::CONNECTION_IDLE_MS;
use tagout_core::proposal::{Change, PROPOSAL_LIFE_MS, ProposalState, Upstream};
use tagout_core::store::{Store, StoreError};
use tagout_core::verdict::Mode;

use super::fixtures::{
    NOW, accept, acceptance, authenticator_id, connect, connection, connection_id, freeze, grant,
    grant_id, open_grant, person, person_id, populate, proposal, proposal_id,
};

fn settled<T>(word: &str) -> Result<T, StoreError> {
    Err(StoreError::Settled(word.to_owned()))
}

fn upstream(url: &str) -> Upstream {
    Upstream {
        name: "railway".parse().unwrap(),
        url: url.into(),
        aliases: vec!["backboard.railway.app".into()],
        pack: "railway".into(),
        credential: "env:RAILWAY_TOKEN".into(),
        header: "authorization: Bearer".into(),
        ca_file: None,
        ourselves: Vec::new(),
        mode: Mode::Strict,
    }
}

fn label(environment: Environment) -> Change {
    Change::Label {
        upstream: "railway".parse().unwrap(),
        place: "env-1".into(),
        name: "prod".into(),
        environment,
    }
}

fn policies(names: &[&str]) -> Change {
    let file = |name: &&str| ((*name).to_owned(), "permit (principal);".to_owned());
    Change::Policies {
        files: names.iter().map(file).collect(),
    }
}

fn passkey(number: u64, person: u64) -> Change {
    Change::Authenticator {
        id: authenticator_id(number),
        person: person_id(person),
        name: "Grace".into(),
        credential: format!("credential {number}"),
        public_key: "cHVibGlj".into(),
    }
}

pub(crate) async fn proposals_wait_and_are_settled_once<S: Store>(store: Arc<S>) {
    store.enrol_first(person(0)).await.unwrap();
    for number in 0..2 {
        let proposal = proposal(number, connect(number));
        store.propose(proposal, 2).await.unwrap();
    }
    let third = store.propose(proposal(2, connect(2)), 2).await;
    assert_eq!(third, Err(StoreError::TooMany(2)));
    let open = store.open_proposals(NOW).await.unwrap();
    assert_eq!(open, [proposal(1, connect(1)), proposal(0, connect(0))]);

    let settle = |state, at| {
        let store = &store;
        async move { store.settle(&proposal_id(0), state, acceptance(at)).await }
    };
    let late = NOW.plus_ms(PROPOSAL_LIFE_MS);
    assert_eq!(settle(ProposalState::Open, NOW).await, settled("open"));
    assert_eq!(
        settle(ProposalState::Accepted, late).await,
        settled("expired")
    );
    assert_eq!(settle(ProposalState::Accepted, NOW).await, Ok(connect(0)));
    assert_eq!(
        settle(ProposalState::Refused, NOW).await,
        settled("accepted")
    );
    let stored = store.proposal(&proposal_id(0)).await.unwrap();
    assert_eq!(stored.state, ProposalState::Accepted);

    assert_eq!(store.open_proposals(late).await, Ok(vec![]));
    let mut next = proposal(3, connect(3));
    next.created = late;
    assert_eq!(
        store.propose(next, 1).await,
        Ok(()),
        "expired ones don't count"
    );
    let expired = store.proposal(&proposal_id(1)).await.unwrap();
    assert_eq!(expired.state, ProposalState::Expired);
    let none = store.proposal(&proposal_id(9)).await;
    assert_eq!(none, Err(StoreError::NotFound("proposal")));
}

pub(crate) async fn every_change_comes_into_force<S: Store>(store: Arc<S>) {
    store.enrol_first(person(0)).await.unwrap();
    let frozen = store.freeze(freeze(0)).await.unwrap();
    let changes = [
        connect(0),
        open_grant(0, 0, None),
        open_grant(1, 0, Some(0)),
        label(Environment::Staging),
        label(Environment::Production),
        Change::Upstream(upstream("https://old.example")),
        Change::Upstream(upstream("https://new.example")),
        policies(&["a", "b"]),
        policies(&["z", "b"]),
        passkey(1, 0),
        passkey(2, 1),
    ];
    for (number, change) in (0..).zip(changes) {
        accept(&*store, number, change).await.unwrap();
    }
    let authority = store.authority().await.unwrap();
    assert_eq!(authority.connections, [connection(0, None)]);
    assert_eq!(authority.grants, [grant(0, 0, None), grant(1, 0, Some(0))]);
    let railway = upstream("").name;
    let production = (railway, "env-1".to_owned(), Environment::Production);
    assert_eq!(authority.labels, [production]);
    assert_eq!(authority.upstreams, [upstream("https://new.example")]);
    let names: Vec<_> = authority
        .policies
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["z", "b"]);
    let keys = |number: usize| authority.people[number].authenticators.len();
    assert_eq!((authority.people.len(), keys(0), keys(1)), (2, 2, 1));
    assert_eq!(authority.people[0].name, person(0).name);
    assert_eq!(authority.people[1].name, "Grace".into());
    assert_eq!(authority.frozen, Some(frozen));
}

pub(crate) async fn refusals_change_nothing<S: Store>(store: Arc<S>) {
    store.enrol_first(person(0)).await.unwrap();
    store.propose(proposal(0, connect(0)), 9).await.unwrap();
    let id = proposal_id(0);
    let refused = store
        .settle(&id, ProposalState::Refused, acceptance(NOW))
        .await;
    assert_eq!(refused, Ok(connect(0)));
    assert_eq!(store.authority().await.unwrap().connections, []);
    let after = store
        .settle(&id, ProposalState::Accepted, acceptance(NOW))
        .await;
    assert_eq!(after, settled("refused"));
}

pub(crate) async fn grants_need_what_they_are_below<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    accept(&*store, 0, connect(1)).await.unwrap();
    let tries = [
        (
            open_grant(5, 9, None),
            Err(StoreError::NotFound("connection")),
        ),
        (
            open_grant(5, 0, Some(9)),
            Err(StoreError::NotFound("grant")),
        ),
        (
            open_grant(5, 1, Some(0)),
            Err(StoreError::NotFound("grant of this connection")),
        ),
        (open_grant(0, 0, None), settled("granted")),
        (connect(0), settled("connected")),
    ];
    for (number, (change, expected)) in (1..).zip(tries) {
        assert_eq!(accept(&*store, number, change).await, expected);
    }
    store.trip_grant(&grant_id(0)).await.unwrap();
    let below = accept(&*store, 8, open_grant(5, 0, Some(0))).await;
    assert_eq!(below, settled("tripped"));
    store.revoke_connection(&connection_id(0)).await.unwrap();
    let dead = accept(&*store, 9, open_grant(5, 0, None)).await;
    assert_eq!(dead, settled("revoked"));
}

pub(crate) async fn a_failed_change_leaves_the_proposal_open<S: Store>(store: Arc<S>) {
    store.enrol_first(person(0)).await.unwrap();
    let failed = accept(&*store, 0, open_grant(0, 0, None)).await;
    assert_eq!(failed, Err(StoreError::NotFound("connection")));
    let stored = store.proposal(&proposal_id(0)).await.unwrap();
    assert_eq!(stored.state, ProposalState::Open);
    let mut stranger = acceptance(NOW);
    stranger.person = person_id(9);
    store.propose(proposal(1, connect(0)), 9).await.unwrap();
    let id = proposal_id(1);
    let settled = store.settle(&id, ProposalState::Accepted, stranger).await;
    assert_eq!(settled, Err(StoreError::NotFound("person")));
}

pub(crate) async fn only_the_freeze_named_is_thawed<S: Store>(store: Arc<S>) {
    store.enrol_first(person(0)).await.unwrap();
    assert_eq!(store.freeze(freeze(0)).await, Ok(freeze(0)));
    assert_eq!(
        store.freeze(freeze(1)).await,
        Ok(freeze(0)),
        "the first one stays"
    );
    let thaw = |number| Change::Thaw {
        freeze: freeze(number).id,
    };
    let other = accept(&*store, 0, thaw(1)).await;
    assert_eq!(other, Err(StoreError::NotFound("freeze")));
    assert_eq!(accept(&*store, 1, thaw(0)).await, Ok(thaw(0)));
    assert_eq!(store.authority().await.unwrap().frozen, None);
    store.freeze(freeze(2)).await.unwrap();
    assert_eq!(accept(&*store, 2, thaw(0)).await, settled("thawed"));
    assert_eq!(store.authority().await.unwrap().frozen, Some(freeze(2)));
}

pub(crate) async fn only_the_first_person_enrols_alone<S: Store + 'static>(store: Arc<S>) {
    let enrol = |number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.enrol_first(person(number)).await })
    };
    let racers: Vec<_> = (0..8).map(enrol).collect();
    let mut enrolled = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(()) => enrolled += 1,
            lost => assert_eq!(lost, settled("enrolled")),
        }
    }
    assert_eq!(enrolled, 1);
    assert_eq!(store.authority().await.unwrap().people.len(), 1);
}

pub(crate) async fn sign_counts_only_grow<S: Store>(store: Arc<S>) {
    store.enrol_first(person(0)).await.unwrap();
    for (count, expected) in [
        (0, Ok(())),
        (0, Ok(())),
        (5, Ok(())),
        (5, settled("at signature 5")),
        (4, settled("at signature 5")),
        (0, settled("at signature 5")),
        (u32::MAX, Ok(())),
    ] {
        let noted = store.note_sign_count(&authenticator_id(0), count).await;
        assert_eq!(noted, expected, "{count}");
    }
    let unknown = store.note_sign_count(&authenticator_id(9), 1).await;
    assert_eq!(unknown, Err(StoreError::NotFound("authenticator")));
}

pub(crate) async fn uses_are_noted_while_alive<S: Store>(store: Arc<S>) {
    populate(&*store).await;
    let (id, later) = (connection_id(0), NOW.plus_ms(5));
    store.note_use(&id, later).await.unwrap();
    store.note_use(&id, NOW).await.unwrap();
    let authority = store.authority().await.unwrap();
    assert_eq!(authority.connections[0].used, later, "never set back");
    let idle = store.note_use(&id, later.plus_ms(CONNECTION_IDLE_MS)).await;
    assert_eq!(idle, settled("idle"));
}
