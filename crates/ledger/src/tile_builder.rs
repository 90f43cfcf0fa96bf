//! Turns a stream of entries into the files of the tile layout. Pure: it computes files, others write
//! them. The publisher and the verifier share it, so that what is checked is what would be written.

use crate::{
    LedgerError,
    merkle::{Frontier, TreeHash, leaf_hash, root_of_leaves},
    tiles::{TILE_WIDTH, TileKind, TileName, TileReader, append_to_bundle, width_in_tree},
};

/// A tile or bundle with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TileFile {
    pub(crate) name: TileName,
    pub(crate) content: Vec<u8>,
}

/// The right edge of the layout.
#[derive(Debug, Default)]
pub(crate) struct TileBuilder {
    frontier: Frontier,
    /// The unfinished bundle, encoded.
    bundle: Vec<u8>,
    /// The unfinished tile of each level.
    levels: Vec<Vec<TreeHash>>,
}

impl TileBuilder {
    /// Picks up at the tree of `size` from what was written before.
    pub(crate) fn restore(size: u64, stored: &TileReader) -> Result<Self, LedgerError> {
        let mut builder = Self {
            frontier: Frontier::restore(size, stored)?,
            ..Self::default()
        };
        for level in 0..8u8 {
            let index = size >> (8 * u32::from(level)) >> 8;
            builder
                .levels
                .push(match width_in_tree(level, index, size) {
                    0 => Vec::new(),
                    _ => stored.tile(level, index)?,
                });
        }
        if !size.is_multiple_of(TILE_WIDTH) {
            let entries = stored.bundle(size / TILE_WIDTH)?;
            entries
                .iter()
                .for_each(|entry| append_to_bundle(&mut builder.bundle, entry));
        }
        Ok(builder)
    }

    pub(crate) const fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> TreeHash {
        self.frontier.root()
    }

    /// Appends an entry; files that became full are added to `full`.
    pub(crate) fn push(&mut self, entry: &[u8], full: &mut Vec<TileFile>) -> TreeHash {
        let leaf = leaf_hash(entry);
        append_to_bundle(&mut self.bundle, entry);
        self.frontier.push(leaf);
        if self.size().is_multiple_of(TILE_WIDTH) {
            let index = self.size() / TILE_WIDTH - 1;
            let name = TileName {
                kind: TileKind::Entries,
                index,
                width: 256,
            };
            full.push(TileFile {
                name,
                content: std::mem::take(&mut self.bundle),
            });
        }
        self.push_hash(0, leaf, full);
        leaf
    }

    /// Adds a hash at a tile level; a tile that is full becomes a hash of the level above.
    fn push_hash(&mut self, level: u8, hash: TreeHash, full: &mut Vec<TileFile>) {
        if self.levels.len() <= usize::from(level) {
            self.levels.resize(usize::from(level) + 1, Vec::new());
        }
        let Some(tile) = self.levels.get_mut(usize::from(level)) else {
            return;
        };
        tile.push(hash);
        if tile.len() < 256 {
            return;
        }
        let hashes = std::mem::take(tile);
        let index = (self.size() >> (8 * (u32::from(level) + 1))) - 1;
        let name = TileName {
            kind: TileKind::Hashes { level },
            index,
            width: 256,
        };
        full.push(TileFile {
            name,
            content: encode_tile(&hashes),
        });
        self.push_hash(level + 1, root_of_leaves(hashes), full);
    }

    /// The partial files that a checkpoint of the present size needs.
    pub(crate) fn partials(&self) -> Vec<TileFile> {
        let mut files = Vec::new();
        let width = width_in_tree(0, self.size() / TILE_WIDTH, self.size());
        if width > 0 {
            let name = TileName {
                kind: TileKind::Entries,
                index: self.size() / TILE_WIDTH,
                width,
            };
            files.push(TileFile {
                name,
                content: self.bundle.clone(),
            });
        }
        for (level, hashes) in (0u8..).zip(&self.levels) {
            let index = self.size() >> (8 * u32::from(level)) >> 8;
            let width = width_in_tree(level, index, self.size());
            if width > 0 {
                let name = TileName {
                    kind: TileKind::Hashes { level },
                    index,
                    width,
                };
                files.push(TileFile {
                    name,
                    content: encode_tile(hashes),
                });
            }
        }
        files
    }
}

fn encode_tile(hashes: &[TreeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
