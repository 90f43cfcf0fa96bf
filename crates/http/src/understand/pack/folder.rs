//! A pack of the user's own, from a folder. Read once at the start; nothing else here touches files.

use std::collections::BTreeMap;
use std::path::Path;

use super::{PackError, PackText};

impl PackText {
    /// Reads all files of a folder; the pack is called as the folder is in messages.
    ///
    /// # Errors
    /// [`PackError::Folder`] if the folder or one of its files can't be read as text.
    pub fn read_folder(folder: &Path) -> Result<Self, PackError> {
        let name = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let files = files(folder).map_err(|error| PackError::Folder {
            folder: folder.display().to_string(),
            why: error.to_string(),
        });
        Ok(Self {
            name: name.unwrap_or_default(),
            files: files?,
        })
    }
}

fn files(folder: &Path) -> std::io::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, std::fs::read_to_string(entry.path())?);
    }
    Ok(files)
}
