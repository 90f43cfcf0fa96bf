//! A small disk of its own for a gateway: a tmpfs that only a private mount namespace sees.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};

use crate::said::first_line;

/// A mount namespace, held open by a process that sleeps in it. The disk goes with it.
#[derive(Debug)]
pub struct Namespace {
    holder: Child,
    /// Whether it takes a user namespace as well, because we are not root.
    mapped: bool,
}

impl Namespace {
    /// Mounts a disk of `mib` mebibytes at `folder`.
    ///
    /// # Errors
    /// When this system lets us mount nothing: then a full disk can't be shown here.
    pub fn with_disk(folder: &Path, mib: u64) -> anyhow::Result<Self> {
        let mount = format!(
            "mount -t tmpfs -o size={mib}m,mode=700 tmpfs '{}' && echo mounted && exec sleep infinity",
            folder.display()
        );
        let mut said = Vec::new();
        for (flags, mapped) in [("-m", false), ("-rm", true)] {
            let mut holder = Command::new("unshare")
                .args([flags, "--propagation", "private", "sh", "-c", &mount])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .context("`unshare` (package util-linux) is needed for a disk that fills up")?;
            let output = holder.stdout.take().context("no output")?;
            match first_line(output) {
                Ok(line) if line == "mounted" => return Ok(Self { holder, mapped }),
                other => said.push(format!("unshare {flags}: {other:?}")),
            }
            holder.wait()?;
        }
        bail!(
            "no tmpfs can be mounted, so a full disk can't be tested; run the tests as root or where user namespaces are allowed ({})",
            said.join("; ")
        )
    }

    /// A command that runs in it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if self.mapped {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.args(["--", program]);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The disk is gone as soon as nobody is left in the namespace.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
