//! People and their passkeys.

use rusqlite::{Row, Transaction};
use tagout_core::ids::{AuthenticatorId, PersonId, ProposalId};
use tagout_core::store::{Authenticator, Person, StoreError};
use tagout_core::time::UnixMs;
use tagout_core::untrusted::Untrusted;

use super::columns::{all, count, first, get_ms, get_number, get_word, ms, run, word};
use super::failure::Failure;

pub(crate) fn every(tx: &Transaction<'_>) -> Result<Vec<Person>, Failure> {
    let mut people = all(tx, "SELECT * FROM people ORDER BY rowid", &[], |row| {
        Ok(Person {
            id: get_word(row, "id")?,
            name: get_word(row, "name")?,
            since: get_ms(row, "since")?,
            authenticators: Vec::new(),
        })
    })?;
    for person in &mut people {
        let sql = "SELECT * FROM authenticators WHERE person = ?1 ORDER BY seq";
        person.authenticators = all(tx, sql, &[&person.id.as_str()], read)?;
    }
    Ok(people)
}

pub(crate) fn check_enrolled(tx: &Transaction<'_>, id: &PersonId) -> Result<(), Failure> {
    if is_enrolled(tx, id)? {
        Ok(())
    } else {
        Err(StoreError::NotFound("person").into())
    }
}

fn is_enrolled(tx: &Transaction<'_>, id: &PersonId) -> Result<bool, Failure> {
    let sql = "SELECT id FROM people WHERE id = ?1";
    Ok(first(tx, sql, &[&id.as_str()], |_| Ok(()))?.is_some())
}

/// Adds the very first person; afterwards it takes a proposal that an enrolled person accepts.
pub(crate) fn enrol_first(tx: &Transaction<'_>, person: &Person) -> Result<(), Failure> {
    if count(tx, "SELECT count(*) FROM people", &[])? > 0 {
        return Err(StoreError::Settled("enrolled".to_owned()).into());
    }
    add(tx, &person.id, &person.name, person.since)?;
    for authenticator in &person.authenticators {
        add_authenticator(tx, &person.id, authenticator, None)?;
    }
    Ok(())
}

/// Adds a passkey, and its person if that one is new.
pub(crate) fn enrol(
    tx: &Transaction<'_>,
    person: &PersonId,
    name: &Untrusted,
    authenticator: &Authenticator,
    proposal: &ProposalId,
    at: UnixMs,
) -> Result<(), Failure> {
    if !is_enrolled(tx, person)? {
        add(tx, person, name, at)?;
    }
    add_authenticator(tx, person, authenticator, Some(proposal))
}

fn add(
    tx: &Transaction<'_>,
    id: &PersonId,
    name: &Untrusted,
    since: UnixMs,
) -> Result<(), Failure> {
    let sql = "INSERT INTO people (id, name, since) VALUES (?1, ?2, ?3)";
    run(tx, sql, &[&id.as_str(), &word(name)?, &ms(since)])?;
    Ok(())
}

fn add_authenticator(
    tx: &Transaction<'_>,
    person: &PersonId,
    authenticator: &Authenticator,
    proposal: Option<&ProposalId>,
) -> Result<(), Failure> {
    let (id, credential) = (authenticator.id.as_str(), &authenticator.credential);
    let known = "SELECT id FROM authenticators WHERE id = ?1 OR credential = ?2";
    if first(tx, known, &[&id, credential], |_| Ok(()))?.is_some() {
        return Err(StoreError::Settled("enrolled".to_owned()).into());
    }
    let sql = "INSERT INTO authenticators (id, person, credential, public_key, sign_count, \
               proposal) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (key, signed) = (&authenticator.public_key, authenticator.sign_count);
    let proposal = proposal.map(ProposalId::as_str);
    run(
        tx,
        sql,
        &[&id, &person.as_str(), credential, key, &signed, &proposal],
    )?;
    Ok(())
}

/// Notes a counter. It must grow, unless the authenticator has none and always says zero: WebAuthn
/// Level 2, section 7.2, step 21.
pub(crate) fn note_sign_count(
    tx: &Transaction<'_>,
    id: &AuthenticatorId,
    signed: u32,
) -> Result<(), Failure> {
    let known = "SELECT * FROM authenticators WHERE id = ?1";
    let known = first(tx, known, &[&id.as_str()], read)?;
    let before = known
        .ok_or(StoreError::NotFound("authenticator"))?
        .sign_count;
    if signed <= before && (signed, before) != (0, 0) {
        return Err(StoreError::Settled(format!("at signature {before}")).into());
    }
    let sql = "UPDATE authenticators SET sign_count = ?2 WHERE id = ?1";
    run(tx, sql, &[&id.as_str(), &signed])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Authenticator, Failure> {
    Ok(Authenticator {
        id: get_word(row, "id")?,
        credential: row.get("credential")?,
        public_key: row.get("public_key")?,
        sign_count: get_number(row, "sign_count")?,
    })
}
