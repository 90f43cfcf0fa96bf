//! A second opinion: the same requests by `wrk`, for the rows that it can reach.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde::Serialize;

use crate::load::Way;
use crate::targets::Target;

/// What `wrk` says of one row at sixteen connections.
#[derive(Debug, Serialize)]
pub(crate) struct Opinion {
    pub(crate) name: String,
    pub(crate) requests_per_s: f64,
}

/// Asks it; `None` for a row behind a tunnel, which it can't open.
pub(crate) fn ask(folder: &Path, target: &Target, seconds: f64) -> anyhow::Result<Option<Opinion>> {
    let Way::Straight(port) = target.load.way else {
        return Ok(None);
    };
    let script = folder.join("wrk.lua");
    std::fs::write(&script, script_of(target.load.request.clone().numbered(0)))?;
    let output = Command::new("wrk")
        .args(["-t1", "-c16", &format!("-d{}s", seconds.ceil())])
        .arg("-s")
        .arg(&script)
        .arg(format!("https://localhost:{port}/"))
        .output()
        .context("wrk does not start")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failed = text.contains("Non-2xx") || text.contains("Socket errors");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    let rate = line.and_then(|rate| rate.trim().parse().ok());
    Ok(rate.filter(|_| !failed).map(|requests_per_s| Opinion {
        name: target.name.clone(),
        requests_per_s,
    }))
}

/// A script whose every request is these bytes.
fn script_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let quoted: String = text
        .chars()
        .map(|each| match each {
            '\r' => "\\r".to_owned(),
            '\n' => "\\n".to_owned(),
            '"' | '\\' => format!("\\{each}"),
            _ => each.to_string(),
        })
        .collect();
    format!("local whole = \"{quoted}\"\nrequest = function() return whole end\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_quote() {
        let script = script_of(b"a\r\n{\"b\":\"\\\"}");
        assert!(
            script.starts_with(r#"local whole = "a\r\n{\"b\":\"\\\"}""#),
            "{script}"
        );
    }
}
