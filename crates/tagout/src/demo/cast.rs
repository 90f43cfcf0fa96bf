//! Who plays.

use anyhow::Context as _;
use serde_json::Value;
use standin_railway::{DeleteMode, seed};
use tagout_stage::{Agent, Gateway, Person, Railway, Setting};

use crate::demo::database::{PASSWORD, PASSWORD_VARIABLE};
use crate::demo::narrator::Narrator;

/// Rights of an agent that was asked to add and remove custom domains, like the incident's token.
const DOMAINS: &str = r#"[{"upstreams": "all", "effects": ["read", "write", "destroy", "disrupt"],
    "resources": ["domain:*"], "environments": ["development", "staging", "production"]}]"#;

/// Rights of an agent that may work on volumes, services and projects in staging, and read everywhere.
const STAGING: &str = r#"[
    {"upstreams": "all", "effects": ["read", "secret_read"], "resources": ["*:*"],
     "environments": ["development", "staging", "production", "unknown"]},
    {"upstreams": "all", "effects": ["write", "disrupt", "destroy", "unprotect", "privilege", "opaque", "unknown"],
     "resources": ["*:*"], "environments": ["development", "staging"]}]"#;

/// The stage with everybody on it.
pub(crate) struct Cast {
    pub(crate) railway: Railway,
    pub(crate) gateway: Gateway,
    pub(crate) person: Person,
    pub(crate) domains_agent: Agent,
    pub(crate) staging_agent: Agent,
}

impl Cast {
    /// Starts everything and lets the person accept what the story needs.
    pub(crate) fn assemble(narrator: &Narrator) -> anyhow::Result<Self> {
        let railway = Railway::start(DeleteMode::Immediate)?;
        narrator.say("The stand-in for Railway runs: one project, production and staging, one volume with an instance in each, backups on the volume. A delete is immediate, as it was in April 2026.");
        let credential = (
            "TAGOUT_DEMO_RAILWAY".to_owned(),
            seed::ACCOUNT_TOKEN.to_owned(),
        );
        let password = (PASSWORD_VARIABLE.to_owned(), PASSWORD.to_owned());
        let setting = Setting {
            environment: vec![credential, password],
            postgres: true,
            ..Setting::default()
        };
        let program = std::env::current_exe().context("this program can't find itself")?;
        let (gateway, mut person) = Gateway::start_with_person(&program, &setting)?;
        narrator.say("The gateway runs, and Ada has enrolled a passkey (a virtual one, for the demo). She accepts the upstream, what its environments mean, and two connections.");
        register(&gateway, &mut person, &railway.url())?;
        let domains_agent = agent(&gateway, &mut person, DOMAINS)?;
        let staging_agent = agent(&gateway, &mut person, STAGING)?;
        Ok(Self {
            railway,
            gateway,
            person,
            domains_agent,
            staging_agent,
        })
    }

    /// Whether every production instance and backup is as it was.
    pub(crate) fn production_is_whole(&self, before: &Value) -> bool {
        let now = self.railway.state().table("volumeInstances");
        let id = seed::PRODUCTION_VOLUME_INSTANCE;
        let same = now.get(id).is_some() && now.get(id) == before.get(id);
        let backups = self.railway.state().table("backups").to_string();
        same && seed::PRODUCTION_BACKUPS
            .iter()
            .all(|backup| backups.contains(backup))
    }
}

fn register(gateway: &Gateway, person: &mut Person, url: &str) -> anyhow::Result<()> {
    let upstream = [
        "upstream",
        "add",
        "--name",
        "railway",
        "--url",
        url,
        "--pack",
        "railway",
        "--credential",
        "env:TAGOUT_DEMO_RAILWAY",
        "--alias",
        "backboard.railway.app",
        "--alias",
        "backboard.railway.com",
    ];
    gateway.accepted(person, &upstream)?;
    for (place, environment) in [
        (seed::PRODUCTION, "production"),
        (seed::STAGING, "staging"),
        (seed::BLOG_PRODUCTION, "production"),
    ] {
        let label = [
            "label",
            "--upstream",
            "railway",
            "--place",
            place,
            environment,
        ];
        gateway.accepted(person, &label)?;
    }
    Ok(())
}

fn agent(gateway: &Gateway, person: &mut Person, rights: &str) -> anyhow::Result<Agent> {
    let (connection, token) = gateway.connect(person, Some(rights))?;
    Ok(Agent::new(connection, token, gateway.agents()))
}
