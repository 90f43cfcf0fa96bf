//! Bodies beside the log: what is too large or too private for a leaf lies here under its SHA-256, and
//! the leaf names the hash. A body can be deleted, by expiry or on request, and the log stays whole.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use sha2::{Digest, Sha256};

use crate::{
    LedgerError,
    error::io_error,
    files::{Sync, parent_of, read_optional, sync_directory, write_new},
    journal::lock,
};

/// The name of a body. In a leaf it is written `sha256:` and 64 hexadecimal digits, under a member
/// called `body`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyHash([u8; 32]);

impl BodyHash {
    /// The name of these bytes.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }

    /// Parses `sha256:` and 64 lower-case hexadecimal digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?;
        let hash: [u8; 32] = hex::decode(digits).ok()?.try_into().ok()?;
        (hex::encode(hash) == digits).then_some(Self(hash))
    }

    /// `bodies/ab/cdef…` below the log's directory.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let digits = hex::encode(self.0);
        let (first, rest) = digits.split_at(2);
        Path::new("bodies").join(first).join(rest)
    }
}

impl fmt::Display for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

/// The bodies of one log.
#[derive(Debug)]
pub struct BodyStore {
    directory: PathBuf,
    /// Keeps the temporary names of concurrent writers apart.
    writes: AtomicU64,
    /// Directories whose names this process has synced.
    durable_directories: Mutex<BTreeSet<PathBuf>>,
}

impl BodyStore {
    /// The bodies below a log's directory, which need not exist yet.
    #[must_use]
    pub fn new(log_directory: &Path) -> Self {
        Self {
            directory: log_directory.to_owned(),
            writes: AtomicU64::new(0),
            durable_directories: Mutex::default(),
        }
    }

    /// Stores a body. On return content and name are durable, so a leaf may name it.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn put(&self, body: &[u8]) -> Result<BodyHash, LedgerError> {
        let hash = BodyHash::of(body);
        let path = self.directory.join(hash.path());
        let parent = parent_of(&path);
        self.make_durable_directory(parent)?;
        if read_optional(&path)?.is_some_and(|stored| stored == body) {
            crate::files::sync_file(&path)?;
            sync_directory(parent)?;
            return Ok(hash);
        }
        self.write(&path, body, Sync::Now)?;
        sync_directory(parent)?;
        Ok(hash)
    }

    /// Lays down a body that the journal keeps as well, until [`BodyStore::sync`] has made it durable.
    pub(crate) fn lay_down(&self, body: &[u8]) -> Result<(), LedgerError> {
        let path = self.directory.join(BodyHash::of(body).path());
        if read_optional(&path)?.is_some_and(|stored| stored == body) {
            return Ok(());
        }
        let parent = parent_of(&path);
        fs::create_dir_all(parent).map_err(io_error("create directory", parent))?;
        self.write(&path, body, Sync::Later)
    }

    /// Makes everything durable that was laid down. One sync of the whole file system costs less than one
    /// for each file, of which most have long been written.
    pub(crate) fn sync(&self) -> Result<(), LedgerError> {
        let synced =
            fs::File::open(&self.directory).and_then(|file| Ok(rustix::fs::syncfs(&file)?));
        synced.map_err(io_error("sync the file system of", &self.directory))
    }

    fn write(&self, path: &Path, body: &[u8], sync: Sync) -> Result<(), LedgerError> {
        let turn = self.writes.fetch_add(1, Ordering::Relaxed);
        let temporary = self.unfinished().join(format!("{turn}"));
        fs::create_dir_all(self.unfinished())
            .map_err(io_error("create directory", &self.unfinished()))?;
        if let Err(error) = write_new(&temporary, body, sync) {
            // A full disk is why this usually fails; give back what was taken.
            let _ = fs::remove_file(&temporary);
            return Err(io_error("write", &temporary)(error));
        }
        fs::rename(&temporary, path).map_err(io_error("rename into", path))
    }

    /// Where bodies lie until they are whole.
    fn unfinished(&self) -> PathBuf {
        self.directory.join("bodies").join("unfinished")
    }

    /// Removes what a crash left behind. Only for the one process that has the ledger open.
    pub(crate) fn remove_unfinished(&self) {
        // What cannot be removed only takes up room.
        let _ = fs::remove_dir_all(self.unfinished());
    }

    /// Makes a directory for bodies, durably, unless this process has done so already.
    fn make_durable_directory(&self, path: &Path) -> Result<(), LedgerError> {
        let mut durable = lock(&self.durable_directories);
        if durable.contains(path) {
            return Ok(());
        }
        fs::create_dir_all(path).map_err(io_error("create directory", path))?;
        sync_directory(parent_of(path))?;
        sync_directory(&self.directory)?;
        durable.insert(path.to_owned());
        Ok(())
    }

    /// A body, or `None` when it has been deleted or never was.
    ///
    /// # Errors
    /// [`LedgerError::BodyEdited`] when the content does not hash to its name; [`LedgerError::Io`].
    pub fn get(&self, hash: &BodyHash) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(body) = read_optional(&self.directory.join(hash.path()))? else {
            return Ok(None);
        };
        if BodyHash::of(&body) != *hash {
            return Err(LedgerError::BodyEdited(hash.to_string()));
        }
        Ok(Some(body))
    }

    /// Deletes a body; one that is not there is fine. One that came with its entry is in the journal too,
    /// until that segment is full and its entries are published; a start before that lays it down again.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn delete(&self, hash: &BodyHash) -> Result<(), LedgerError> {
        let path = self.directory.join(hash.path());
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(io_error("delete", &path))?,
        }
        sync_directory(parent_of(&path))
    }
}
