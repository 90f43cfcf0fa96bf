//! Secrets that came here sealed. This module sees bytes only.

use tagout_core::store::{Sealed, Stored};

use super::SqliteStore;
use super::columns::{first, run};

impl Sealed for SqliteStore {
    fn keep<'a>(&'a self, name: &'a str, sealed: Vec<u8>) -> Stored<'a, ()> {
        let name = name.to_owned();
        self.write(move |tx| {
            let sql = "INSERT INTO sealed (name, bytes) VALUES (?1, ?2) \
                       ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes";
            run(tx, sql, &[&name, &sealed])?;
            Ok(())
        })
    }

    fn sealed<'a>(&'a self, name: &'a str) -> Stored<'a, Option<Vec<u8>>> {
        let name = name.to_owned();
        self.read(move |tx| {
            let sql = "SELECT bytes FROM sealed WHERE name = ?1";
            first(tx, sql, &[&name], |row| Ok(row.get("bytes")?))
        })
    }
}
