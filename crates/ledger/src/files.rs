//! File operations that survive a crash at any moment.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use crate::{LedgerError, error::io_error};

/// Whether a write must be on the disk before it is visible under its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    Now,
    Later,
}

/// Replaces a file as a whole: readers see the old or the new content, never a mixture. With
/// [`Sync::Now`] content and name are durable on return.
pub(crate) fn replace(path: &Path, content: &[u8], sync: Sync) -> Result<(), LedgerError> {
    let parent = parent_of(path);
    fs::create_dir_all(parent).map_err(io_error("create directory", parent))?;
    let temporary = path.with_extension("tmp");
    write_new(&temporary, content, sync).map_err(io_error("write", &temporary))?;
    fs::rename(&temporary, path).map_err(io_error("rename into", path))?;
    if sync == Sync::Now {
        sync_directory(parent)
    } else {
        Ok(())
    }
}

pub(crate) fn write_new(path: &Path, content: &[u8], sync: Sync) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    if sync == Sync::Now {
        file.sync_all()
    } else {
        Ok(())
    }
}

/// Makes names created, renamed or removed in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), LedgerError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(io_error("sync directory", path))
}

/// Makes a file's content durable; one that has been removed since needs nothing.
pub(crate) fn sync_file(path: &Path) -> Result<(), LedgerError> {
    match File::open(path).and_then(|file| file.sync_all()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(io_error("sync", path)),
    }
}

/// A file's content, or `None` when there is no such file.
pub(crate) fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}
