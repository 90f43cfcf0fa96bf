//! Connections and their subtrees.

use rusqlite::{Row, ToSql, Transaction};
use tagout_core::grant::Connection;
use tagout_core::ids::{ConnectionId, PersonId, ProposalId};
use tagout_core::store::StoreError;
use tagout_core::time::UnixMs;

use super::columns::{
    all, first, get_json, get_ms, get_number, get_some_word, get_word, json, ms, run, word,
};
use super::failure::Failure;

/// A connection and everything narrowed from it.
const BELOW: &str = "WITH RECURSIVE below (id) AS (SELECT id FROM connections WHERE id = ?1 \
                     UNION SELECT connections.id FROM connections \
                     JOIN below ON connections.parent = below.id) ";

pub(crate) fn in_force(tx: &Transaction<'_>) -> Result<Vec<Connection>, Failure> {
    all(
        tx,
        "SELECT * FROM connections WHERE revoked = 0 ORDER BY seq",
        &[],
        read,
    )
}

pub(crate) fn load(tx: &Transaction<'_>, id: &ConnectionId) -> Result<Connection, Failure> {
    let found = first(
        tx,
        "SELECT * FROM connections WHERE id = ?1",
        &[&id.as_str()],
        read,
    )?;
    Ok(found.ok_or(StoreError::NotFound("connection"))?)
}

/// The connection, if it is neither revoked nor idle too long.
pub(crate) fn alive(
    tx: &Transaction<'_>,
    id: &ConnectionId,
    at: UnixMs,
) -> Result<Connection, Failure> {
    let connection = load(tx, id)?;
    let over = |word: &str| Err(StoreError::Settled(word.to_owned()).into());
    match (connection.revoked, connection.alive(at)) {
        (true, _) => over("revoked"),
        (false, false) => over("idle"),
        (false, true) => Ok(connection),
    }
}

pub(crate) fn add(
    tx: &Transaction<'_>,
    connection: &Connection,
    proposal: Option<&ProposalId>,
) -> Result<(), Failure> {
    let known = "SELECT id FROM connections WHERE id = ?1";
    if first(tx, known, &[&connection.id.as_str()], |_| Ok(()))?.is_some() {
        return Err(StoreError::Settled("connected".to_owned()).into());
    }
    let sql = "INSERT INTO connections (id, agent, workspace, owner, parent, rights, budget, \
               token_version, created, used, revoked, proposal) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let values: [&dyn ToSql; 12] = [
        &connection.id.as_str(),
        &word(&connection.agent)?,
        &word(&connection.workspace)?,
        &connection.owner.as_ref().map(PersonId::as_str),
        &connection.parent.as_ref().map(ConnectionId::as_str),
        &json(&connection.rights)?,
        &json(&connection.budget)?,
        &connection.token_version,
        &ms(connection.created),
        &ms(connection.used),
        &connection.revoked,
        &proposal.map(ProposalId::as_str),
    ];
    run(tx, sql, &values)?;
    Ok(())
}

/// Adds a narrower one. Without a parent it would be new authority, which only a person can give.
pub(crate) fn add_child(tx: &Transaction<'_>, child: &Connection) -> Result<(), Failure> {
    let parent = child.parent.as_ref();
    let parent = parent.ok_or(StoreError::NotFound("parent of this connection"))?;
    alive(tx, parent, child.created)?;
    add(tx, child, None)
}

/// Whether `id` is `ancestor` or was narrowed from it.
pub(crate) fn is_below(
    tx: &Transaction<'_>,
    id: &ConnectionId,
    ancestor: &ConnectionId,
) -> Result<bool, Failure> {
    let sql = format!("{BELOW} SELECT id FROM below WHERE id = ?2");
    let found = first(tx, &sql, &[&ancestor.as_str(), &id.as_str()], |_| Ok(()))?;
    Ok(found.is_some())
}

/// Ends a connection, all below it, and all their grants; gives the connections that were ended.
pub(crate) fn revoke(
    tx: &Transaction<'_>,
    id: &ConnectionId,
) -> Result<Vec<ConnectionId>, Failure> {
    load(tx, id)?;
    let grants = format!(
        "{BELOW} UPDATE grants SET state = 'revoked' \
         WHERE state <> 'revoked' AND connection IN below"
    );
    run(tx, &grants, &[&id.as_str()])?;
    let connections = format!(
        "{BELOW} UPDATE connections SET revoked = 1 WHERE revoked = 0 AND id IN below RETURNING id"
    );
    all(tx, &connections, &[&id.as_str()], |row| get_word(row, "id"))
}

/// Notes a use. What is revoked or has been idle too long stays over.
pub(crate) fn note_use(
    tx: &Transaction<'_>,
    id: &ConnectionId,
    now: UnixMs,
) -> Result<(), Failure> {
    alive(tx, id, now)?;
    let sql = "UPDATE connections SET used = max(used, ?2) WHERE id = ?1";
    run(tx, sql, &[&id.as_str(), &ms(now)])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Connection, Failure> {
    Ok(Connection {
        id: get_word(row, "id")?,
        agent: get_word(row, "agent")?,
        workspace: get_word(row, "workspace")?,
        owner: get_some_word(row, "owner")?,
        parent: get_some_word(row, "parent")?,
        rights: get_json(row, "rights")?,
        budget: get_json(row, "budget")?,
        token_version: get_number(row, "token_version")?,
        created: get_ms(row, "created")?,
        used: get_ms(row, "used")?,
        revoked: row.get("revoked")?,
    })
}
