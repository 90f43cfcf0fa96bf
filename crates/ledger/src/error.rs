//! The one error type of the ledger: a variant per cause, each telling what to do about it.

use std::{io, path::Path};

/// Everything that can go wrong in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The operating system refused a file operation.
    #[error("cannot {doing} `{path}`: {message}")]
    Io {
        /// What was tried, as a verb phrase.
        doing: &'static str,
        /// The file or directory.
        path: String,
        /// The kind the operating system gave.
        kind: io::ErrorKind,
        /// The operating system's own words.
        message: String,
    },
    /// Another process has the ledger open.
    #[error("`{0}` is open in another process; stop it first, a ledger has one writer")]
    Locked(String),
    /// An earlier error stopped the writer; nothing more is accepted until the ledger is opened again.
    #[error("the ledger's writer has stopped: {0}; open the ledger again once the cause is gone")]
    WriterDead(String),
    /// No room is left for this class of entry.
    #[error("the ledger is full: {0}; free disk space, effects stay refused until then")]
    LedgerFull(&'static str),
    /// Too much is waiting to become durable.
    #[error("the ledger's queue is full; try again later")]
    QueueFull,
    /// An entry does not fit in a leaf.
    #[error("an entry of {bytes} bytes exceeds the limit of {limit}; put the body beside the log")]
    EntryTooLarge {
        /// Size of the entry.
        bytes: usize,
        /// The largest allowed.
        limit: usize,
    },
    /// A journal segment is not what was written.
    #[error("journal segment {segment} is damaged at byte {offset}: {what}; restore it or verify")]
    JournalDamaged {
        /// Number of the segment.
        segment: u64,
        /// Where in the file.
        offset: u64,
        /// What was found.
        what: &'static str,
    },
    /// The published checkpoint is gone although the log has entries.
    #[error("the log has {size} entries but no `checkpoint` file; restore it before opening")]
    CheckpointMissing {
        /// Entries found.
        size: u64,
    },
    /// The log holds less than a published checkpoint promised.
    #[error("a checkpoint promises {promised} entries, the log holds {held}; entries were lost")]
    Truncated {
        /// Tree size that was signed and published.
        promised: u64,
        /// Entries that are there.
        held: u64,
    },
    /// The log contradicts a checkpoint that was signed.
    #[error("the log contradicts the checkpoint of size {size}; it was edited or replaced")]
    Contradiction {
        /// Size of the contradicted checkpoint.
        size: u64,
    },
    /// A stored file has the wrong form.
    #[error("`{path}` is malformed: {what}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A signed note has the wrong form.
    #[error("malformed note: {0}")]
    MalformedNote(&'static str),
    /// A signer or verifier key string has the wrong form.
    #[error("malformed note key: {0}; expected `name+hash+base64`")]
    MalformedKey(&'static str),
    /// No signature by the known key verifies.
    #[error("no valid signature by `{0}`")]
    BadSignature(String),
    /// A checkpoint is of another log.
    #[error("the checkpoint is of `{found}`, not of `{expected}`")]
    WrongOrigin {
        /// The verifier's name.
        expected: String,
        /// The origin line.
        found: String,
    },
    /// An index or size lies outside the tree.
    #[error("index or size {asked} is outside the tree of {size}")]
    OutOfRange {
        /// What was asked for.
        asked: u64,
        /// Size of the tree.
        size: u64,
    },
    /// An inclusion or consistency proof does not lead to the root.
    #[error("the {0} proof does not lead to the signed root")]
    BadProof(&'static str),
    /// A body does not hash to its name.
    #[error("the body `{0}` does not match its hash; it was edited")]
    BodyEdited(String),
    /// The published part has not caught up in time.
    #[error("the checkpoint has not reached {wanted} within the time limit{cause}")]
    NotPublished {
        /// The tree size that was waited for.
        wanted: u64,
        /// The last error of the publisher, or empty.
        cause: String,
    },
    /// A group of reads could not be recorded, so no further reads are taken.
    #[error("reads are refused because they cannot be recorded: {0}")]
    ReadsRefused(String),
    /// The options make no sense.
    #[error("bad ledger option: {0}")]
    BadOption(&'static str),
}

/// Turns an IO error into ours with the path that it concerns.
pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LedgerError {
    move |error| LedgerError::Io {
        doing,
        path: path.display().to_string(),
        kind: error.kind(),
        message: error.to_string(),
    }
}
