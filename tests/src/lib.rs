//! Setting the stage for black-box tests: which program, which upstream, which rights.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use tagout_stage::{Agent, Gateway, Person, Railway, Setting};

/// The program under test, built beside the tests.
///
/// # Errors
/// When it is not there.
pub fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own
        .parent()
        .and_then(|deps| deps.parent())
        .context("no build folder")?;
    let program = profile.join("tagout");
    if !program.exists() {
        bail!(
            "`{}` is not there; run `cargo build -p tagout` first (`./dev test` does)",
            program.display()
        );
    }
    Ok(program)
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
        let credential = standin_railway::seed::ACCOUNT_TOKEN.to_owned();
        setting
            .environment
            .push(("TAGOUT_TEST_RAILWAY_TOKEN".to_owned(), credential));
        let (gateway, person) = Gateway::start_with_person(&program()?, setting)?;
        let mut scene = Self {
            gateway,
            person,
            railway,
        };
        scene.register()?;
        Ok(scene)
    }

    fn register(&mut self) -> anyhow::Result<()> {
        let url = self.railway.url();
        let upstream = [
            "upstream",
            "add",
            "--name",
            "railway",
            "--url",
            &url,
            "--pack",
            "railway",
            "--credential",
            "env:TAGOUT_TEST_RAILWAY_TOKEN",
            "--alias",
            "backboard.railway.app",
            "--alias",
            "backboard.railway.com",
        ];
        self.gateway.accepted(&mut self.person, &upstream)?;
        self.label(standin_railway::seed::PRODUCTION, "production")?;
        self.label(standin_railway::seed::STAGING, "staging")
    }

    /// Binds a label to an environment's id.
    ///
    /// # Errors
    /// When the proposal or its acceptance fails.
    pub fn label(&mut self, place: &str, environment: &str) -> anyhow::Result<()> {
        let arguments = [
            "label",
            "--upstream",
            "railway",
            "--place",
            place,
            environment,
        ];
        self.gateway.accepted(&mut self.person, &arguments)
    }

    /// An agent with standing rights, or those of this JSON.
    ///
    /// # Errors
    /// When any step fails.
    pub fn agent(&mut self, rights: Option<&str>) -> anyhow::Result<Agent> {
        let (_, token) = self.gateway.connect(&mut self.person, rights)?;
        Ok(Agent {
            token,
            gateway: self.gateway.agents(),
        })
    }
}
