//! The stand-in for Railway, served from this process.

use anyhow::anyhow;
use serde_json::Value;
use standin_railway::{Config, DeleteMode, Running, Standin, State};
use tokio::runtime::Runtime;

/// A stand-in that serves until it is dropped.
#[derive(Debug)]
pub struct Railway {
    running: Running,
    _runtime: Runtime,
}

impl Railway {
    /// Starts one on free ports of this machine.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start(delete_mode: DeleteMode) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let config = Config {
            delete_mode,
            ..Config::default()
        };
        let running = runtime.block_on(Standin::spawn(config));
        Ok(Self {
            running: running.map_err(|error| anyhow!("{error}"))?,
            _runtime: runtime,
        })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.running.graphql_addr)
    }

    /// What is behind it.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.running.state
    }

    /// The names of the mutations that it received so far, in order.
    #[must_use]
    pub fn mutations(&self) -> Vec<String> {
        let records = self.state().requests();
        let records = records
            .iter()
            .map(|record| serde_json::to_value(record).unwrap_or_default());
        let mutation = |record: &Value| {
            record
                .pointer("/kind")
                .is_some_and(|kind| kind == "mutation")
        };
        let name = |record: Value| {
            record
                .pointer("/field")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        records.filter(mutation).filter_map(name).collect()
    }
}
