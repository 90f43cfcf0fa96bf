//! Checkpoints, as <https://c2sp.org/tlog-checkpoint> defines them: origin, tree size and root in a
//! signed note. Ours never carry extension lines, so one with such lines is refused.

use crate::{
    LedgerError,
    merkle::TreeHash,
    note::{NoteSigner, NoteVerifier},
};

/// What a log says about itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Entries in the tree.
    pub size: u64,
    /// The root over them.
    pub root: TreeHash,
}

/// A checkpoint with the note that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: String,
}

impl Checkpoint {
    /// The three lines that are signed.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            self.root.to_base64()
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty())?.to_owned();
        let size = parse_decimal(lines.next()?)?;
        let root = TreeHash::from_base64(lines.next()?)?;
        lines
            .next()
            .is_none()
            .then_some(Self { origin, size, root })
    }
}

/// A decimal number without sign or leading zeros.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

impl SignedCheckpoint {
    /// Signs a tree size and root under the signer's name.
    #[must_use]
    pub fn sign(signer: &NoteSigner, size: u64, root: TreeHash) -> Self {
        let checkpoint = Checkpoint {
            origin: signer.verifier().name().to_owned(),
            size,
            root,
        };
        let note = signer.sign(&checkpoint.to_text());
        Self { checkpoint, note }
    }

    /// Checks a note's signature and origin, and reads the checkpoint in it.
    ///
    /// # Errors
    /// Those of [`NoteVerifier::open`], [`LedgerError::MalformedNote`], [`LedgerError::WrongOrigin`].
    pub fn open(note: &str, verifier: &NoteVerifier) -> Result<Self, LedgerError> {
        let checkpoint = Checkpoint::parse(verifier.open(note)?)
            .ok_or(LedgerError::MalformedNote("the text is not a checkpoint"))?;
        if checkpoint.origin != verifier.name() {
            return Err(LedgerError::WrongOrigin {
                expected: verifier.name().to_owned(),
                found: checkpoint.origin,
            });
        }
        Ok(Self {
            checkpoint,
            note: note.to_owned(),
        })
    }

    /// What was signed.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Entries in the tree.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The root over them.
    #[must_use]
    pub const fn root(&self) -> &TreeHash {
        &self.checkpoint.root
    }

    /// The signed note, ready to be written or shown.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}
