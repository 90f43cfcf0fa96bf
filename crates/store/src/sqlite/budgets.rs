//! What was spent from each purse.

use rusqlite::Transaction;
use tagout_core::grant::{Budget, Spending};
use tagout_core::store::{Budgets, Purse, StoreError, Stored};

use super::SqliteStore;
use super::columns::{first, get_json, json, run};
use super::failure::Failure;

impl Budgets for SqliteStore {
    fn spend(&self, purses: Vec<(Purse, Budget)>, asked: Spending) -> Stored<'_, ()> {
        self.write(move |tx| {
            for (purse, budget) in &purses {
                let spent = spent(tx, purse)?;
                // An error takes back what was booked on the purses before.
                budget.carries(&spent, &asked).map_err(StoreError::from)?;
                book(tx, purse, &spent.plus(&asked))?;
            }
            Ok(())
        })
    }

    fn refund(&self, purses: Vec<Purse>, back: Spending) -> Stored<'_, ()> {
        self.stop(move |tx| {
            for purse in &purses {
                let rest = less(spent(tx, purse)?, &back);
                book(tx, purse, &rest)?;
            }
            Ok(())
        })
    }

    fn spent<'a>(&'a self, purse: &'a Purse) -> Stored<'a, Spending> {
        let purse = purse.clone();
        self.read(move |tx| spent(tx, &purse))
    }
}

/// The ids of connections and grants begin differently, so that one column holds both.
fn key(purse: &Purse) -> &str {
    match purse {
        Purse::Connection(id) => id.as_str(),
        Purse::Grant(id) => id.as_str(),
    }
}

fn spent(tx: &Transaction<'_>, purse: &Purse) -> Result<Spending, Failure> {
    let sql = "SELECT spent FROM spendings WHERE purse = ?1";
    let found = first(tx, sql, &[&key(purse)], |row| get_json(row, "spent"))?;
    Ok(found.unwrap_or_default())
}

fn book(tx: &Transaction<'_>, purse: &Purse, spent: &Spending) -> Result<(), Failure> {
    let sql = "INSERT INTO spendings (purse, spent) VALUES (?1, ?2) \
               ON CONFLICT (purse) DO UPDATE SET spent = excluded.spent";
    run(tx, sql, &[&key(purse), &json(spent)?])?;
    Ok(())
}

fn less(mut spent: Spending, back: &Spending) -> Spending {
    for (effect, count) in &back.0 {
        if let Some(sum) = spent.0.get_mut(effect) {
            *sum = sum.saturating_sub(*count);
        }
    }
    spent
}
