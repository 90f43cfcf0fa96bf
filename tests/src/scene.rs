//! A gateway with a person, upstreams, and agents.

use std::time::{Duration, Instant};

use serde_json::json;
use tagout_stage::{Agent, App, Gateway, Person, Railway, Setting};

use crate::program;

/// Where the gateway finds the application's credential.
pub const APP_KEY_VARIABLE: &str = "TAGOUT_TEST_APP_KEY";

const RAILWAY_TOKEN_VARIABLE: &str = "TAGOUT_TEST_RAILWAY_TOKEN";

/// The credentials of the upstreams, where the gateway's configuration says that they are.
fn credentials() -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        pair(RAILWAY_TOKEN_VARIABLE, standin_railway::seed::ACCOUNT_TOKEN),
        pair(APP_KEY_VARIABLE, App::KEY),
    ]
}

/// Rights as a file of rights holds them: to read everything, and one clause more.
#[must_use]
pub fn rights(effects: &[&str], resources: &[&str], environments: &[&str]) -> String {
    let clause = |effects: &[&str], resources: &[&str], environments: &[&str]| {
        json!({"upstreams": "all", "effects": effects, "resources": resources,
            "environments": environments})
    };
    let everywhere = ["development", "staging", "production", "unknown"];
    let read = clause(&["read", "secret_read"], &["*:*"], &everywhere);
    json!([read, clause(effects, resources, environments)]).to_string()
}

/// A gateway in front of a stand-in for Railway, with one person and labelled environments.
#[derive(Debug)]
pub struct Scene {
    /// The gateway.
    pub gateway: Gateway,
    /// The person.
    pub person: Person,
    /// The upstream.
    pub railway: Railway,
}

impl Scene {
    /// Opens the scene: everything accepted by the person, production and staging labelled by id.
    ///
    /// # Errors
    /// When anything of it fails.
    pub fn open() -> anyhow::Result<Self> {
        Self::open_with(Setting::default())
    }

    /// The same with a setting of its own.
    ///
    /// # Errors
    /// When anything of it fails.
    pub fn open_with(mut setting: Setting) -> anyhow::Result<Self> {
        let railway = Railway::start(standin_railway::DeleteMode::Immediate)?;
        setting.environment.extend(credentials());
        let (gateway, person) = Gateway::start_with_person(&program()?, &setting)?;
        let mut scene = Self {
            gateway,
            person,
            railway,
        };
        scene.register()?;
        Ok(scene)
    }

    fn register(&mut self) -> anyhow::Result<()> {
        self.add_railway("guard")?;
        self.label(standin_railway::seed::PRODUCTION, "production")?;
        self.label(standin_railway::seed::STAGING, "staging")
    }

    /// Puts Railway into observe mode, as accepted by the person.
    ///
    /// # Errors
    /// When the proposal or its acceptance fails.
    pub fn watch_only(&mut self) -> anyhow::Result<()> {
        self.add_railway("observe")
    }

    fn add_railway(&mut self, mode: &str) -> anyhow::Result<()> {
        let url = self.railway.url();
        let credential = format!("env:{RAILWAY_TOKEN_VARIABLE}");
        let mut add = vec!["upstream", "add", "--name", "railway", "--url", &url];
        add.extend(["--pack", "railway", "--credential", &credential]);
        add.extend(["--alias", "backboard.railway.app"]);
        add.extend(["--alias", "backboard.railway.com"]);
        add.extend(["--mode", mode]);
        self.accepted(&add)
    }

    /// Binds a label to an environment's id at Railway.
    ///
    /// # Errors
    /// When the proposal or its acceptance fails.
    pub fn label(&mut self, place: &str, environment: &str) -> anyhow::Result<()> {
        self.label_at("railway", place, environment)
    }

    fn label_at(&mut self, upstream: &str, place: &str, environment: &str) -> anyhow::Result<()> {
        let label = [
            "label",
            "--upstream",
            upstream,
            "--place",
            place,
            environment,
        ];
        self.accepted(&label)
    }

    /// Proposes with the command line, and lets the person accept it.
    ///
    /// # Errors
    /// When either fails.
    pub fn accepted(&mut self, arguments: &[&str]) -> anyhow::Result<()> {
        self.gateway.accepted(&mut self.person, arguments)
    }

    /// Puts an application behind the gateway, in this mode, and says what environment it is.
    ///
    /// # Errors
    /// When it can't be started, registered or labelled.
    pub fn app(
        &mut self,
        rows: impl IntoIterator<Item = String>,
        mode: &str,
        environment: &str,
    ) -> anyhow::Result<App> {
        let app = App::start(rows)?;
        self.register_app(&app, mode, environment, [])?;
        Ok(app)
    }

    /// Registers an application that agents may call by all of these names.
    ///
    /// # Errors
    /// When it can't be registered or labelled.
    pub fn register_app<'n>(
        &mut self,
        app: &App,
        mode: &str,
        environment: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> anyhow::Result<()> {
        let url = app.url();
        let credential = format!("env:{APP_KEY_VARIABLE}");
        let mut add = vec!["upstream", "add", "--name", "app", "--url", &url];
        add.extend(["--credential", &credential, "--mode", mode]);
        add.extend(names.into_iter().flat_map(|name| ["--alias", name]));
        self.accepted(&add)?;
        self.label_at("app", "app", environment)
    }

    /// Kills the gateway and starts it again, with `more` in its environment.
    ///
    /// # Errors
    /// When it can't be killed, or does not come up.
    pub fn restart_with(&mut self, more: &[(&str, &str)]) -> anyhow::Result<()> {
        if self.gateway.is_running() {
            self.gateway.kill()?;
        }
        let more = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.gateway
            .restart(credentials().into_iter().chain(more).collect())
    }

    /// Opens a grant for an agent, accepted by the person: `--effect write --environment staging`.
    ///
    /// # Errors
    /// When any step fails.
    pub fn grant(&mut self, agent: &Agent, arguments: &[&str]) -> anyhow::Result<()> {
        let mut open = vec!["grant", "open", "--connection", &agent.connection];
        open.extend(["--task", "the task of this test"]);
        open.extend(arguments);
        self.accepted(&open)
    }

    /// An agent with these rights that is told to use the gateway as a proxy. The certificate to trust is
    /// there as soon as a harmless request passes.
    ///
    /// # Errors
    /// When any step fails, or the proxy is not trusted in time.
    pub fn proxied_agent(&mut self, rights: Option<&str>) -> anyhow::Result<Agent> {
        let agent = self.agent(rights)?;
        let agent = agent.through(self.gateway.proxy(&agent.token));
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            match agent.graphql("{ __typename }") {
                Ok(_) => return Ok(agent),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// An agent with standing rights, or those of this JSON.
    ///
    /// # Errors
    /// When any step fails.
    pub fn agent(&mut self, rights: Option<&str>) -> anyhow::Result<Agent> {
        let (connection, token) = self.gateway.connect(&mut self.person, rights)?;
        Ok(Agent::new(connection, token, self.gateway.agents()))
    }
}
