//! What a verification can find, in words for people.

use std::path::PathBuf;

use crate::{LedgerError, SignedCheckpoint, bodies::BodyHash};

/// What the verifier found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The signed checkpoint, if it is one.
    pub checkpoint: Option<SignedCheckpoint>,
    /// Entries that were hashed.
    pub entries: u64,
    /// Entries beyond the checkpoint, found in the journal.
    pub unpublished: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is worth knowing but proves nothing.
    pub warnings: Vec<Warning>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Something that cannot be with an honest log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is no checkpoint that the key has signed.
    #[error("checkpoint: {0}")]
    Checkpoint(LedgerError),
    /// Entries that the checkpoint promises are not there.
    #[error("truncated: the checkpoint promises {promised} entries, {held} can be read ({cause})")]
    Truncated {
        /// The signed tree size.
        promised: u64,
        /// Entries that could be read before the first gap.
        held: u64,
        /// What was wrong at the gap.
        cause: LedgerError,
    },
    /// The entry's text is not what was recorded.
    #[error("entry {0} was edited")]
    EntryEdited(u64),
    /// The entry recorded at one place lies at another.
    #[error("entries were reordered: what was recorded as {recorded} lies at {lies_at}")]
    EntryMoved {
        /// The index it was recorded as.
        recorded: u64,
        /// The index it lies at.
        lies_at: u64,
    },
    /// A tile or bundle differs from what the entries give.
    #[error("`{path}` was edited at position {position}")]
    TileEdited {
        /// The file, below the log's directory.
        path: PathBuf,
        /// Which hash or entry within it differs first.
        position: u64,
    },
    /// A tile that the checkpoint needs is not there.
    #[error("`{0}` is missing")]
    TileMissing(PathBuf),
    /// Entry and tile disagree, and neither leads to the signed root.
    #[error("entry {0} and its tile disagree; neither leads to the signed root")]
    Disagreement(u64),
    /// The entries do not lead to the signed root.
    #[error("the entries do not lead to the signed root")]
    RootMismatch,
    /// The log is shorter than a checkpoint that was kept elsewhere.
    #[error("rolled back: an older checkpoint has {older} entries, this log {size}")]
    RolledBack {
        /// Size of the older checkpoint.
        older: u64,
        /// Size now.
        size: u64,
    },
    /// The log does not extend a checkpoint that was kept elsewhere.
    #[error("replaced: the log does not extend the older checkpoint of {older} entries")]
    Replaced {
        /// Size of the older checkpoint.
        older: u64,
    },
    /// The journal is damaged.
    #[error("journal: {0}")]
    Journal(LedgerError),
    /// The journal holds another text for an entry than the tiles.
    #[error("journal and tiles disagree about entry {0}")]
    JournalDisagrees(u64),
    /// A body does not hash to the name in the leaf.
    #[error("the body of entry {index}, `{body}`, was edited")]
    BodyEdited {
        /// The entry that names it.
        index: u64,
        /// Its name.
        body: BodyHash,
    },
    /// A group's body does not have the records that the leaf counts.
    #[error("the records of the read group in entry {0} do not fit its leaf")]
    GroupDiffers(u64),
}

/// Something that an honest log can show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A body has expired, was deleted or got lost.
    #[error("the body of entry {index}, `{body}`, is not there")]
    BodyMissing {
        /// The entry that names it.
        index: u64,
        /// Its name.
        body: BodyHash,
    },
    /// The journal ends in an unfinished write; opening the ledger cuts it.
    #[error("the journal ends in an unfinished write of {bytes} bytes")]
    UnfinishedWrite {
        /// How long it is.
        bytes: u64,
    },
    /// There is no journal, so this is a copy.
    #[error("there is no journal: this is a copy of the published part")]
    NoJournal,
}
