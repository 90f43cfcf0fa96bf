//! Holds: found by digest, signed, and taken from state to state by compare-and-set.

use rusqlite::{Row, ToSql, Transaction};
use serde::{Deserialize, Serialize};
use tagout_core::card::{Card, Hold, SignedApproval};
use tagout_core::digest::OperationDigest;
use tagout_core::grant::{GrantState, Spending};
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::{ConnectionId, GrantId, HoldId, UpstreamName};
use tagout_core::store::{Holds, Opened, StoreError, Stored};
use tagout_core::time::UnixMs;

use super::columns::{
    all, count, get_json, get_ms, get_some_ms, get_some_word, get_word, json, ms, run, word,
};
use super::failure::Failure;
use super::{SqliteStore, connections, freezes, grants};
use crate::life;

/// The states that are not over, as the partial indexes have them.
const OPEN: &str = "state IN ('pending', 'approved', 'scheduled', 'executing')";

/// What never changes of a hold and is never searched for.
#[derive(Serialize, Deserialize)]
struct Body {
    upstream: UpstreamName,
    attempt: String,
    spending: Spending,
    card: Card,
}

impl Holds for SqliteStore {
    fn open_hold(&self, hold: Hold, most: usize) -> Stored<'_, Opened> {
        self.write(move |tx| open(tx, &hold, most))
    }

    fn hold<'a>(&'a self, id: &'a HoldId) -> Stored<'a, Hold> {
        let id = id.clone();
        self.read(move |tx| load(tx, &id))
    }

    fn latest_hold(&self, operation: OperationDigest) -> Stored<'_, Option<Hold>> {
        self.read(move |tx| {
            let newest = "operation = ?1 ORDER BY seq DESC LIMIT 1";
            Ok(select(tx, newest, &[&word(&operation)?])?.pop())
        })
    }

    fn list_holds(&self, closed: usize) -> Stored<'_, Vec<Hold>> {
        self.read(move |tx| list(tx, closed))
    }

    fn sign<'a>(
        &'a self,
        id: &'a HoldId,
        approval: SignedApproval,
        solo_after_ms: Option<u64>,
        now: UnixMs,
    ) -> Stored<'a, Hold> {
        let id = id.clone();
        self.write(move |tx| {
            let hold = life::signed(load(tx, &id)?, approval.clone(), solo_after_ms, now)?;
            save(tx, &hold)?;
            Ok(hold)
        })
    }

    fn step<'a>(
        &'a self,
        id: &'a HoldId,
        from: HoldState,
        event: HoldEvent,
        outcome: Option<String>,
    ) -> Stored<'a, Hold> {
        let id = id.clone();
        let work = move |tx: &Transaction<'_>| step(tx, &id, from, event, outcome.as_deref());
        // Only sending something takes room that must be refused on a full disk.
        if event == HoldEvent::Execute {
            self.write(work)
        } else {
            self.stop(work)
        }
    }

    fn expire_holds(&self, now: UnixMs) -> Stored<'_, Vec<Hold>> {
        self.stop(move |tx| expire(tx, now))
    }

    fn due_holds(&self, now: UnixMs) -> Stored<'_, Vec<Hold>> {
        self.read(move |tx| {
            let due = format!("{OPEN} AND state = 'scheduled' AND run_at <= ?1 ORDER BY run_at");
            select(tx, &due, &[&ms(now)])
        })
    }

    fn withdraw_of<'a>(
        &'a self,
        connection: &'a ConnectionId,
        grant: Option<&'a GrantId>,
    ) -> Stored<'a, Vec<Hold>> {
        let (connection, grant) = (connection.clone(), grant.cloned());
        self.stop(move |tx| withdraw(tx, &connection, grant.as_ref()))
    }
}

fn open(tx: &Transaction<'_>, hold: &Hold, most: usize) -> Result<Opened, Failure> {
    if hold.state != HoldState::Pending {
        return Err(StoreError::Settled(hold.state.word().to_owned()).into());
    }
    let same = format!("{OPEN} AND operation = ?1");
    if let Some(there) = select(tx, &same, &[&word(&hold.operation)?])?.pop() {
        return Ok(Opened::There(there));
    }
    check_asker(tx, hold)?;
    let pending = format!(
        "SELECT count(*) FROM holds WHERE {OPEN} AND state = 'pending' AND connection = ?1"
    );
    let pending = count(tx, &pending, &[&hold.connection.as_str()])?;
    if pending >= most {
        return Err(StoreError::TooMany(pending).into());
    }
    insert(tx, hold)?;
    Ok(Opened::New(hold.clone()))
}

/// Nothing of a revoked connection or grant is opened or sent. A grant that ran out or was stopped by
/// its budget does not count: a person may still approve what was asked under it.
fn check_asker(tx: &Transaction<'_>, hold: &Hold) -> Result<(), Failure> {
    let revoked = || StoreError::Settled("revoked".to_owned());
    if connections::load(tx, &hold.connection)?.revoked {
        return Err(revoked().into());
    }
    match &hold.grant {
        Some(id) if grants::load(tx, id)?.state == GrantState::Revoked => Err(revoked().into()),
        _ => Ok(()),
    }
}

fn insert(tx: &Transaction<'_>, hold: &Hold) -> Result<(), Failure> {
    let sql = "INSERT INTO holds (id, state, operation, connection, grant_id, created, expires, \
               approvals, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let values: [&dyn ToSql; 9] = [
        &hold.id.as_str(),
        &hold.state.word(),
        &word(&hold.operation)?,
        &hold.connection.as_str(),
        &hold.grant.as_ref().map(GrantId::as_str),
        &ms(hold.created),
        &ms(hold.card.expires),
        &json(&hold.approvals)?,
        &hold.outcome,
    ];
    run(tx, sql, &values)?;
    let body = json(&Body {
        upstream: hold.upstream.clone(),
        attempt: hold.attempt.clone(),
        spending: hold.spending.clone(),
        card: hold.card.clone(),
    })?;
    let sql = "INSERT INTO hold_bodies (hold, body) VALUES (?1, ?2)";
    run(tx, sql, &[&hold.id.as_str(), &body])?;
    Ok(())
}

fn save(tx: &Transaction<'_>, hold: &Hold) -> Result<(), Failure> {
    let sql = "UPDATE holds SET state = ?2, approvals = ?3, approved = ?4, lapses = ?5, \
               run_at = ?6, outcome = ?7 WHERE id = ?1";
    let values: [&dyn ToSql; 7] = [
        &hold.id.as_str(),
        &hold.state.word(),
        &json(&hold.approvals)?,
        &hold.approved.map(ms),
        &life::lapses(hold).map(ms),
        &hold.run_at.map(ms),
        &hold.outcome,
    ];
    run(tx, sql, &values)?;
    Ok(())
}

fn load(tx: &Transaction<'_>, id: &HoldId) -> Result<Hold, Failure> {
    let found = select(tx, "id = ?1", &[&id.as_str()])?.pop();
    Ok(found.ok_or(StoreError::NotFound("hold"))?)
}

fn select(
    tx: &Transaction<'_>,
    condition: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<Hold>, Failure> {
    let sql =
        format!("SELECT * FROM holds JOIN hold_bodies ON hold_bodies.hold = id WHERE {condition}");
    all(tx, &sql, values, read)
}

fn read(row: &Row<'_>) -> Result<Hold, Failure> {
    let body: Body = get_json(row, "body")?;
    Ok(Hold {
        id: get_word(row, "id")?,
        state: get_word(row, "state")?,
        operation: get_word(row, "operation")?,
        connection: get_word(row, "connection")?,
        grant: get_some_word(row, "grant_id")?,
        upstream: body.upstream,
        attempt: body.attempt,
        spending: body.spending,
        card: body.card,
        approvals: get_json(row, "approvals")?,
        created: get_ms(row, "created")?,
        approved: get_some_ms(row, "approved")?,
        run_at: get_some_ms(row, "run_at")?,
        outcome: row.get("outcome")?,
    })
}

/// By the order in which they were put in, because the wall clock can be set back.
fn list(tx: &Transaction<'_>, closed: usize) -> Result<Vec<Hold>, Failure> {
    let condition = format!(
        "seq IN (SELECT seq FROM holds WHERE {OPEN} UNION ALL SELECT seq FROM \
         (SELECT seq FROM holds WHERE NOT {OPEN} ORDER BY seq DESC LIMIT ?1)) ORDER BY seq DESC"
    );
    let closed = i64::try_from(closed).unwrap_or(i64::MAX);
    select(tx, &condition, &[&closed])
}

fn step(
    tx: &Transaction<'_>,
    id: &HoldId,
    from: HoldState,
    event: HoldEvent,
    outcome: Option<&str>,
) -> Result<Hold, Failure> {
    let mut hold = load(tx, id)?;
    if hold.state != from {
        return Err(StoreError::Settled(hold.state.word().to_owned()).into());
    }
    hold.state = life::unsigned(from, event)?;
    if event == HoldEvent::Execute {
        check_asker(tx, &hold)?;
        freezes::check_none(tx)?;
    }
    if let Some(outcome) = outcome {
        hold.outcome = Some(outcome.to_owned());
    }
    save(tx, &hold)?;
    Ok(hold)
}

fn expire(tx: &Transaction<'_>, now: UnixMs) -> Result<Vec<Hold>, Failure> {
    let over = format!(
        "{OPEN} AND ((state = 'pending' AND expires <= ?1) \
         OR (state = 'approved' AND lapses <= ?1)) ORDER BY seq"
    );
    let mut changed = select(tx, &over, &[&ms(now)])?;
    for hold in &mut changed {
        let event = match hold.state {
            HoldState::Pending => HoldEvent::Expire,
            _ => HoldEvent::Lapse,
        };
        hold.state = life::unsigned(hold.state, event)?;
        save(tx, hold)?;
    }
    Ok(changed)
}

fn withdraw(
    tx: &Transaction<'_>,
    connection: &ConnectionId,
    grant: Option<&GrantId>,
) -> Result<Vec<Hold>, Failure> {
    let of = format!("{OPEN} AND connection = ?1 AND (?2 IS NULL OR grant_id = ?2) ORDER BY seq");
    let open = select(
        tx,
        &of,
        &[&connection.as_str(), &grant.map(GrantId::as_str)],
    )?;
    let mut changed = Vec::new();
    for mut hold in open {
        if let Some(state) = life::ended(hold.state) {
            hold.state = state;
            save(tx, &hold)?;
            changed.push(hold);
        }
    }
    Ok(changed)
}
