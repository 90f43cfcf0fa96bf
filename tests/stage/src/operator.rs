//! What an operator does with the command line of a gateway.

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use crate::gateway::Gateway;
use crate::person::Person;
use crate::web::Web;

/// How long the record may take to be published on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A header that no test of an agent uses; what comes in it marks a place in the ledger.
const MARKER: &str = "cf-access-client-secret";

impl Gateway {
    /// Runs `tagout` with this gateway's configuration.
    ///
    /// # Errors
    /// When the program can't be run.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = self.beside(&self.program.display().to_string());
        command
            .arg("--config")
            .arg(self.config())
            .args(arguments)
            .stdin(Stdio::null());
        command.output().with_context(|| {
            format!(
                "can't run `{}`; build it with `cargo build -p tagout`",
                self.program.display()
            )
        })
    }

    /// What a command says on standard output, if it succeeds.
    ///
    /// # Errors
    /// With what it says on standard error otherwise.
    pub fn says(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments)?;
        if !output.status.success() {
            bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs a command that proposes something, and lets the person accept it.
    ///
    /// # Errors
    /// When either fails.
    pub fn accepted(&self, person: &mut Person, arguments: &[&str]) -> anyhow::Result<()> {
        let link = self.says(arguments)?;
        let proposal = link.rsplit('/').next().unwrap_or_default();
        person.accept(proposal)?;
        Ok(())
    }

    /// A new connection with standing rights, or those of a JSON file; gives its id and its token.
    ///
    /// # Errors
    /// When any step fails.
    pub fn connect(
        &self,
        person: &mut Person,
        rights: Option<&str>,
    ) -> anyhow::Result<(String, String)> {
        let mut arguments = vec![
            "connection",
            "add",
            "--agent",
            "cursor",
            "--workspace",
            "booking-app",
        ];
        let file = self.folder().join("rights.json");
        let path = file.display().to_string();
        if let Some(rights) = rights {
            std::fs::write(&file, rights)?;
            arguments.extend(["--rights", &path]);
        }
        let before = self.connections()?;
        self.accepted(person, &arguments)?;
        let after = self.connections()?;
        let new = after.into_iter().find(|id| !before.contains(id));
        let id = new.ok_or_else(|| anyhow!("no new connection"))?;
        let token = self.says(&["connection", "token", &id])?;
        Ok((id, token))
    }

    fn connections(&self) -> anyhow::Result<Vec<String>> {
        let lines = self.says(&["connection", "list", "--json"])?;
        let id = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap_or_default();
            value
                .pointer("/id")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        Ok(lines.lines().filter_map(id).collect())
    }

    /// Every entry of the ledger, oldest first. Of a running gateway also what it wrote up to now: a
    /// refusal that nothing else causes marks the place, and its entry is waited for.
    ///
    /// # Errors
    /// When the ledger can't be read, or the marker is not published in time.
    pub fn ledger(&self) -> anyhow::Result<Vec<Value>> {
        if !self.is_running() {
            return self.published();
        }
        let marked = |entries: &[Value]| {
            let place = format!("header {MARKER}");
            let mark = |entry: &&Value| entry.pointer("/place").is_some_and(|at| *at == place);
            entries.iter().filter(mark).count()
        };
        let before = self.marks.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let address = self.agents().replace("http://", "");
        let web = Web {
            host: "backboard.railway.com".to_owned(),
            address,
        };
        web.send("GET", "/", &[(MARKER, "not a credential")], "")?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let entries = self.published()?;
            if marked(&entries) > before {
                return Ok(entries);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the ledger is not published")
    }

    /// The entries that are published in a checkpoint.
    fn published(&self) -> anyhow::Result<Vec<Value>> {
        let lines = self.says(&["ledger", "export"])?;
        let entry = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap_or_default();
            value.pointer("/entry").cloned().unwrap_or_default()
        };
        Ok(lines.lines().map(entry).collect())
    }

    /// Stops everything.
    ///
    /// # Errors
    /// What the command says.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.says(&["freeze", "the test says so"]).map(|_| ())
    }
}
