//! What a person's answer to a proposal brings into force, with the answer itself.

use rusqlite::{Row, ToSql, Transaction};
use tagout_core::environment::Environment;
use tagout_core::grant::{Budget, Connection, Grant, GrantState};
use tagout_core::ids::{ConnectionId, ProposalId, UpstreamName};
use tagout_core::proposal::{Acceptance, Change, ProposalState, Upstream};
use tagout_core::rights::Rights;
use tagout_core::store::{Authenticator, StoreError};
use tagout_core::untrusted::Untrusted;

use super::columns::{first, get_json, get_ms, get_word, json, ms, run, word};
use super::failure::Failure;
use super::{connections, freezes, grants, people, proposals};

/// The version of a new connection's first token.
const FIRST_TOKEN: u32 = 1;

/// One answered proposal, while its change is brought into force.
struct Accepted<'a> {
    tx: &'a Transaction<'a>,
    proposal: &'a ProposalId,
    acceptance: &'a Acceptance,
}

/// Marks the proposal, keeps the signed answer and, if that was yes, applies the change.
pub(crate) fn settle(
    tx: &Transaction<'_>,
    id: &ProposalId,
    state: ProposalState,
    acceptance: &Acceptance,
) -> Result<Change, Failure> {
    if !matches!(state, ProposalState::Accepted | ProposalState::Refused) {
        return Err(StoreError::Settled(word(&state)?).into());
    }
    people::check_enrolled(tx, &acceptance.person)?;
    let change = proposals::close(tx, id, state, acceptance.at)?.change;
    keep(tx, id, state, acceptance)?;
    if state == ProposalState::Accepted {
        let accepted = Accepted {
            tx,
            proposal: id,
            acceptance,
        };
        accepted.apply(change.clone())?;
    }
    Ok(change)
}

/// The answer to a proposal, if there is one.
pub(crate) fn of(
    tx: &Transaction<'_>,
    id: &ProposalId,
) -> Result<Option<(ProposalState, Acceptance)>, Failure> {
    first(
        tx,
        "SELECT * FROM acceptances WHERE proposal = ?1",
        &[&id.as_str()],
        read,
    )
}

fn keep(
    tx: &Transaction<'_>,
    id: &ProposalId,
    state: ProposalState,
    acceptance: &Acceptance,
) -> Result<(), Failure> {
    let sql = "INSERT INTO acceptances (proposal, state, ceremony, person, at, challenge, \
               assertion, public_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let values: [&dyn ToSql; 8] = [
        &id.as_str(),
        &word(&state)?,
        &acceptance.ceremony.as_str(),
        &acceptance.person.as_str(),
        &ms(acceptance.at),
        &acceptance.challenge,
        &json(&acceptance.assertion)?,
        &acceptance.public_key,
    ];
    run(tx, sql, &values)?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<(ProposalState, Acceptance), Failure> {
    let acceptance = Acceptance {
        ceremony: get_word(row, "ceremony")?,
        person: get_word(row, "person")?,
        at: get_ms(row, "at")?,
        challenge: row.get("challenge")?,
        assertion: get_json(row, "assertion")?,
        public_key: row.get("public_key")?,
    };
    Ok((get_word(row, "state")?, acceptance))
}

impl Accepted<'_> {
    fn apply(&self, change: Change) -> Result<(), Failure> {
        match change {
            Change::Connect {
                id,
                agent,
                workspace,
                rights,
                budget,
            } => self.connect(id, (agent, workspace), rights, budget),
            Change::OpenGrant {
                id,
                connection,
                parent,
                task,
                rights,
                budget,
                life_ms,
            } => self.open_grant(Grant {
                id,
                connection,
                parent,
                task,
                rights,
                budget,
                expires: self.acceptance.at.plus_ms(life_ms),
                state: GrantState::Open,
            }),
            Change::Label {
                upstream,
                place,
                name,
                environment,
            } => self.label(&upstream, &place, &name, environment),
            Change::Upstream(upstream) => self.upstream(&upstream),
            Change::Policies { files } => self.policies(&files),
            Change::Thaw { freeze } => {
                freezes::thaw(self.tx, &freeze, self.proposal, self.acceptance.at)
            }
            Change::Authenticator {
                id,
                person,
                name,
                credential,
                public_key,
            } => {
                let authenticator = Authenticator {
                    id,
                    credential,
                    public_key,
                    sign_count: 0,
                };
                let at = self.acceptance.at;
                people::enrol(self.tx, &person, &name, &authenticator, self.proposal, at)
            }
        }
    }

    fn connect(
        &self,
        id: ConnectionId,
        (agent, workspace): (Untrusted, Untrusted),
        rights: Rights,
        budget: Budget,
    ) -> Result<(), Failure> {
        let connection = Connection {
            id,
            agent,
            workspace,
            owner: Some(self.acceptance.person.clone()),
            parent: None,
            rights,
            budget,
            token_version: FIRST_TOKEN,
            created: self.acceptance.at,
            used: self.acceptance.at,
            revoked: false,
        };
        connections::add(self.tx, &connection, Some(self.proposal))
    }

    fn open_grant(&self, grant: Grant) -> Result<(), Failure> {
        grants::open(self.tx, grant, self.proposal, self.acceptance.at)
    }

    fn label(
        &self,
        upstream: &UpstreamName,
        place: &str,
        name: &Untrusted,
        environment: Environment,
    ) -> Result<(), Failure> {
        let sql = "INSERT OR REPLACE INTO labels (upstream, place, name, environment, proposal) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let (name, environment) = (word(name)?, word(&environment)?);
        let values: [&dyn ToSql; 5] = [
            &upstream.as_str(),
            &place,
            &name,
            &environment,
            &self.proposal.as_str(),
        ];
        run(self.tx, sql, &values)?;
        Ok(())
    }

    fn upstream(&self, upstream: &Upstream) -> Result<(), Failure> {
        let sql = "INSERT OR REPLACE INTO upstreams (name, body, proposal) VALUES (?1, ?2, ?3)";
        let (name, body) = (upstream.name.as_str(), json(upstream)?);
        run(self.tx, sql, &[&name, &body, &self.proposal.as_str()])?;
        Ok(())
    }

    fn policies(&self, files: &[(String, String)]) -> Result<(), Failure> {
        run(self.tx, "DELETE FROM policies", &[])?;
        let sql = "INSERT INTO policies (position, name, text, proposal) VALUES (?1, ?2, ?3, ?4)";
        for (position, (name, text)) in (0_i64..).zip(files) {
            run(
                self.tx,
                sql,
                &[&position, name, text, &self.proposal.as_str()],
            )?;
        }
        Ok(())
    }
}
