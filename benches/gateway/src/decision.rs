//! The time of one decision, as the example of `tagout-policy` measures it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::Serialize;

/// So many policies the bar is set for.
const POLICIES: &str = "2000";

/// One line of that example's output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Decision {
    pub(crate) what: String,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Runs the example and reads its lines for two thousand policies.
pub(crate) fn measure(program: &Path) -> anyhow::Result<Vec<Decision>> {
    let output = Command::new(program).output();
    let output = output.with_context(|| program.display().to_string())?;
    let text = String::from_utf8(output.stdout)?;
    let decisions: Vec<_> = text.lines().filter_map(read).collect();
    if decisions.is_empty() {
        bail!("no line for {POLICIES} policies in:\n{text}");
    }
    Ok(decisions)
}

fn read(line: &str) -> Option<Decision> {
    let rest = line.strip_prefix(POLICIES)?.trim();
    let (rest, p99_us) = rest.rsplit_once(' ')?;
    let (what, p50_us) = rest.trim_end().rsplit_once(' ')?;
    Some(Decision {
        what: what.trim().to_owned(),
        p50_us: p50_us.parse().ok()?,
        p99_us: p99_us.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let line = "2000      first rung: a read           9.1      17.3";
        let expected = Decision {
            what: "first rung: a read".to_owned(),
            p50_us: 9.1,
            p99_us: 17.3,
        };
        assert_eq!(read(line), Some(expected));
        assert_eq!(read("200       longest ladder   1.0   2.0"), None);
    }
}
