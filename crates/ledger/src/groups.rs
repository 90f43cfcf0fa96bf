//! Reads in groups: one leaf per grant and second, however many reads there were.
//!
//! Pure: the time is the caller's, and so is the salt. The leaf holds the count and a Merkle root over
//! salted commitments to the single records, so it gives nothing away and each record can be proved
//! against it. The records and the salt are the body.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tagout_core::canonical::canonical_text;

use crate::{
    bodies::BodyHash,
    commitment::Salt,
    merkle::{TreeHash, leaf_hash, root_of_leaves},
};

/// Records in one group at most; a busier second gives several groups.
pub const MAX_GROUP_RECORDS: usize = 4096;
/// Bytes of records in one group at most.
pub const MAX_GROUP_BYTES: usize = 1 << 20;
/// What `kind` says in the leaf of a group.
pub const READ_GROUP_KIND: &str = "read_group";

/// The leaf of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadGroup {
    /// Always [`READ_GROUP_KIND`].
    pub kind: String,
    /// The grant that read.
    pub grant: String,
    /// The second, since 1970 in UTC.
    pub second: u64,
    /// How many reads.
    pub count: u64,
    /// The root over the salted commitments to the records, in order, as hexadecimal digits.
    pub root: String,
    /// The body with salt and records, `sha256:…`.
    pub body: String,
}

/// A group that takes no more records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedGroup {
    /// What goes into the log.
    pub leaf: ReadGroup,
    /// What goes beside it.
    pub body: Vec<u8>,
}

impl ReadGroup {
    /// The leaf as canonical JSON.
    #[must_use]
    pub fn to_entry(&self) -> Vec<u8> {
        canonical_text(self).into_bytes()
    }

    /// Reads a leaf; `None` when the entry is something else.
    #[must_use]
    pub fn parse(entry: &[u8]) -> Option<Self> {
        serde_json::from_slice(entry)
            .ok()
            .filter(|group: &Self| group.kind == READ_GROUP_KIND)
    }

    /// Whether a body is the one of this group: its hash, the count and the root.
    #[must_use]
    pub fn matches(&self, body: &[u8]) -> bool {
        let Some((salt, records)) = split_body(body) else {
            return false;
        };
        BodyHash::of(body).to_string() == self.body
            && records.len() as u64 == self.count
            && records_root(&salt, &records).to_string() == self.root
    }
}

/// Splits a group's body into the salt and the records; `None` when it is malformed.
#[must_use]
pub fn split_body(body: &[u8]) -> Option<(Salt, Vec<Vec<u8>>)> {
    let (salt, mut rest) = body.split_first_chunk::<32>()?;
    let mut records = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (record, after) = after.split_at_checked(length)?;
        records.push(record.to_vec());
        rest = after;
    }
    rest.is_empty()
        .then_some((Salt::from_bytes(*salt), records))
}

fn encode_body(salt: &Salt, records: &[Vec<u8>]) -> Vec<u8> {
    let mut body = salt.as_bytes().to_vec();
    for record in records {
        body.extend_from_slice(
            &u32::try_from(record.len())
                .unwrap_or(u32::MAX)
                .to_be_bytes(),
        );
        body.extend_from_slice(record);
    }
    body
}

fn records_root(salt: &Salt, records: &[Vec<u8>]) -> TreeHash {
    root_of_leaves(records.iter().map(|record| leaf_hash(&salt.commit(record))))
}

/// Gathers records by grant and second.
#[derive(Debug, Default)]
pub struct ReadGrouper {
    open: BTreeMap<String, OpenGroup>,
}

#[derive(Debug, Default)]
struct OpenGroup {
    second: u64,
    bytes: usize,
    records: Vec<Vec<u8>>,
}

impl ReadGrouper {
    /// Adds a record at a second. Gives the group that it closed, if the second is another or the group
    /// was full; `salt` is called for each group that closes.
    pub fn add<E>(
        &mut self,
        grant: &str,
        second: u64,
        record: Vec<u8>,
        salt: impl FnOnce() -> Result<Salt, E>,
    ) -> Result<Option<ClosedGroup>, E> {
        let group = self.open.entry(grant.to_owned()).or_default();
        let full = group.records.len() >= MAX_GROUP_RECORDS
            || group.bytes + record.len() > MAX_GROUP_BYTES;
        let close = !group.records.is_empty() && (full || group.second != second);
        let closed = if close {
            Some(std::mem::take(group).close(grant, &salt()?))
        } else {
            None
        };
        group.second = second;
        group.bytes += record.len();
        group.records.push(record);
        Ok(closed)
    }

    /// Closes every group whose second is over.
    ///
    /// # Errors
    /// Those of `salt`; groups that were not closed stay open.
    pub fn close_before<E>(
        &mut self,
        second: u64,
        mut salt: impl FnMut() -> Result<Salt, E>,
    ) -> Result<Vec<ClosedGroup>, E> {
        let mut closed = Vec::new();
        while let Some(grant) = self.first_before(second) {
            let salt = salt()?;
            closed.extend(
                self.open
                    .remove(&grant)
                    .map(|group| group.close(&grant, &salt)),
            );
        }
        Ok(closed)
    }

    /// Whether nothing is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn first_before(&self, second: u64) -> Option<String> {
        let over = self.open.iter().find(|(_, group)| group.second < second);
        over.map(|(grant, _)| grant.clone())
    }
}

impl OpenGroup {
    fn close(self, grant: &str, salt: &Salt) -> ClosedGroup {
        let body = encode_body(salt, &self.records);
        let leaf = ReadGroup {
            kind: READ_GROUP_KIND.to_owned(),
            grant: grant.to_owned(),
            second: self.second,
            count: self.records.len() as u64,
            root: records_root(salt, &self.records).to_string(),
            body: BodyHash::of(&body).to_string(),
        };
        ClosedGroup { leaf, body }
    }
}
