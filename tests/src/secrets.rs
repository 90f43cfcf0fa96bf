//! Where a secret stands that should stand nowhere.

use std::fs;
use std::path::Path;

/// The first of `needles` that is in `bytes`. They are ASCII, so bytes that are no text do not matter.
#[must_use]
pub fn holds_any<'n>(bytes: &[u8], needles: &'n [String]) -> Option<&'n str> {
    // The standard library's own search is fast in test builds as well.
    let text = String::from_utf8_lossy(bytes);
    let is_in = |needle: &&String| text.contains(needle.as_str());
    needles.iter().find(is_in).map(String::as_str)
}

/// The paths of the files below `folder` that hold any of `needles`; `but` is left out.
///
/// # Errors
/// When a file can't be read that does not go away meanwhile.
pub fn in_files(folder: &Path, but: &Path, needles: &[String]) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    // What goes away while we look is not there, except the folder that we were asked about.
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if path == but {
            continue;
        }
        if kind.is_dir() {
            match in_files(&path, but, needles) {
                Ok(deeper) => found.extend(deeper),
                Err(_) if !path.exists() => {}
                Err(error) => return Err(error),
            }
        } else if kind.is_file() {
            // A journal may be renamed between the look at the folder and the look into the file.
            let bytes = fs::read(&path).unwrap_or_default();
            if holds_any(&bytes, needles).is_some() {
                found.push(path.display().to_string());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a").join("b");
        fs::create_dir_all(&deep).unwrap();
        let left_out = folder.path().join("key");
        let needles = ["5f0f4d1e".to_owned()];
        let hidden = b"\xff\0before5f0f4d1eafter\0\xfe";
        fs::write(&left_out, hidden).unwrap();
        let found = |folder: &Path| in_files(folder, &left_out, &needles).unwrap();
        assert_eq!(found(folder.path()), Vec::<String>::new());
        fs::write(deep.join("journal"), hidden).unwrap();
        assert_eq!(found(folder.path()).len(), 1);
        assert_eq!(holds_any(hidden, &needles), Some("5f0f4d1e"));
        assert_eq!(holds_any(b"5f0f4d1", &needles), None);
    }
}
