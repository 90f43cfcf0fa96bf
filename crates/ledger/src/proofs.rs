//! Inclusion and consistency proofs: made as RFC 6962 §2.1 defines them, checked as RFC 9162 §2.1.3.2
//! and §2.1.4.2 spell out. Pure.

use crate::{
    LedgerError,
    merkle::{Subtrees, TreeHash, empty_root, node_hash},
};

/// The hash over leaves `start..end` (`MTH(D[start:end])` of RFC 6962).
///
/// # Errors
/// Whatever `source` answers with.
pub fn range_root(source: &impl Subtrees, start: u64, end: u64) -> Result<TreeHash, LedgerError> {
    let count = end.saturating_sub(start);
    if count == 0 {
        return Ok(empty_root());
    }
    if count.is_power_of_two() && start.is_multiple_of(count) {
        return source.subtree(level_of(count), start / count);
    }
    let middle = start + split_point(count);
    Ok(node_hash(
        &range_root(source, start, middle)?,
        &range_root(source, middle, end)?,
    ))
}

/// The proof that leaf `index` is in the tree of `size`, from the leaf's sibling upwards.
///
/// # Errors
/// [`LedgerError::OutOfRange`], or whatever `source` answers with.
pub fn prove_inclusion(
    source: &impl Subtrees,
    index: u64,
    size: u64,
) -> Result<Vec<TreeHash>, LedgerError> {
    if index >= size {
        return Err(LedgerError::OutOfRange { asked: index, size });
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split_point(end - start);
        if index < middle {
            path.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(source, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `old` leaves is a prefix of the tree of `new` leaves. Empty when `old` is
/// zero or equals `new`.
///
/// # Errors
/// [`LedgerError::OutOfRange`] when `old` exceeds `new`, or whatever `source` answers with.
pub fn prove_consistency(
    source: &impl Subtrees,
    old: u64,
    new: u64,
) -> Result<Vec<TreeHash>, LedgerError> {
    if old > new {
        return Err(LedgerError::OutOfRange {
            asked: old,
            size: new,
        });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, new);
    let mut path = Vec::new();
    while end != old {
        let middle = start + split_point(end - start);
        if old <= middle {
            path.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(source, start, middle)?);
            start = middle;
        }
    }
    // The verifier knows the old root, so it is left out where the last subtree is the whole old tree.
    if start != 0 {
        path.push(range_root(source, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that `leaf` is at `index` in the tree of `size` with `root`.
///
/// # Errors
/// [`LedgerError::OutOfRange`] or [`LedgerError::BadProof`].
pub fn verify_inclusion(
    leaf: &TreeHash,
    index: u64,
    size: u64,
    root: &TreeHash,
    proof: &[TreeHash],
) -> Result<(), LedgerError> {
    if index >= size {
        return Err(LedgerError::OutOfRange { asked: index, size });
    }
    let mut walk = Walk {
        at: index,
        last: size - 1,
    };
    let mut hash = *leaf;
    for sibling in proof {
        if walk.last == 0 {
            return Err(LedgerError::BadProof("inclusion"));
        }
        if walk.is_right() {
            hash = node_hash(sibling, &hash);
            walk.skip_lone_levels();
        } else {
            hash = node_hash(&hash, sibling);
        }
        walk.up();
    }
    accept(walk.last == 0 && hash == *root, "inclusion")
}

/// Checks that the tree of `old_size` with `old_root` is a prefix of the tree of `new_size` with
/// `new_root`.
///
/// # Errors
/// [`LedgerError::OutOfRange`] or [`LedgerError::BadProof`].
pub fn verify_consistency(
    old_size: u64,
    old_root: &TreeHash,
    new_size: u64,
    new_root: &TreeHash,
    proof: &[TreeHash],
) -> Result<(), LedgerError> {
    if old_size > new_size {
        return Err(LedgerError::OutOfRange {
            asked: old_size,
            size: new_size,
        });
    }
    if old_size == new_size {
        return accept(proof.is_empty() && old_root == new_root, "consistency");
    }
    if old_size == 0 {
        return accept(proof.is_empty() && *old_root == empty_root(), "consistency");
    }
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        proof
            .split_first()
            .ok_or(LedgerError::BadProof("consistency"))?
    };
    let climbed = climb_both(old_size, new_size, first, rest)?;
    accept(climbed == (*old_root, *new_root), "consistency")
}

/// Computes the old and the new root that a consistency proof leads to.
fn climb_both(
    old_size: u64,
    new_size: u64,
    first: &TreeHash,
    rest: &[TreeHash],
) -> Result<(TreeHash, TreeHash), LedgerError> {
    let mut walk = Walk {
        at: old_size - 1,
        last: new_size - 1,
    };
    while walk.at & 1 == 1 {
        walk.up();
    }
    let (mut old, mut new) = (*first, *first);
    for sibling in rest {
        if walk.last == 0 {
            return Err(LedgerError::BadProof("consistency"));
        }
        if walk.is_right() {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            walk.skip_lone_levels();
        } else {
            new = node_hash(&new, sibling);
        }
        walk.up();
    }
    accept(walk.last == 0, "consistency").map(|()| (old, new))
}

/// A position and the last position of its level, on the way to the root.
struct Walk {
    at: u64,
    last: u64,
}

impl Walk {
    const fn is_right(&self) -> bool {
        self.at & 1 == 1 || self.at == self.last
    }

    const fn up(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }

    /// Climbs the levels on which the right edge has no sibling.
    const fn skip_lone_levels(&mut self) {
        while self.at & 1 == 0 && self.at != 0 {
            self.up();
        }
    }
}

fn accept(good: bool, kind: &'static str) -> Result<(), LedgerError> {
    if good {
        Ok(())
    } else {
        Err(LedgerError::BadProof(kind))
    }
}

/// The largest power of two below `count`, for `count` of at least two.
const fn split_point(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

fn level_of(power_of_two: u64) -> u8 {
    u8::try_from(power_of_two.trailing_zeros()).unwrap_or(63)
}
