//! Who may do what in the benchmark: one person, one connection with standing rights, two upstreams on
//! the same origin. It is put into a throw-away store directly; the ceremonies of people are not what
//! is measured here.

use std::path::Path;

use tagout_core::environment::Environment;
use tagout_core::grant::Budget;
use tagout_core::ids::{CeremonyId, ConnectionId, PersonId, ProposalId};
use tagout_core::passkey::Assertion;
use tagout_core::proposal::{Acceptance, Change, Proposal, ProposalState, Upstream};
use tagout_core::rights::Rights;
use tagout_core::store::{Authorities as _, Person};
use tagout_core::time::{Clock, UnixMs};
use tagout_core::untrusted::Untrusted;
use tagout_store::SqliteStore;

/// The environment variable that holds the credential of both upstreams.
pub(crate) const CREDENTIAL: &str = "TAGOUT_BENCH_CREDENTIAL";

/// The upstream that is read with Railway's GraphQL pack.
pub(crate) const GRAPHQL: &str = "railway";

/// The upstream of which no pack knows anything, labelled as development, where writing is allowed.
pub(crate) const REST: &str = "things";

/// The one agent.
pub(crate) fn connection() -> ConnectionId {
    ConnectionId::from_bits([3; 16])
}

/// One upstream at a port of this machine.
fn upstream(name: &str, pack: &str, port: u16, authority: &Path) -> anyhow::Result<Upstream> {
    Ok(Upstream {
        name: name.parse()?,
        url: format!("https://localhost:{port}"),
        aliases: Vec::new(),
        pack: pack.to_owned(),
        credential: format!("env:{CREDENTIAL}"),
        header: "authorization: Bearer".to_owned(),
        ca_file: Some(authority.display().to_string()),
        ourselves: Vec::new(),
        mode: Default::default(),
    })
}

/// Brings everything into force in an empty store.
pub(crate) async fn set_up(
    store: &SqliteStore,
    clock: &dyn Clock,
    ports: (u16, u16),
    authority: &Path,
) -> anyhow::Result<()> {
    let person = Person {
        id: PersonId::from_bits([1; 16]),
        name: Untrusted::new("bench"),
        since: clock.now(),
        authenticators: Vec::new(),
    };
    let id = person.id.clone();
    store.enrol_first(person).await?;
    let (graphql_port, rest_port) = ports;
    let changes = [
        Change::Upstream(upstream(GRAPHQL, "railway", graphql_port, authority)?),
        Change::Upstream(upstream(REST, "rest-default", rest_port, authority)?),
        label()?,
        connect(),
    ];
    for (number, change) in (1_u128..).zip(changes) {
        accept(store, (number, change), &id, clock.now()).await?;
    }
    Ok(())
}

fn label() -> anyhow::Result<Change> {
    Ok(Change::Label {
        upstream: REST.parse()?,
        place: REST.to_owned(),
        name: Untrusted::new(REST),
        environment: Environment::Development,
    })
}

fn connect() -> Change {
    Change::Connect {
        id: connection(),
        agent: Untrusted::new("bench"),
        workspace: Untrusted::new("bench"),
        rights: Rights::standing(),
        budget: Budget::default(),
    }
}

async fn accept(
    store: &SqliteStore,
    (number, change): (u128, Change),
    person: &PersonId,
    now: UnixMs,
) -> anyhow::Result<()> {
    let bits = number.to_be_bytes();
    let id = ProposalId::from_bits(bits);
    let proposal = Proposal {
        id: id.clone(),
        change,
        from: Untrusted::new("bench"),
        created: now,
        state: ProposalState::Open,
    };
    store.propose(proposal, 16).await?;
    let acceptance = Acceptance {
        ceremony: CeremonyId::from_bits(bits),
        person: person.clone(),
        at: now,
        challenge: String::new(),
        assertion: Assertion {
            credential: String::new(),
            authenticator_data: String::new(),
            client_data: String::new(),
            signature: String::new(),
        },
        public_key: String::new(),
    };
    store
        .settle(&id, ProposalState::Accepted, acceptance)
        .await?;
    Ok(())
}
