//! The order to stop everything; at most one is in force.

use rusqlite::{Row, Transaction};
use tagout_core::ids::{FreezeId, ProposalId};
use tagout_core::store::{Freeze, StoreError};
use tagout_core::time::UnixMs;

use super::columns::{first, get_ms, get_word, ms, run, word};
use super::failure::Failure;

pub(crate) fn in_force(tx: &Transaction<'_>) -> Result<Option<Freeze>, Failure> {
    first(tx, "SELECT * FROM freezes WHERE in_force = 1", &[], read)
}

/// Refuses while one is in force.
pub(crate) fn check_none(tx: &Transaction<'_>) -> Result<(), Failure> {
    match in_force(tx)? {
        Some(_) => Err(StoreError::Settled("frozen".to_owned()).into()),
        None => Ok(()),
    }
}

/// Puts it in force, unless another is; gives the one that is.
pub(crate) fn add(tx: &Transaction<'_>, freeze: &Freeze) -> Result<Freeze, Failure> {
    if let Some(there) = in_force(tx)? {
        return Ok(there);
    }
    let sql = "INSERT INTO freezes (id, since, frozen_by, reason, in_force) \
               VALUES (?1, ?2, ?3, ?4, 1)";
    let (by, reason) = (word(&freeze.by)?, word(&freeze.reason)?);
    run(
        tx,
        sql,
        &[&freeze.id.as_str(), &ms(freeze.since), &by, &reason],
    )?;
    Ok(freeze.clone())
}

/// Ends exactly this one.
pub(crate) fn thaw(
    tx: &Transaction<'_>,
    id: &FreezeId,
    proposal: &ProposalId,
    at: UnixMs,
) -> Result<(), Failure> {
    let sql = "UPDATE freezes SET in_force = NULL, thawed = ?2, proposal = ?3 \
               WHERE id = ?1 AND in_force = 1";
    if run(tx, sql, &[&id.as_str(), &ms(at), &proposal.as_str()])? == 1 {
        return Ok(());
    }
    let known = first(
        tx,
        "SELECT * FROM freezes WHERE id = ?1",
        &[&id.as_str()],
        read,
    )?;
    Err(match known {
        Some(_) => StoreError::Settled("thawed".to_owned()).into(),
        None => StoreError::NotFound("freeze").into(),
    })
}

fn read(row: &Row<'_>) -> Result<Freeze, Failure> {
    Ok(Freeze {
        id: get_word(row, "id")?,
        since: get_ms(row, "since")?,
        by: get_word(row, "frozen_by")?,
        reason: get_word(row, "reason")?,
    })
}
