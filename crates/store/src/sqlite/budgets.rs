//! What was spent from each purse, as far as a mark in the ledger.

use rusqlite::{Row, Transaction};
use tagout_core::grant::Spending;
use tagout_core::store::{Booked, Budgets, Purse, StoreError, Stored};

use super::SqliteStore;
use super::columns::{all, first, get_json, get_number, get_word, json, run, word};
use super::failure::Failure;

impl Budgets for SqliteStore {
    fn booked(&self) -> Stored<'_, Booked> {
        self.read(|tx| {
            let rows = all(tx, "SELECT purse, spent FROM spendings", &[], read)?;
            Ok(Booked {
                spent: rows.into_iter().collect(),
                below: below(tx)?,
            })
        })
    }

    fn book(&self, from: u64, more: Booked) -> Stored<'_, ()> {
        self.write(move |tx| {
            let reaches_to = below(tx)?;
            if reaches_to != from {
                return Err(StoreError::Settled(format!("booked to {reaches_to}")).into());
            }
            for (purse, spent) in &more.spent {
                add(tx, purse, spent)?;
            }
            let below = i64::try_from(more.below).unwrap_or(i64::MAX);
            run(tx, "UPDATE booked SET below = ?1", &[&below])?;
            Ok(())
        })
    }
}

fn read(row: &Row<'_>) -> Result<(Purse, Spending), Failure> {
    Ok((get_word(row, "purse")?, get_json(row, "spent")?))
}

fn below(tx: &Transaction<'_>) -> Result<u64, Failure> {
    let found = first(tx, "SELECT below FROM booked", &[], |row| {
        get_number(row, "below")
    })?;
    Ok(found.unwrap_or_default())
}

fn add(tx: &Transaction<'_>, purse: &Purse, more: &Spending) -> Result<(), Failure> {
    let key = word(purse)?;
    let sql = "SELECT spent FROM spendings WHERE purse = ?1";
    let spent = first(tx, sql, &[&key], |row| get_json::<Spending>(row, "spent"))?;
    let sum = spent.unwrap_or_default().plus(more);
    let sql = "INSERT INTO spendings (purse, spent) VALUES (?1, ?2) \
               ON CONFLICT (purse) DO UPDATE SET spent = excluded.spent";
    run(tx, sql, &[&key, &json(&sum)?])?;
    Ok(())
}
