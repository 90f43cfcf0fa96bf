//! Proposals: put in, listed, and marked once.

use rusqlite::{Row, Transaction};
use tagout_core::ids::ProposalId;
use tagout_core::proposal::{PROPOSAL_LIFE_MS, Proposal, ProposalState};
use tagout_core::store::StoreError;
use tagout_core::time::UnixMs;

use super::columns::{all, count, first, get_json, get_ms, get_word, json, ms, run, word};
use super::failure::Failure;

/// What was created at or before this has expired at `now`.
fn expired_before(now: UnixMs) -> Option<i64> {
    now.0.checked_sub(PROPOSAL_LIFE_MS).map(|at| ms(UnixMs(at)))
}

/// Puts a proposal in, after marking those that have expired by the time it was made.
pub(crate) fn add(tx: &Transaction<'_>, proposal: &Proposal, most: usize) -> Result<(), Failure> {
    if proposal.state != ProposalState::Open {
        return Err(StoreError::Settled(word(&proposal.state)?).into());
    }
    let expire = "UPDATE proposals SET state = 'expired' WHERE state = 'open' AND created <= ?1";
    run(tx, expire, &[&expired_before(proposal.created)])?;
    let open = count(
        tx,
        "SELECT count(*) FROM proposals WHERE state = 'open'",
        &[],
    )?;
    if open >= most {
        return Err(StoreError::TooMany(open).into());
    }
    let sql = "INSERT INTO proposals (id, change, proposed_by, created, state) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let (change, from) = (json(&proposal.change)?, word(&proposal.from)?);
    let (created, state) = (ms(proposal.created), word(&proposal.state)?);
    run(
        tx,
        sql,
        &[&proposal.id.as_str(), &change, &from, &created, &state],
    )?;
    Ok(())
}

pub(crate) fn load(tx: &Transaction<'_>, id: &ProposalId) -> Result<Proposal, Failure> {
    let found = first(
        tx,
        "SELECT * FROM proposals WHERE id = ?1",
        &[&id.as_str()],
        read,
    )?;
    Ok(found.ok_or(StoreError::NotFound("proposal"))?)
}

pub(crate) fn open(tx: &Transaction<'_>, now: UnixMs) -> Result<Vec<Proposal>, Failure> {
    let sql = "SELECT * FROM proposals WHERE state = 'open' AND (?1 IS NULL OR created > ?1) \
               ORDER BY seq DESC";
    all(tx, sql, &[&expired_before(now)], read)
}

/// Takes an open proposal out of those that wait.
pub(crate) fn close(
    tx: &Transaction<'_>,
    id: &ProposalId,
    state: ProposalState,
    at: UnixMs,
) -> Result<Proposal, Failure> {
    let proposal = load(tx, id)?;
    if proposal.state != ProposalState::Open {
        return Err(StoreError::Settled(word(&proposal.state)?).into());
    }
    if at >= proposal.created.plus_ms(PROPOSAL_LIFE_MS) {
        return Err(StoreError::Settled(word(&ProposalState::Expired)?).into());
    }
    let sql = "UPDATE proposals SET state = ?2 WHERE id = ?1";
    run(tx, sql, &[&id.as_str(), &word(&state)?])?;
    Ok(proposal)
}

fn read(row: &Row<'_>) -> Result<Proposal, Failure> {
    Ok(Proposal {
        id: get_word(row, "id")?,
        change: get_json(row, "change")?,
        from: get_word(row, "proposed_by")?,
        created: get_ms(row, "created")?,
        state: get_word(row, "state")?,
    })
}
