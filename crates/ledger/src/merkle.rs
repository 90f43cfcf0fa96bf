//! RFC 6962 hashing and the growing edge of the tree.
//!
//! Pure: no IO and no clock. The hash domain (`0x00` leaf, `0x01` node) is RFC 6962 §2.1; it must never
//! change, because every proof that was ever handed out depends on it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::LedgerError;

/// A SHA-256 Merkle tree hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeHash([u8; 32]);

impl TreeHash {
    /// Wraps 32 bytes that are a hash already.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a hash from a slice; `None` unless it has 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Standard base64 with padding, as checkpoints and proofs write it.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Parses [`TreeHash::to_base64`]; `None` for anything else.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::from_slice(&STANDARD.decode(text).ok()?)
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeHash({self})")
    }
}

/// `SHA-256(0x00 || entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> TreeHash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(entry);
    TreeHash(hasher.finalize().into())
}

/// `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &TreeHash, right: &TreeHash) -> TreeHash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left.0);
    hasher.update(right.0);
    TreeHash(hasher.finalize().into())
}

/// The root of the tree without entries: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> TreeHash {
    TreeHash(Sha256::digest([]).into())
}

/// The roots of the complete subtrees at the right edge: all that is needed to append and to know the
/// root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One root per set bit of `size`, the largest subtree first.
    peaks: Vec<TreeHash>,
}

impl Frontier {
    /// Entries so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its [`leaf_hash`].
    pub fn push(&mut self, leaf: TreeHash) {
        let mut hash = leaf;
        let mut rest = self.size;
        while rest & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
            rest >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root over everything pushed so far.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        let mut from_right = self.peaks.iter().rev();
        let Some(&last) = from_right.next() else {
            return empty_root();
        };
        from_right.fold(last, |right, left| node_hash(left, &right))
    }

    /// Rebuilds the edge of a tree of `size` from its complete subtrees.
    ///
    /// # Errors
    /// Whatever `source` answers with.
    pub fn restore(size: u64, source: &impl Subtrees) -> Result<Self, LedgerError> {
        let mut peaks = Vec::new();
        let mut start = 0;
        for level in (0..64u8).rev().filter(|level| size >> level & 1 == 1) {
            peaks.push(source.subtree(level, start >> level)?);
            start += 1 << level;
        }
        Ok(Self { size, peaks })
    }
}

/// Where the hashes of complete subtrees come from.
pub trait Subtrees {
    /// The root over leaves `index * 2^level .. (index + 1) * 2^level`.
    ///
    /// # Errors
    /// When the subtree is not complete, or its storage cannot be read.
    fn subtree(&self, level: u8, index: u64) -> Result<TreeHash, LedgerError>;
}

/// The root over consecutive leaf hashes that are all in memory.
#[must_use]
pub fn root_of_leaves(leaves: impl IntoIterator<Item = TreeHash>) -> TreeHash {
    let mut frontier = Frontier::default();
    leaves.into_iter().for_each(|leaf| frontier.push(leaf));
    frontier.root()
}
