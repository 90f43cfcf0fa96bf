//! Randomness from the system: ids, nonces, codes.

/// So many random bytes. The system's source failing is a reason to stop, not to go on with less.
///
/// # Errors
/// The system's own words.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("no randomness: {error}"))?;
    Ok(bytes)
}
