//! The file layout of <https://c2sp.org/tlog-tiles>: where each tile and entry bundle lies, how bundles
//! are encoded, and a reader that computes any subtree from stored tiles.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    LedgerError,
    files::{parent_of, read_optional},
    merkle::{Subtrees, TreeHash, root_of_leaves},
};

/// Hashes in a full tile and entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// The largest entry that a bundle can hold: its length is a uint16.
pub const MAX_ENTRY_BYTES: usize = 65_535;
const HASH_BYTES: usize = 32;
/// Levels of the tree that one tile spans.
const TILE_HEIGHT: u8 = 8;

/// Which file of the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes at a tile level; level 0 holds leaf hashes.
    Hashes {
        /// The tile level, 0 to 63.
        level: u8,
    },
    /// The entries themselves.
    Entries,
}

/// The name of one tile or bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileName {
    /// Tile or bundle.
    pub kind: TileKind,
    /// Its index within the level.
    pub index: u64,
    /// How many hashes or entries it holds, 1 to 256; 256 is a full one.
    pub width: u16,
}

impl TileName {
    /// The path below the log's directory, such as `tile/0/x001/234.p/17`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let full = self.full_path();
        if self.is_full() {
            full
        } else {
            partial_directory(&full).join(self.width.to_string())
        }
    }

    /// Whether it holds 256 hashes or entries.
    #[must_use]
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_WIDTH
    }

    /// Where the partial versions of this tile lie.
    pub(crate) fn partials(&self) -> PathBuf {
        partial_directory(&self.full_path())
    }

    fn full_path(&self) -> PathBuf {
        let kind = match self.kind {
            TileKind::Hashes { level } => level.to_string(),
            TileKind::Entries => "entries".to_owned(),
        };
        Path::new("tile").join(kind).join(index_path(self.index))
    }
}

/// An index as `x001/x234/067`.
fn index_path(index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

fn partial_directory(full: &Path) -> PathBuf {
    let mut name = full.as_os_str().to_owned();
    name.push(".p");
    name.into()
}

/// Appends one entry to a bundle. Entries over [`MAX_ENTRY_BYTES`] are refused long before.
pub(crate) fn append_to_bundle(bundle: &mut Vec<u8>, entry: &[u8]) {
    let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry.get(..usize::from(length)).unwrap_or_default());
}

/// Splits a bundle into its entries; `None` when lengths and bytes do not add up.
#[must_use]
pub fn split_bundle(mut bundle: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry.to_vec());
        bundle = rest;
    }
    bundle.is_empty().then_some(entries)
}

/// Splits a tile into its hashes; `None` unless it is a whole number of them.
pub(crate) fn split_tile(tile: &[u8]) -> Option<Vec<TreeHash>> {
    tile.len().is_multiple_of(HASH_BYTES).then(|| {
        tile.chunks_exact(HASH_BYTES)
            .filter_map(TreeHash::from_slice)
            .collect()
    })
}

/// How many hashes the tile at `level` and `index` has in a tree of `size`.
pub(crate) fn width_in_tree(level: u8, index: u64, size: u64) -> u16 {
    let at_level = size
        .checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))
        .unwrap_or(0);
    let width = at_level
        .saturating_sub(index.saturating_mul(TILE_WIDTH))
        .min(TILE_WIDTH);
    u16::try_from(width).unwrap_or(256)
}

/// Reads tiles and bundles of one log, for a tree of a fixed size.
#[derive(Debug)]
pub struct TileReader {
    directory: PathBuf,
    size: u64,
    cache: RefCell<HashMap<(u8, u64), Vec<TreeHash>>>,
}

impl TileReader {
    /// A reader of the tree of `size` in `directory` (the one that holds `checkpoint`).
    #[must_use]
    pub fn new(directory: &Path, size: u64) -> Self {
        Self {
            directory: directory.to_owned(),
            size,
            cache: RefCell::default(),
        }
    }

    /// The entries of a bundle that belong to the tree.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when the bundle is missing, too short or badly encoded.
    pub fn bundle(&self, index: u64) -> Result<Vec<Vec<u8>>, LedgerError> {
        let width = width_in_tree(0, index, self.size);
        let name = TileName {
            kind: TileKind::Entries,
            index,
            width,
        };
        let mut entries = split_bundle(&self.load(&name)?)
            .ok_or_else(|| malformed(&name.path(), "the lengths of its entries do not add up"))?;
        if entries.len() < usize::from(width) {
            return Err(malformed(&name.path(), "it has too few entries"));
        }
        entries.truncate(usize::from(width));
        Ok(entries)
    }

    /// The hashes of a tile that belong to the tree.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when the tile is missing or too short.
    pub fn tile(&self, level: u8, index: u64) -> Result<Vec<TreeHash>, LedgerError> {
        let width = width_in_tree(level, index, self.size);
        let name = TileName {
            kind: TileKind::Hashes { level },
            index,
            width,
        };
        if width == 0 {
            return Ok(Vec::new());
        }
        let mut hashes = split_tile(&self.load(&name)?)
            .ok_or_else(|| malformed(&name.path(), "it is not a whole number of hashes"))?;
        if hashes.len() < usize::from(width) {
            return Err(malformed(&name.path(), "it has too few hashes"));
        }
        hashes.truncate(usize::from(width));
        Ok(hashes)
    }

    /// The file itself, or a wider version of it: tiles only ever grow to the right.
    fn load(&self, name: &TileName) -> Result<Vec<u8>, LedgerError> {
        let exact = self.directory.join(name.path());
        if let Some(content) = read_optional(&exact)? {
            return Ok(content);
        }
        for wider in self.wider_versions(name) {
            if let Some(content) = read_optional(&wider)? {
                return Ok(content);
            }
        }
        Err(malformed(&exact, "it is missing"))
    }

    fn wider_versions(&self, name: &TileName) -> Vec<PathBuf> {
        let full = self.directory.join(
            TileName {
                width: 256,
                ..*name
            }
            .path(),
        );
        let partials = self.directory.join(name.partials());
        let widths = fs::read_dir(&partials).into_iter().flatten().flatten();
        let mut widths: Vec<u16> = widths
            .filter_map(|file| file.file_name().to_str()?.parse().ok())
            .filter(|&width| width > name.width)
            .collect();
        widths.sort_unstable();
        let partial = widths.iter().map(|width| partials.join(width.to_string()));
        partial.chain([full]).collect()
    }

    fn cached(&self, level: u8, index: u64) -> Result<Vec<TreeHash>, LedgerError> {
        if let Some(hashes) = self.cache.borrow().get(&(level, index)) {
            return Ok(hashes.clone());
        }
        let hashes = self.tile(level, index)?;
        self.cache
            .borrow_mut()
            .insert((level, index), hashes.clone());
        Ok(hashes)
    }
}

impl Subtrees for TileReader {
    fn subtree(&self, level: u8, index: u64) -> Result<TreeHash, LedgerError> {
        let outside = || LedgerError::OutOfRange {
            asked: index,
            size: self.size,
        };
        let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let first = index.checked_shl(u32::from(height)).ok_or_else(outside)?;
        let hashes = self.cached(tile_level, first / TILE_WIDTH)?;
        let start = usize::try_from(first % TILE_WIDTH).unwrap_or(usize::MAX);
        let end = start.saturating_add(1 << height);
        let part = hashes.get(start..end).ok_or_else(outside)?;
        Ok(root_of_leaves(part.iter().copied()))
    }
}

pub(crate) fn malformed(path: &Path, what: &'static str) -> LedgerError {
    LedgerError::Malformed {
        path: path.display().to_string(),
        what,
    }
}

/// Removes the partial versions of a tile that is full now.
pub(crate) fn remove_partials(directory: &Path, name: &TileName) {
    // Failing to remove them is harmless: they are still true.
    let _ = fs::remove_dir_all(directory.join(name.partials()));
    debug_assert!(parent_of(&name.path()).starts_with("tile"));
}
