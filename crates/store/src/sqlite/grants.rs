//! Grants and their subtrees.

use rusqlite::{Row, ToSql, Transaction};
use tagout_core::grant::{Grant, GrantState};
use tagout_core::ids::{GrantId, ProposalId};
use tagout_core::store::StoreError;
use tagout_core::time::UnixMs;

use super::columns::{all, first, get_json, get_ms, get_some_word, get_word, json, ms, run, word};
use super::connections;
use super::failure::Failure;

pub(crate) fn not_revoked(tx: &Transaction<'_>) -> Result<Vec<Grant>, Failure> {
    all(
        tx,
        "SELECT * FROM grants WHERE state <> 'revoked' ORDER BY seq",
        &[],
        read,
    )
}

pub(crate) fn load(tx: &Transaction<'_>, id: &GrantId) -> Result<Grant, Failure> {
    let found = first(
        tx,
        "SELECT * FROM grants WHERE id = ?1",
        &[&id.as_str()],
        read,
    )?;
    Ok(found.ok_or(StoreError::NotFound("grant"))?)
}

/// Adds a grant that a person accepted.
pub(crate) fn open(
    tx: &Transaction<'_>,
    grant: Grant,
    proposal: &ProposalId,
    at: UnixMs,
) -> Result<(), Failure> {
    connections::alive(tx, &grant.connection, at)?;
    let grant = match grant.parent.clone() {
        Some(parent) => below(tx, &parent, grant, Some(at))?,
        None => grant,
    };
    add(tx, &grant, Some(proposal))
}

/// Adds a narrower one. Without a parent it would be new authority, which only a person can give.
pub(crate) fn add_child(tx: &Transaction<'_>, child: &Grant) -> Result<(), Failure> {
    let parent = child.parent.clone();
    let parent = parent.ok_or(StoreError::NotFound("parent of this grant"))?;
    let child = below(tx, &parent, child.clone(), None)?;
    add(tx, &child, None)
}

/// The child, ending no later than its parent, if that and all above it are in force and its
/// connection is the parent's or was narrowed from it.
fn below(
    tx: &Transaction<'_>,
    parent: &GrantId,
    mut child: Grant,
    at: Option<UnixMs>,
) -> Result<Grant, Failure> {
    let parent = load(tx, parent)?;
    check_chain(tx, parent.clone(), at)?;
    if connections::load(tx, &child.connection)?.revoked {
        return Err(StoreError::Settled("revoked".to_owned()).into());
    }
    if !connections::is_below(tx, &child.connection, &parent.connection)? {
        return Err(StoreError::NotFound("grant of this connection").into());
    }
    child.expires = child.expires.min(parent.expires);
    Ok(child)
}

/// Without a time only the states are checked: a child of what has run out has run out with it.
fn check_chain(tx: &Transaction<'_>, mut grant: Grant, at: Option<UnixMs>) -> Result<(), Failure> {
    loop {
        let over = |word: &str| Err(StoreError::Settled(word.to_owned()).into());
        match grant.state {
            GrantState::Open if at.is_some_and(|at| at >= grant.expires) => return over("expired"),
            GrantState::Open => {}
            GrantState::Tripped => return over("tripped"),
            GrantState::Revoked => return over("revoked"),
        }
        match grant.parent {
            Some(parent) => grant = load(tx, &parent)?,
            None => return Ok(()),
        }
    }
}

fn add(tx: &Transaction<'_>, grant: &Grant, proposal: Option<&ProposalId>) -> Result<(), Failure> {
    let known = "SELECT id FROM grants WHERE id = ?1";
    if first(tx, known, &[&grant.id.as_str()], |_| Ok(()))?.is_some() {
        return Err(StoreError::Settled("granted".to_owned()).into());
    }
    let sql = "INSERT INTO grants (id, connection, parent, task, rights, budget, expires, state, \
               proposal) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let values: [&dyn ToSql; 9] = [
        &grant.id.as_str(),
        &grant.connection.as_str(),
        &grant.parent.as_ref().map(GrantId::as_str),
        &word(&grant.task)?,
        &json(&grant.rights)?,
        &json(&grant.budget)?,
        &ms(grant.expires),
        &word(&grant.state)?,
        &proposal.map(ProposalId::as_str),
    ];
    run(tx, sql, &values)?;
    Ok(())
}

/// Ends a grant and all below it; gives those that were ended.
pub(crate) fn revoke(tx: &Transaction<'_>, id: &GrantId) -> Result<Vec<GrantId>, Failure> {
    load(tx, id)?;
    let sql = "WITH RECURSIVE below (id) AS (SELECT id FROM grants WHERE id = ?1 \
               UNION SELECT grants.id FROM grants JOIN below ON grants.parent = below.id) \
               UPDATE grants SET state = 'revoked' WHERE state <> 'revoked' AND id IN below \
               RETURNING id";
    all(tx, sql, &[&id.as_str()], |row| get_word(row, "id"))
}

/// Stops a grant. One that is stopped stays so; one that is revoked is not brought back.
pub(crate) fn trip(tx: &Transaction<'_>, id: &GrantId) -> Result<(), Failure> {
    if load(tx, id)?.state == GrantState::Revoked {
        return Err(StoreError::Settled("revoked".to_owned()).into());
    }
    run(
        tx,
        "UPDATE grants SET state = 'tripped' WHERE id = ?1",
        &[&id.as_str()],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Grant, Failure> {
    Ok(Grant {
        id: get_word(row, "id")?,
        connection: get_word(row, "connection")?,
        parent: get_some_word(row, "parent")?,
        task: get_word(row, "task")?,
        rights: get_json(row, "rights")?,
        budget: get_json(row, "budget")?,
        expires: get_ms(row, "expires")?,
        state: get_word(row, "state")?,
    })
}
