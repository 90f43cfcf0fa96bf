//! The tamper-evident ledger: an append-only Merkle log (RFC 6962) with signed checkpoints, in the file
//! layout of C2SP tlog-tiles, and a verifier that needs nothing but a directory and a key.
//!
//! # What is promised
//! * An append that was acknowledged is on the disk: the journal was synced before.
//! * A published checkpoint is never contradicted: it covers only what is durable, and opening refuses a
//!   log that does not fit it.
//! * Nobody without the log's key can edit, reorder, remove or add entries unnoticed. Whoever holds the
//!   key, or can put back an old copy of the whole directory, can; an older checkpoint kept elsewhere
//!   finds that out (`Options::must_extend`, [`verify::VerifyRequest::older`]).
//!
//! # Order of things
//! An append is acknowledged when the journal is durable. Tiles and the checkpoint follow, at once when
//! the ledger is idle and at most every `publish_interval` when it is busy, and with them the bodies that came
//! in the journal. Each group of the journal is
//! signed, so the entries that no checkpoint covers yet are protected as well, except that the very last
//! of them could be taken for an unfinished write if their bytes are damaged before they are published.
//!
//! The ledger never looks into entries; it must never hold a secret, and it never has a clock.

mod append;
mod bodies;
mod checkpoint;
mod commitment;
mod entries;
mod error;
mod export;
mod files;
mod frame;
mod groups;
mod journal;
mod ledger;
pub mod merkle;
mod note;
mod options;
mod proof_file;
pub mod proofs;
mod publisher;
mod queue;
mod read_queue;
mod recovery;
mod state;
mod stored;
mod tile_builder;
pub mod tiles;
pub mod verify;
mod writer;

pub use crate::{
    append::Append,
    bodies::{BodyHash, BodyStore},
    checkpoint::{Checkpoint, SignedCheckpoint},
    commitment::Salt,
    entries::Entries,
    error::LedgerError,
    export::{export, exported},
    groups::{
        ClosedGroup, MAX_GROUP_BYTES, MAX_GROUP_RECORDS, READ_GROUP_KIND, ReadGroup, ReadGrouper,
        split_body,
    },
    journal::{DiskProbe, system_disk_probe},
    ledger::{Ledger, MAX_JOURNAL_BODY_BYTES, Status},
    note::{NoteSigner, NoteVerifier},
    options::{FaultHook, FaultPoint, Options},
    proof_file::{check_proof, write_proof},
    queue::{Appended, Class},
    read_queue::{ClockMs, ReadQueue},
    recovery::Recovery,
    stored::StoredLog,
    tiles::MAX_ENTRY_BYTES,
};
