//! A log as it lies on a disk, read without opening it for writing: a copy, an export, or one that a
//! running gateway has open. Needs the directory and the verifier key, nothing else.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use crate::{
    LedgerError, SignedCheckpoint,
    note::NoteVerifier,
    proof_file::write_proof,
    proofs::prove_inclusion,
    recovery::read_checkpoint,
    tiles::{TILE_WIDTH, TileReader},
};

/// A stored log up to its published checkpoint. What it gives is as trustworthy as the files are; see
/// [`crate::verify`].
#[derive(Debug)]
pub struct StoredLog {
    directory: PathBuf,
    checkpoint: SignedCheckpoint,
}

impl StoredLog {
    /// Reads the checkpoint and checks its signature.
    ///
    /// # Errors
    /// [`LedgerError::CheckpointMissing`], those of [`SignedCheckpoint::open`], [`LedgerError::Io`].
    pub fn open(directory: &Path, verifier: &NoteVerifier) -> Result<Self, LedgerError> {
        let checkpoint = read_checkpoint(directory, verifier)?
            .ok_or(LedgerError::CheckpointMissing { size: 0 })?;
        Ok(Self {
            directory: directory.to_owned(),
            checkpoint,
        })
    }

    /// The published checkpoint.
    #[must_use]
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The tiles of the checkpoint's tree.
    #[must_use]
    pub fn tiles(&self) -> TileReader {
        TileReader::new(&self.directory, self.checkpoint.size())
    }

    /// The published entries of a range with their indices. Ends after the first error.
    pub fn entries(
        &self,
        range: Range<u64>,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), LedgerError>> + use<> {
        let tiles = self.tiles();
        let end = range.end.min(self.checkpoint.size());
        let mut failed = false;
        let bundles = range.start / TILE_WIDTH..end.div_ceil(TILE_WIDTH);
        bundles
            .flat_map(move |bundle| match tiles.bundle(bundle) {
                Ok(entries) => (bundle * TILE_WIDTH..)
                    .zip(entries)
                    .map(Ok)
                    .collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            })
            .filter(move |entry| {
                entry
                    .as_ref()
                    .map_or(true, |(at, _)| (range.start..end).contains(at))
            })
            .take_while(move |entry| !std::mem::replace(&mut failed, entry.is_err()))
    }

    /// One entry and the `tlog-proof@v1` file that proves it.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`] when the checkpoint does not cover it; errors of the files.
    pub fn prove(&self, index: u64) -> Result<(Vec<u8>, String), LedgerError> {
        let size = self.checkpoint.size();
        let outside = LedgerError::OutOfRange { asked: index, size };
        let (_, entry) = self
            .entries(index..index.saturating_add(1))
            .next()
            .ok_or(outside)??;
        let proof = prove_inclusion(&self.tiles(), index, size)?;
        Ok((entry, write_proof(index, &proof, &self.checkpoint)))
    }
}
