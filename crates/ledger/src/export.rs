//! Export as JSON lines, one entry a line, with what it takes to find it again in the log. Shaping for
//! other formats is done elsewhere.

use std::io::Write;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{LedgerError, error::io_error, merkle::leaf_hash};

/// One entry as a JSON object: `index`, `leaf_hash` and `entry`, or `entry_base64` when the entry is not
/// JSON.
#[must_use]
pub fn exported(index: u64, entry: &[u8]) -> Value {
    let leaf = leaf_hash(entry).to_string();
    match serde_json::from_slice::<Value>(entry) {
        Ok(entry) => json!({"index": index, "leaf_hash": leaf, "entry": entry}),
        Err(_) => {
            json!({"index": index, "leaf_hash": leaf, "entry_base64": STANDARD.encode(entry)})
        }
    }
}

/// Writes entries as JSON lines; gives how many.
///
/// # Errors
/// The first error of the entries, or [`LedgerError::Io`] of the output.
pub fn export(
    entries: impl IntoIterator<Item = Result<(u64, Vec<u8>), LedgerError>>,
    output: &mut impl Write,
) -> Result<u64, LedgerError> {
    let mut count = 0;
    for entry in entries {
        let (index, entry) = entry?;
        writeln!(output, "{}", exported(index, &entry))
            .map_err(io_error("write", std::path::Path::new("the export")))?;
        count += 1;
    }
    Ok(count)
}
