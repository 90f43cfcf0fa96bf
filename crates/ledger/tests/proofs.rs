//! Hashing and proofs against two other definitions: the recursive one of RFC 6962, and `ct-merkle`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

use ct_merkle::{ConsistencyProof, InclusionProof, mem_backed_tree::MemoryBackedTree};
use proptest::prelude::*;
use sha2::Sha256;
use tagout_ledger::{
    LedgerError,
    merkle::{Frontier, Subtrees, TreeHash, empty_root, leaf_hash, node_hash, root_of_leaves},
    proofs::{
        prove_consistency, prove_inclusion, range_root, verify_consistency, verify_inclusion,
    },
};

/// RFC 6962 §2.1, word for word.
fn naive_root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        many => {
            let split = many.len().next_power_of_two() / 2;
            node_hash(&naive_root(&many[..split]), &naive_root(&many[split..]))
        }
    }
}

struct Leaves(Vec<TreeHash>);

impl Subtrees for Leaves {
    fn subtree(&self, level: u8, index: u64) -> Result<TreeHash, LedgerError> {
        let start = usize::try_from(index << level).unwrap();
        Ok(naive_root(&self.0[start..start + (1 << level)]))
    }
}

fn leaves(count: u64) -> Leaves {
    Leaves(
        (0..count)
            .map(|number| leaf_hash(&number.to_be_bytes()))
            .collect(),
    )
}

fn theirs(count: u64) -> MemoryBackedTree<Sha256, [u8; 8]> {
    let mut tree = MemoryBackedTree::new();
    (0..count).for_each(|number| tree.push(number.to_be_bytes()));
    tree
}

fn bytes(hashes: &[TreeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

#[test]
fn known_answers_of_certificate_transparency() {
    let cases = [
        (
            0,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            1,
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        ),
        (
            2,
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        ),
        (
            8,
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    ];
    let inputs: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    for (count, root) in cases {
        let leaves = inputs[..count].iter().map(|input| leaf_hash(input));
        assert_eq!(root_of_leaves(leaves).to_string(), root, "{count}");
    }
}

#[test]
fn every_proof_of_small_trees_holds_and_no_altered_one_does() {
    for size in 1..=20 {
        let tree = leaves(size);
        let root = naive_root(&tree.0);
        for (index, leaf) in (0..).zip(&tree.0) {
            let proof = prove_inclusion(&tree, index, size).unwrap();
            verify_inclusion(leaf, index, size, &root, &proof).unwrap();
            let mut longer = proof.clone();
            longer.push(root);
            assert!(verify_inclusion(leaf, index, size, &root, &longer).is_err());
            for other in (0..=size).filter(|&other| other != index) {
                assert!(verify_inclusion(leaf, other, size, &root, &proof).is_err());
            }
            for cut in 0..proof.len() {
                assert!(verify_inclusion(leaf, index, size, &root, &proof[..cut]).is_err());
            }
        }
        for old in 0..=size {
            let old_root = naive_root(&tree.0[..usize::try_from(old).unwrap()]);
            let proof = prove_consistency(&tree, old, size).unwrap();
            verify_consistency(old, &old_root, size, &root, &proof).unwrap();
            for at in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[at] = leaf_hash(b"wrong");
                assert!(verify_consistency(old, &old_root, size, &root, &wrong).is_err());
                let cut = &proof[..at];
                assert!(verify_consistency(old, &old_root, size, &root, cut).is_err());
            }
            let forged = leaf_hash(b"another tree");
            assert!(verify_consistency(old, &forged, size, &root, &proof).is_err());
        }
    }
}

#[test]
fn what_lies_outside_the_tree_is_refused() {
    let tree = leaves(5);
    let outside = |asked, size| LedgerError::OutOfRange { asked, size };
    assert_eq!(prove_inclusion(&tree, 5, 5), Err(outside(5, 5)));
    assert_eq!(prove_inclusion(&tree, 0, 0), Err(outside(0, 0)));
    assert_eq!(prove_consistency(&tree, 6, 5), Err(outside(6, 5)));
    let root = empty_root();
    assert_eq!(
        verify_inclusion(&root, 0, 0, &root, &[]),
        Err(outside(0, 0))
    );
    assert_eq!(
        verify_consistency(2, &root, 1, &root, &[]),
        Err(outside(2, 1))
    );
}

proptest! {
    #[test]
    fn roots_agree_with_both_definitions(size in 0u64..600) {
        let tree = leaves(size);
        let mut frontier = Frontier::default();
        tree.0.iter().for_each(|leaf| frontier.push(*leaf));
        prop_assert_eq!(frontier.root(), naive_root(&tree.0));
        prop_assert_eq!(range_root(&tree, 0, size).unwrap(), naive_root(&tree.0));
        prop_assert_eq!(Frontier::restore(size, &tree).unwrap(), frontier.clone());
        let root = theirs(size).root();
        prop_assert_eq!(bytes(&[frontier.root()]), root.as_bytes().to_vec());
    }

    #[test]
    fn inclusion_proofs_agree_with_ct_merkle(size in 1u64..600, place: prop::sample::Index) {
        let tree = leaves(size);
        let index = place.index(tree.0.len());
        let ours = prove_inclusion(&tree, index as u64, size).unwrap();
        let their_tree = theirs(size);
        let proof = their_tree.prove_inclusion(index);
        prop_assert_eq!(bytes(&ours), proof.as_bytes());
        let converted = InclusionProof::try_from_bytes(bytes(&ours)).unwrap();
        let entry = (index as u64).to_be_bytes();
        their_tree.root().verify_inclusion(&entry, index as u64, &converted).unwrap();
        let root = naive_root(&tree.0);
        verify_inclusion(&tree.0[index], index as u64, size, &root, &ours).unwrap();
    }

    #[test]
    fn consistency_proofs_agree_with_ct_merkle(old in 1u64..400, more in 1u64..400) {
        let new = old + more;
        let ours = prove_consistency(&leaves(new), old, new).unwrap();
        let (old_tree, new_tree) = (theirs(old), theirs(new));
        let proof = new_tree.prove_consistency(usize::try_from(more).unwrap());
        prop_assert_eq!(bytes(&ours), proof.as_bytes());
        let converted = ConsistencyProof::try_from_bytes(bytes(&ours)).unwrap();
        new_tree.root().verify_consistency(&old_tree.root(), &converted).unwrap();
    }

    #[test]
    fn arbitrary_proofs_never_panic(
        (index, size) in (any::<u64>(), any::<u64>()),
        path in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let path: Vec<_> = path.into_iter().map(TreeHash::from_bytes).collect();
        let root = empty_root();
        prop_assert!(verify_inclusion(&root, index, size, &root, &path).is_err());
        let _ = verify_consistency(index, &root, size, &root, &path);
    }
}
