//! The installation's key: made once, kept away from the data, read by reference.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use tagout_engine::{InstallationKey, read_reference};

/// Where `init` puts a new key: `$XDG_CONFIG_HOME/tagout/`, else `~/.config/tagout/`.
pub(crate) fn default_path() -> anyhow::Result<PathBuf> {
    let base = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let base = base
        .or_else(home)
        .ok_or_else(|| anyhow!("neither `XDG_CONFIG_HOME` nor `HOME` is set; give `--key-file`"))?;
    Ok(base.join("tagout").join("installation.key"))
}

/// Makes a new key, readable by its owner only. Never overwrites one.
pub(crate) fn create(path: &Path) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("can't create `{}`", parent.display()))?;
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| anyhow!("no randomness: {error}"))?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file =
        file.with_context(|| format!("can't create the key file `{}`", path.display()))?;
    writeln!(file, "{}", hex::encode(key))?;
    file.sync_all()?;
    Ok(())
}

/// Reads the key that a reference points at.
pub(crate) fn read(reference: &str) -> anyhow::Result<InstallationKey> {
    if let Some(path) = reference.strip_prefix("file:") {
        refuse_readable_by_others(Path::new(path))?;
    }
    let text = read_reference(reference).map_err(|why| anyhow!("the installation's key: {why}"))?;
    let mut key = [0; 32];
    hex::decode_to_slice(text.as_slice(), &mut key).map_err(|_| {
        anyhow!("the installation's key is not 64 hexadecimal digits; `tagout init` makes one")
    })?;
    Ok(InstallationKey::new(key))
}

fn refuse_readable_by_others(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path)
        .with_context(|| format!("can't read the installation's key `{}`", path.display()))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        bail!(
            "the key file `{}` can be read by others; run `chmod 600` on it",
            path.display()
        );
    }
    Ok(())
}
