//! The proof to hand to an auditor: one entry's index and inclusion proof with the checkpoint, as
//! <https://c2sp.org/tlog-proof> defines the file. It needs no access to the log to be checked.

use crate::{
    LedgerError, SignedCheckpoint,
    checkpoint::parse_decimal,
    merkle::{TreeHash, leaf_hash},
    note::NoteVerifier,
    proofs::verify_inclusion,
};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Writes a proof file.
#[must_use]
pub fn write_proof(index: u64, proof: &[TreeHash], checkpoint: &SignedCheckpoint) -> String {
    let mut text = format!("{FIRST_LINE}\nindex {index}\n");
    for hash in proof {
        text.push_str(&hash.to_base64());
        text.push('\n');
    }
    text.push('\n');
    text.push_str(checkpoint.note());
    text
}

/// Checks that a proof file proves `entry` to be in the log whose key is `verifier`; gives the index and
/// the checkpoint.
///
/// # Errors
/// [`LedgerError::MalformedNote`], those of [`SignedCheckpoint::open`], [`LedgerError::BadProof`].
pub fn check_proof(
    text: &str,
    entry: &[u8],
    verifier: &NoteVerifier,
) -> Result<(u64, SignedCheckpoint), LedgerError> {
    let malformed = LedgerError::MalformedNote("it is not a `tlog-proof@v1` file");
    let (index, proof, note) = split_proof(text).ok_or(malformed)?;
    let checkpoint = SignedCheckpoint::open(note, verifier)?;
    verify_inclusion(
        &leaf_hash(entry),
        index,
        checkpoint.size(),
        checkpoint.root(),
        &proof,
    )?;
    Ok((index, checkpoint))
}

fn split_proof(text: &str) -> Option<(u64, Vec<TreeHash>, &str)> {
    let (head, note) = text.split_once("\n\n")?;
    let mut lines = head.split('\n').peekable();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    // Extra data is not authenticated and none of ours, so it is passed over.
    lines.next_if(|line| line.starts_with("extra "));
    let index = parse_decimal(lines.next()?.strip_prefix("index ")?)?;
    let proof = lines
        .map(TreeHash::from_base64)
        .collect::<Option<Vec<_>>>()?;
    Some((index, proof, note))
}
