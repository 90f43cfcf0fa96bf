//! Who may do what, read at once and changed one transaction at a time.

use rusqlite::Transaction;
use tagout_core::grant::{Connection, Grant};
use tagout_core::ids::{AuthenticatorId, ConnectionId, GrantId, ProposalId};
use tagout_core::proposal::{Acceptance, Change, Proposal, ProposalState};
use tagout_core::store::{Authorities, Authority, Freeze, Person, Stored};
use tagout_core::time::UnixMs;

use super::columns::{all, get_json, get_word};
use super::failure::Failure;
use super::{SqliteStore, acceptance, connections, freezes, grants, people, proposals};

impl Authorities for SqliteStore {
    fn authority(&self) -> Stored<'_, Authority> {
        self.read(whole)
    }

    fn propose(&self, proposal: Proposal, most: usize) -> Stored<'_, ()> {
        self.write(move |tx| proposals::add(tx, &proposal, most))
    }

    fn proposal<'a>(&'a self, id: &'a ProposalId) -> Stored<'a, Proposal> {
        let id = id.clone();
        self.read(move |tx| proposals::load(tx, &id))
    }

    fn open_proposals(&self, now: UnixMs) -> Stored<'_, Vec<Proposal>> {
        self.read(move |tx| proposals::open(tx, now))
    }

    fn settle<'a>(
        &'a self,
        id: &'a ProposalId,
        state: ProposalState,
        acceptance: Acceptance,
    ) -> Stored<'a, Change> {
        let id = id.clone();
        self.write(move |tx| acceptance::settle(tx, &id, state, &acceptance))
    }

    fn enrol_first(&self, person: Person) -> Stored<'_, ()> {
        self.write(move |tx| people::enrol_first(tx, &person))
    }

    fn note_sign_count<'a>(&'a self, id: &'a AuthenticatorId, count: u32) -> Stored<'a, ()> {
        let id = id.clone();
        // Signing in is part of stopping things.
        self.stop(move |tx| people::note_sign_count(tx, &id, count))
    }

    fn revoke_connection<'a>(&'a self, id: &'a ConnectionId) -> Stored<'a, Vec<ConnectionId>> {
        let id = id.clone();
        self.stop(move |tx| connections::revoke(tx, &id))
    }

    fn revoke_grant<'a>(&'a self, id: &'a GrantId) -> Stored<'a, Vec<GrantId>> {
        let id = id.clone();
        self.stop(move |tx| grants::revoke(tx, &id))
    }

    fn trip_grant<'a>(&'a self, id: &'a GrantId) -> Stored<'a, ()> {
        let id = id.clone();
        self.stop(move |tx| grants::trip(tx, &id))
    }

    fn add_child_connection(&self, child: Connection) -> Stored<'_, ()> {
        self.write(move |tx| connections::add_child(tx, &child))
    }

    fn add_child_grant(&self, child: Grant) -> Stored<'_, ()> {
        self.write(move |tx| grants::add_child(tx, &child))
    }

    fn note_use<'a>(&'a self, id: &'a ConnectionId, now: UnixMs) -> Stored<'a, ()> {
        let id = id.clone();
        self.write(move |tx| connections::note_use(tx, &id, now))
    }

    fn freeze(&self, freeze: Freeze) -> Stored<'_, Freeze> {
        self.stop(move |tx| freezes::add(tx, &freeze))
    }
}

fn whole(tx: &Transaction<'_>) -> Result<Authority, Failure> {
    Ok(Authority {
        connections: connections::in_force(tx)?,
        grants: grants::not_revoked(tx)?,
        labels: all(
            tx,
            "SELECT * FROM labels ORDER BY upstream, place",
            &[],
            |row| {
                Ok((
                    get_word(row, "upstream")?,
                    row.get("place")?,
                    get_word(row, "environment")?,
                ))
            },
        )?,
        upstreams: all(tx, "SELECT body FROM upstreams ORDER BY name", &[], |row| {
            get_json(row, "body")
        })?,
        people: people::every(tx)?,
        policies: all(tx, "SELECT * FROM policies ORDER BY position", &[], |row| {
            Ok((row.get("name")?, row.get("text")?))
        })?,
        frozen: freezes::in_force(tx)?,
    })
}
