//! What a process said, kept whole.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Lines in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Said {
    /// Keeps what comes out of `output`, on a thread of its own, until it is closed.
    pub(crate) fn listen(self: &Arc<Self>, output: impl Read + Send + 'static) {
        let said = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                said.lines
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
                said.more.notify_all();
            }
        });
    }

    /// The last line with `wanted` in it, as soon as there is one.
    pub(crate) fn wait_for(&self, wanted: &str, patience: Duration) -> anyhow::Result<String> {
        let has = |lines: &mut Vec<String>| !lines.iter().any(|line| line.contains(wanted));
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines, _) = self
            .more
            .wait_timeout_while(lines, patience, has)
            .unwrap_or_else(PoisonError::into_inner);
        let found = lines.iter().rev().find(|line| line.contains(wanted));
        match found {
            Some(line) => Ok(line.clone()),
            None => bail!("it never said `{wanted}`; it said: {}", lines.join("\n")),
        }
    }

    /// All of it.
    pub(crate) fn all(&self) -> String {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .join("\n")
    }
}

/// The first line of `output`.
pub(crate) fn first_line(output: impl Read) -> anyhow::Result<String> {
    let line = BufReader::new(output).lines().next();
    line.context("it said nothing")?.context("it said nothing")
}
