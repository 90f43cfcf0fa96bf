//! The verifier. It needs a directory and the log's verifier key, and trusts nothing else: neither the
//! index that the gateway keeps, nor the tiles, nor file lengths.
//!
//! It hashes every entry, builds the tree anew and compares it with every stored tile and with the signed
//! root. Where they differ, whichever side leads to the signed root is the true one, so the report can
//! say *which* entry or tile was changed.

mod findings;
mod journal;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

pub use findings::{Problem, Report, Warning};

use crate::{
    SignedCheckpoint, StoredLog,
    bodies::{BodyHash, BodyStore},
    files::read_optional,
    groups::ReadGroup,
    merkle::{Frontier, TreeHash},
    note::NoteVerifier,
    tile_builder::{TileBuilder, TileFile},
    tiles::{TILE_WIDTH, TileKind, TileReader, split_bundle},
};

/// What to verify, and against what.
#[derive(Debug)]
pub struct VerifyRequest<'a> {
    /// The directory that holds `checkpoint` and `tile`.
    pub directory: &'a Path,
    /// The log's key, got from elsewhere than this directory.
    pub verifier: &'a NoteVerifier,
    /// Checkpoints of this log that were kept elsewhere: it must extend them all.
    pub older: &'a [SignedCheckpoint],
}

/// Verifies a log.
#[must_use]
pub fn verify(request: &VerifyRequest<'_>) -> Report {
    match StoredLog::open(request.directory, request.verifier) {
        Ok(log) => Verification::new(request, &log).run(request),
        Err(error) => Report {
            checkpoint: None,
            entries: 0,
            unpublished: 0,
            problems: vec![Problem::Checkpoint(error)],
            warnings: Vec::new(),
        },
    }
}

/// An entry whose hash differs from the one in its tile.
struct Difference {
    index: u64,
    entry: TreeHash,
    tile: TreeHash,
}

struct Verification<'a> {
    directory: &'a Path,
    tiles: TileReader,
    bodies: BodyStore,
    /// The tree that the entries give.
    builder: TileBuilder,
    /// The tree that the stored leaf hashes give.
    stored_leaves: Frontier,
    differences: Vec<Difference>,
    /// Tiles that differ from what the entries give.
    tile_problems: Vec<Problem>,
    /// Roots at the sizes of the older checkpoints.
    older_roots: HashMap<u64, TreeHash>,
    report: Report,
}

impl<'a> Verification<'a> {
    fn new(request: &VerifyRequest<'a>, log: &StoredLog) -> Self {
        Self {
            directory: request.directory,
            tiles: log.tiles(),
            bodies: BodyStore::new(request.directory),
            builder: TileBuilder::default(),
            stored_leaves: Frontier::default(),
            differences: Vec::new(),
            tile_problems: Vec::new(),
            older_roots: request
                .older
                .iter()
                .map(|older| (older.size(), TreeHash::from_bytes([0; 32])))
                .collect(),
            report: Report {
                checkpoint: Some(log.checkpoint().clone()),
                entries: 0,
                unpublished: 0,
                problems: Vec::new(),
                warnings: Vec::new(),
            },
        }
    }

    fn run(mut self, request: &VerifyRequest<'_>) -> Report {
        let Some(checkpoint) = self.report.checkpoint.clone() else {
            return self.report;
        };
        self.note_older_root();
        let whole = self.read_bundles(checkpoint.size());
        self.report.entries = self.builder.size();
        if whole {
            self.check_versions_of(self.builder.partials());
            self.attribute(&checkpoint);
        }
        self.check_older(request.older, &checkpoint);
        journal::check(&mut self, request.verifier, &checkpoint);
        self.report
    }

    /// Reads all bundles; false when they end before the checkpoint does.
    fn read_bundles(&mut self, size: u64) -> bool {
        for index in 0..size.div_ceil(TILE_WIDTH) {
            let entries = match self.tiles.bundle(index) {
                Ok(entries) => entries,
                Err(cause) => {
                    let held = self.builder.size();
                    self.report.problems.push(Problem::Truncated {
                        promised: size,
                        held,
                        cause,
                    });
                    return false;
                }
            };
            let stored = self.tiles.tile(0, index).unwrap_or_default();
            self.read_entries(&entries, &stored);
        }
        true
    }

    fn read_entries(&mut self, entries: &[Vec<u8>], stored: &[TreeHash]) {
        let mut full = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let index = self.builder.size();
            let leaf = self.builder.push(entry, &mut full);
            if let Some(&tile) = stored.get(at) {
                self.stored_leaves.push(tile);
                if tile != leaf {
                    self.differences.push(Difference {
                        index,
                        entry: leaf,
                        tile,
                    });
                }
            }
            self.note_older_root();
            self.check_bodies(index, entry);
        }
        self.check_versions_of(full);
    }

    fn note_older_root(&mut self) {
        let size = self.builder.size();
        if let Some(root) = self.older_roots.get_mut(&size) {
            *root = self.builder.root();
        }
    }

    /// Compares every stored version (full and partial) of computed files with what they should be.
    fn check_versions_of(&mut self, files: Vec<TileFile>) {
        for file in files {
            let versions = self.stored_versions(&file);
            if versions.is_empty() {
                self.tile_problems
                    .push(Problem::TileMissing(file.name.path()));
            }
            for (path, content) in versions {
                if let Some(position) = first_difference(&file, &path, &content) {
                    self.tile_problems
                        .push(Problem::TileEdited { path, position });
                }
            }
        }
    }

    fn stored_versions(&self, file: &TileFile) -> Vec<(PathBuf, Vec<u8>)> {
        let partials = file.name.partials();
        let listed = fs::read_dir(self.directory.join(&partials))
            .into_iter()
            .flatten()
            .flatten();
        // Names that are no width are left over from a write that a crash interrupted.
        let widths = listed.filter_map(|file| file.file_name().to_str()?.parse::<u16>().ok());
        let mut paths: Vec<PathBuf> = widths
            .map(|width| partials.join(width.to_string()))
            .collect();
        paths.push(
            crate::tiles::TileName {
                width: 256,
                ..file.name
            }
            .path(),
        );
        let read = |path: PathBuf| {
            let content = read_optional(&self.directory.join(&path)).ok().flatten()?;
            Some((path, content))
        };
        paths.into_iter().filter_map(read).collect()
    }

    /// Says who is wrong: the side that leads to the signed root is right.
    fn attribute(&mut self, checkpoint: &SignedCheckpoint) {
        if self.builder.root() == *checkpoint.root() {
            self.report.problems.append(&mut self.tile_problems);
            return;
        }
        let leaves = &self.stored_leaves;
        if leaves.size() == checkpoint.size() && leaves.root() == *checkpoint.root() {
            self.name_edited_entries();
            return;
        }
        self.report.problems.push(Problem::RootMismatch);
        let disagreements = self.differences.iter().map(|difference| difference.index);
        self.report
            .problems
            .extend(disagreements.map(Problem::Disagreement));
    }

    /// The tiles are right, so each difference is an entry that was edited or moved.
    fn name_edited_entries(&mut self) {
        let recorded: HashMap<TreeHash, u64> = self
            .differences
            .iter()
            .map(|difference| (difference.tile, difference.index))
            .collect();
        for difference in &self.differences {
            self.report
                .problems
                .push(match recorded.get(&difference.entry) {
                    Some(&recorded) => Problem::EntryMoved {
                        recorded,
                        lies_at: difference.index,
                    },
                    None => Problem::EntryEdited(difference.index),
                });
        }
    }

    fn check_older(&mut self, older: &[SignedCheckpoint], checkpoint: &SignedCheckpoint) {
        for older in older {
            let (older_size, size) = (older.size(), checkpoint.size());
            if older_size > size {
                self.report.problems.push(Problem::RolledBack {
                    older: older_size,
                    size,
                });
            } else if self.older_roots.get(&older_size) != Some(older.root()) {
                self.report
                    .problems
                    .push(Problem::Replaced { older: older_size });
            }
        }
    }

    fn check_bodies(&mut self, index: u64, entry: &[u8]) {
        let Ok(value) = serde_json::from_slice(entry) else {
            return;
        };
        for body in named_bodies(&value) {
            match self.bodies.get(&body) {
                Ok(Some(content)) => self.check_group(index, entry, &content),
                Ok(None) => self
                    .report
                    .warnings
                    .push(Warning::BodyMissing { index, body }),
                Err(_) => self
                    .report
                    .problems
                    .push(Problem::BodyEdited { index, body }),
            }
        }
    }

    fn check_group(&mut self, index: u64, entry: &[u8], body: &[u8]) {
        if ReadGroup::parse(entry).is_some_and(|group| !group.matches(body)) {
            self.report.problems.push(Problem::GroupDiffers(index));
        }
    }
}

/// Where a stored version differs from the computed file, up to the narrower of the two; `None` when it
/// does not.
fn first_difference(file: &TileFile, path: &Path, stored: &[u8]) -> Option<u64> {
    let named_width = match path.parent().and_then(Path::extension) {
        Some(extension) if extension == "p" => path.file_name()?.to_str()?.parse().unwrap_or(0),
        _ => 256,
    };
    let (Some(stored), Some(computed)) = (
        split_items(file.name.kind, stored),
        split_items(file.name.kind, &file.content),
    ) else {
        return Some(0);
    };
    let differs = computed
        .iter()
        .zip(&stored)
        .position(|(computed, stored)| computed != stored);
    let wrong_width = (stored.len() != named_width).then_some(stored.len());
    differs.or(wrong_width).map(|position| position as u64)
}

/// The hashes of a tile or the entries of a bundle; `None` when it is malformed.
fn split_items(kind: TileKind, content: &[u8]) -> Option<Vec<Vec<u8>>> {
    match kind {
        TileKind::Entries => split_bundle(content),
        TileKind::Hashes { .. } => content
            .len()
            .is_multiple_of(32)
            .then(|| content.chunks_exact(32).map(<[u8]>::to_vec).collect()),
    }
}

/// The bodies that an entry names: every member `body` whose value has the form of a body's name.
fn named_bodies(value: &serde_json::Value) -> Vec<BodyHash> {
    use serde_json::Value;
    match value {
        Value::Array(items) => items.iter().flat_map(named_bodies).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == "body" => {
                    BodyHash::parse(text).into_iter().collect()
                }
                other => named_bodies(other),
            })
            .collect(),
        _ => Vec::new(),
    }
}
