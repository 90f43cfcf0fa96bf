//! The evidence that every test looks at: what changed upstream, what arrived there, what the record
//! says, what the agent was told, and where the credentials are.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tagout_stage::{Agent, App, Heard};

use crate::scene::Scene;
use crate::secrets::{holds_any, in_files};

/// What was there before.
#[derive(Debug)]
pub struct Before {
    digest: String,
    inventory: Value,
    mutations: usize,
}

/// What people approved, or policy allowed: exactly this happened upstream.
#[derive(Clone, Debug, Default)]
pub struct Approved<'a> {
    /// The mutations that arrived, in order.
    pub mutations: &'a [&'a str],
    /// The rows that changed, as `table/id`.
    pub changed: &'a [String],
}

/// Nothing arrived and nothing changed.
pub const NOTHING: Approved<'static> = Approved {
    mutations: &[],
    changed: &[],
};

/// An answer of the gateway's, and what the record must say of it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What the agent heard.
    pub heard: &'a Heard,
    /// `HELD` or `DENIED`.
    pub code: &'a str,
    /// A resource that the record names; empty where the request was not even understood.
    pub resource: &'a str,
    /// The environment that it was found in; empty where that depends on how much the gateway may ask.
    pub environment: &'a str,
}

impl Scene {
    /// What is there now.
    ///
    /// # Errors
    /// When the stand-in's inventory is not JSON.
    pub fn before(&self) -> anyhow::Result<Before> {
        let state = self.railway.state();
        Ok(Before {
            digest: state.digest(),
            inventory: serde_json::from_str(&state.inventory())?,
            mutations: self.railway.mutations().len(),
        })
    }

    /// All the evidence at once.
    ///
    /// # Errors
    /// With what is not as it should be.
    pub fn evidence(
        &self,
        before: &Before,
        told: &[Told<'_>],
        approved: &Approved<'_>,
        agents: &[&Agent],
    ) -> anyhow::Result<()> {
        self.upstream_saw_only(before, approved)?;
        let ledger = self.sound_ledger()?;
        for told in told {
            told.is_readable()?;
            told.is_in(&ledger)?;
        }
        self.credentials_are_nowhere(agents)
    }

    fn upstream_saw_only(&self, before: &Before, approved: &Approved<'_>) -> anyhow::Result<()> {
        let mutations = self.railway.mutations();
        let new = mutations.get(before.mutations..).unwrap_or_default();
        ensure!(
            new == approved.mutations,
            "upstream got {new:?} and not {:?}",
            approved.mutations
        );
        let state = self.railway.state();
        let changed = changed_rows(
            &before.inventory,
            &serde_json::from_str(&state.inventory())?,
        );
        let expected: BTreeSet<String> = approved.changed.iter().cloned().collect();
        ensure!(changed == expected, "{changed:?} changed, not {expected:?}");
        if approved.changed.is_empty() && approved.mutations.is_empty() {
            ensure!(state.digest() == before.digest, "the digest changed");
        }
        Ok(())
    }

    /// Every entry, once the log is verified.
    ///
    /// # Errors
    /// When it is not sound, or can't be read.
    pub fn sound_ledger(&self) -> anyhow::Result<Vec<Value>> {
        let ledger = self.gateway.ledger()?;
        let said = self.gateway.says(&["ledger", "verify", "--json"])?;
        let report: Value = serde_json::from_str(&said)?;
        let sound = report.pointer("/sound") == Some(&Value::Bool(true));
        ensure!(sound, "the ledger is not sound: {report}");
        Ok(ledger)
    }

    /// The upstreams' credentials and the installation's key are in no byte that agents can read, no
    /// file of the data folder, no log and no command line; and no secret of the upstream's reached an
    /// agent.
    ///
    /// # Errors
    /// With the place where one is.
    pub fn credentials_are_nowhere(&self, agents: &[&Agent]) -> anyhow::Result<()> {
        let needles = self.credentials()?;
        let secrets: Vec<_> = standin_railway::seed::SECRETS
            .iter()
            .map(ToString::to_string)
            .chain(needles.clone())
            .collect();
        for agent in agents {
            agent.run("env", &[], b"")?;
            if let Some(found) = holds_any(&agent.transcript.bytes(), &secrets) {
                bail!("an agent read `{found}`");
            }
        }
        let files = in_files(self.gateway.folder(), &self.gateway.key_file(), &needles)?;
        ensure!(files.is_empty(), "credentials are in {files:?}");
        let exported = self.gateway.says(&["ledger", "export"])?;
        for (place, text) in [("log", self.gateway.said()), ("export", exported)] {
            ensure!(
                holds_any(text.as_bytes(), &needles).is_none(),
                "a credential is in the {place}"
            );
        }
        for pid in self.gateway.pids() {
            // One that has ended meanwhile has no command line any more.
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            ensure!(
                holds_any(&line, &needles).is_none(),
                "a credential is on the command line of {pid}"
            );
        }
        Ok(())
    }

    fn credentials(&self) -> anyhow::Result<Vec<String>> {
        let key = fs::read_to_string(self.gateway.key_file()).context("the key file")?;
        ensure!(key.trim().len() >= 32, "the key file holds no key");
        let credential = standin_railway::seed::ACCOUNT_TOKEN;
        Ok([key.trim(), credential, App::KEY]
            .map(str::to_owned)
            .to_vec())
    }
}

impl Told<'_> {
    /// A program can tell what happened, and so can a person who sees the first line only.
    fn is_readable(&self) -> anyhow::Result<()> {
        let (heard, code) = (self.heard, self.code);
        ensure!(
            heard.kind().as_deref() == Some(code),
            "not {code}: {heard:?}"
        );
        let line = heard.line();
        ensure!(line.starts_with(&format!("{code} by tagout")), "{line}");
        if code == "HELD" {
            let hold = heard
                .hold()
                .with_context(|| format!("no hold in {heard:?}"))?;
            ensure!(line.contains(&format!("({hold})")), "{line}");
            ensure!(line.contains("It was not executed"), "{line}");
            let url = heard.status_url().context("no status_url")?;
            ensure!(url.ends_with(&format!("/.tagout/holds/{hold}")), "{url}");
        }
        Ok(())
    }

    fn is_in(&self, ledger: &[Value]) -> anyhow::Result<()> {
        let hold = self.heard.hold();
        let mine = |entry: &&Value| match self.code {
            "HELD" => {
                text(entry, "/type") == Some("held") && text(entry, "/hold") == hold.as_deref()
            }
            code => text(entry, "/type") == Some("refused") && text(entry, "/kind") == Some(code),
        };
        let mut entries = ledger.iter().filter(mine);
        let found = entries.any(|entry| self.resource.is_empty() || self.names(entry));
        ensure!(
            found,
            "no entry says {} of {} in {}: {}",
            self.code,
            self.resource,
            self.environment,
            serde_json::to_string_pretty(&ledger.iter().filter(mine).collect::<Vec<_>>())?
        );
        Ok(())
    }

    /// Operation, environment and verdict.
    fn names(&self, entry: &Value) -> bool {
        let effects = entry.pointer("/what/effects").and_then(Value::as_array);
        let lands = |effect: &Value| {
            text(effect, "/resource") == Some(self.resource)
                && (self.environment.is_empty()
                    || text(effect, "/environment") == Some(self.environment))
        };
        let verdict = if self.code == "HELD" { "hold" } else { "deny" };
        text(entry, "/what/verdict") == Some(verdict)
            && text(entry, "/what/operation").is_some_and(|digest| !digest.is_empty())
            && effects.is_some_and(|effects| effects.iter().any(lands))
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// The rows that differ between two inventories, as `table/id`; tables that are no maps as a whole. The
/// stand-in's own counters and its history of what was done are not rows.
#[must_use]
pub fn changed_rows(before: &Value, after: &Value) -> BTreeSet<String> {
    let empty = serde_json::Map::new();
    let (before, after) = (
        before.as_object().unwrap_or(&empty),
        after.as_object().unwrap_or(&empty),
    );
    let mut changed = BTreeSet::new();
    for table in before.keys().chain(after.keys()) {
        if ["ticks", "nextNumber", "committedPatches", "workflows"].contains(&table.as_str()) {
            continue;
        }
        let (old, new) = (before.get(table), after.get(table));
        if old == new {
            continue;
        }
        match (
            old.and_then(Value::as_object),
            new.and_then(Value::as_object),
        ) {
            (Some(old), Some(new)) => {
                let ids = old.keys().chain(new.keys());
                let differs = ids.filter(|id| old.get(*id) != new.get(*id));
                changed.extend(differs.map(|id| format!("{table}/{id}")));
            }
            _ => {
                changed.insert(table.clone());
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_that_differ_come_or_go_are_named() {
        let before =
            json!({"ticks": 1, "volumes": {"a": 1, "b": 1}, "list": [1], "same": {"x": 1}});
        let after = json!({"ticks": 2, "volumes": {"a": 2, "c": 1}, "list": [], "same": {"x": 1}});
        let changed: Vec<_> = changed_rows(&before, &after).into_iter().collect();
        assert_eq!(changed, ["list", "volumes/a", "volumes/b", "volumes/c"]);
        assert!(changed_rows(&before, &before).is_empty());
    }
}
