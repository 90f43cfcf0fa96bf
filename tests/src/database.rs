//! A gateway in front of a real PostgreSQL server, with a person and agents that use real clients.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tagout_stage::{Gateway, Person, Postgres, PostgresConfig, Setting};

use crate::program;
use crate::secrets::{holds_any, in_files};

/// Where the gateway finds the database's password.
const PASSWORD_VARIABLE: &str = "TAGOUT_TEST_DATABASE_PASSWORD";

/// The role that the gateway signs in as: it owns its tables and is no superuser.
pub const APP_ROLE: &str = "app";

/// That role's password.
pub const APP_PASSWORD: &str = "app-password-for-tests-only";

/// The scene.
#[derive(Debug)]
pub struct DatabaseScene {
    /// The gateway.
    pub gateway: Gateway,
    /// The person.
    pub person: Person,
    /// The server.
    pub server: Postgres,
}

/// An agent's credentials for databases.
#[derive(Clone, Debug)]
pub struct DatabaseAgent {
    /// Its connection, which is its user name.
    pub connection: String,
    /// Its token, which is its password.
    pub token: String,
    port: u16,
}

/// What a client said in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSaid {
    /// On standard output.
    pub out: String,
    /// On standard error.
    pub err: String,
    /// Whether it ended well.
    pub ok: bool,
}

impl DatabaseScene {
    /// Opens the scene: a database `shop` owned by [`APP_ROLE`], registered in `guard` mode, and labelled.
    ///
    /// # Errors
    /// When anything of it fails.
    pub fn open(environment: &str) -> anyhow::Result<Self> {
        let config = PostgresConfig {
            auth: "scram-sha-256",
            ..PostgresConfig::default()
        };
        Self::open_with(environment, Setting::default(), &config)
    }

    /// The same with settings of its own. The server trusts everybody unless `config` says otherwise.
    ///
    /// # Errors
    /// When anything of it fails.
    pub fn open_with(
        environment: &str,
        mut setting: Setting,
        config: &PostgresConfig,
    ) -> anyhow::Result<Self> {
        let server = Postgres::start(config)?;
        let role = format!("CREATE ROLE {APP_ROLE} LOGIN PASSWORD '{APP_PASSWORD}'");
        server.psql(&role)?;
        server.psql(&format!("CREATE DATABASE shop OWNER {APP_ROLE}"))?;
        setting.postgres = true;
        let password = (PASSWORD_VARIABLE.to_owned(), APP_PASSWORD.to_owned());
        setting.environment.push(password);
        let (gateway, person) = Gateway::start_with_person(&program()?, &setting)?;
        let mut scene = Self {
            gateway,
            person,
            server,
        };
        scene.register("shop", "shop", "guard")?;
        scene.label("shop", environment)?;
        Ok(scene)
    }

    /// Registers a database of the server under a name, accepted by the person.
    ///
    /// # Errors
    /// When it is not accepted.
    pub fn register(&mut self, name: &str, database: &str, mode: &str) -> anyhow::Result<()> {
        let url = format!(
            "postgres://{APP_ROLE}@127.0.0.1:{}/{database}",
            self.server.port
        );
        let credential = format!("env:{PASSWORD_VARIABLE}");
        let mut add = vec!["upstream", "add", "--name", name, "--url", &url];
        add.extend([
            "--pack",
            "postgres",
            "--credential",
            &credential,
            "--mode",
            mode,
        ]);
        self.gateway.accepted(&mut self.person, &add)
    }

    /// Says what environment a database of the server is.
    ///
    /// # Errors
    /// When it is not accepted.
    pub fn label(&mut self, database: &str, environment: &str) -> anyhow::Result<()> {
        let place = self.identity(database)?;
        let label = [
            "label",
            "--upstream",
            database,
            "--place",
            &place,
            environment,
        ];
        self.gateway.accepted(&mut self.person, &label)
    }

    /// A database's identity: `<system identifier>/<oid>`.
    ///
    /// # Errors
    /// The server's.
    pub fn identity(&self, database: &str) -> anyhow::Result<String> {
        let sql = format!(
            "SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = '{database}') FROM pg_control_system()"
        );
        Ok(self.server.psql(&sql)?.trim().to_owned())
    }

    /// Runs SQL as the application itself, past the gateway.
    ///
    /// # Errors
    /// The server's.
    pub fn direct(&self, sql: &str) -> anyhow::Result<String> {
        let sql = format!("SET ROLE {APP_ROLE}; {sql}");
        let said = self.server.psql_in("shop", &sql)?;
        Ok(said.trim().trim_start_matches("SET").trim().to_owned())
    }

    /// An agent with standing rights, or those of this JSON.
    ///
    /// # Errors
    /// When any step fails.
    pub fn agent(&mut self, rights: Option<&str>) -> anyhow::Result<DatabaseAgent> {
        let (connection, token) = self.gateway.connect(&mut self.person, rights)?;
        Ok(DatabaseAgent {
            connection,
            token,
            port: self.gateway.postgres_port(),
        })
    }

    /// One of PostgreSQL's own programs, told to use the gateway as this agent.
    #[must_use]
    pub fn program(&self, agent: &DatabaseAgent, name: &str, database: &str) -> Command {
        let mut command = self.server.program(name);
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", agent.port.to_string())
            .env("PGUSER", &agent.connection)
            .env("PGPASSWORD", &agent.token)
            .env("PGDATABASE", database)
            .env("PGSSLMODE", "disable")
            .env("PGCONNECT_TIMEOUT", "20");
        command
    }

    /// What `psql` says to each of these, one `-c` after the other in one session.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn psql(&self, agent: &DatabaseAgent, statements: &[&str]) -> anyhow::Result<ClientSaid> {
        let mut command = self.program(agent, "psql", "shop");
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]);
        for statement in statements {
            command.args(["-c", statement]);
        }
        said(command)
    }

    /// The first hold that waits for a person.
    ///
    /// # Errors
    /// When none comes in time.
    pub fn first_hold(&self) -> anyhow::Result<String> {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let said = self.gateway.says(&["hold", "list", "--json"])?;
            if let Some(at) = said.find("hold_") {
                let rest = said.get(at..).unwrap_or_default();
                let id = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
                return Ok(rest.chars().take_while(id).collect());
            }
            ensure!(Instant::now() < until, "nothing is held");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Every entry of the ledger, once the log is verified.
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

    /// The database's password and the installation's key are in no file of the data folder, no log, and not
    /// in what clients said.
    ///
    /// # Errors
    /// With the place where one is.
    pub fn credentials_are_nowhere(&self, said: &[&ClientSaid]) -> anyhow::Result<()> {
        let key = std::fs::read_to_string(self.gateway.key_file()).context("the key file")?;
        let needles = vec![key.trim().to_owned(), APP_PASSWORD.to_owned()];
        let files = in_files(self.gateway.folder(), &self.gateway.key_file(), &needles)?;
        ensure!(files.is_empty(), "credentials are in {files:?}");
        let heard = said
            .iter()
            .flat_map(|it| [it.out.as_str(), it.err.as_str()]);
        let log = self.gateway.said();
        for text in heard.chain([log.as_str()]) {
            if let Some(found) = holds_any(text.as_bytes(), &needles) {
                bail!("`{found}` was said");
            }
        }
        Ok(())
    }
}

impl DatabaseAgent {
    /// What a client puts into its configuration.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{}:{}@127.0.0.1:{}/{database}",
            self.connection, self.token, self.port
        )
    }
}

impl ClientSaid {
    /// The hold that a refusal names.
    #[must_use]
    pub fn hold(&self) -> Option<String> {
        let at = self.err.find("hold_")?;
        let rest = self.err.get(at..)?;
        let id = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
        Some(rest.chars().take_while(id).collect())
    }
}

/// Runs a command to its end.
///
/// # Errors
/// When it can't be run.
pub fn said(mut command: Command) -> anyhow::Result<ClientSaid> {
    let output = command.output()?;
    Ok(ClientSaid {
        out: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        err: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ok: output.status.success(),
    })
}
