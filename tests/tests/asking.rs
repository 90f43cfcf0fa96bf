//! An agent asks for rights, and an operator narrows them: neither widens anything by itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use serde_json::{Value, json};
use standin_railway::seed;
use tagout_stage::{Agent, Heard};
use tagout_tests::Scene;

fn redeploy(environment: &str) -> String {
    format!(
        "mutation {{ serviceInstanceRedeploy(environmentId: \"{environment}\", serviceId: \"{}\") }}",
        seed::API_SERVICE
    )
}

fn ask(agent: &Agent, body: &str) -> Heard {
    let url = format!("{}/.tagout/grants", agent.gateway);
    let authorization = format!("Authorization: Bearer {}", agent.token);
    let json = "Content-Type: application/json";
    agent
        .curl(&[
            "-X",
            "POST",
            &url,
            "-H",
            &authorization,
            "-H",
            json,
            "-d",
            body,
        ])
        .unwrap()
}

#[test]
fn an_agent_asks_and_a_person_decides() {
    let mut scene = Scene::open().unwrap();
    let agent = scene.agent(None).unwrap();
    let heard = agent.graphql(&redeploy(seed::STAGING)).unwrap();
    assert_eq!(heard.code().as_deref(), Some("HELD"), "{heard:?}");

    let wish = json!({
        "task": "roll out the fix in staging",
        "rights": [{"upstreams": "all", "effects": ["write", "disrupt"], "resources": ["*:*"],
            "environments": ["staging"]}],
    });
    let heard = ask(&agent, &wish.to_string());
    assert_eq!(heard.status, 202, "{heard:?}");
    let proposal = heard.json()["proposal"].as_str().unwrap().to_owned();
    let other = redeploy(seed::STAGING).replace(seed::API_SERVICE, seed::POSTGRES_SERVICE);
    assert_eq!(
        agent.graphql(&other).unwrap().code().as_deref(),
        Some("HELD")
    );

    scene.person.accept(&proposal).unwrap();
    let heard = agent.graphql(&other).unwrap();
    assert_eq!(heard.code(), None, "{heard:?}");
    assert_eq!(scene.railway.mutations(), ["serviceInstanceRedeploy"]);

    for (body, status) in [
        ("{}", 400),
        ("nonsense", 400),
        ("{\"task\":\"x\",\"rights\":\"all\"}", 400),
    ] {
        assert_eq!(ask(&agent, body).status, status, "{body}");
    }
    let mut nobody = agent.clone();
    nobody.token = "tgo_nothing".to_owned();
    assert_ne!(ask(&nobody, &wish.to_string()).status, 202);
}

#[test]
fn a_narrowed_connection_has_less_and_ends_with_its_parent() {
    let mut scene = Scene::open().unwrap();
    let (parent, _) = scene.gateway.connect(&mut scene.person, None).unwrap();
    let file = scene.gateway.folder().join("narrow.json");
    let path = file.display().to_string();
    let narrow = |rights: &Value| {
        std::fs::write(&file, rights.to_string()).unwrap();
        scene.gateway.command(&[
            "connection",
            "narrow",
            &parent,
            "--agent",
            "helper",
            "--rights",
            &path,
        ])
    };
    let clause = |effects: &[&str], environments: &[&str]| json!([{"upstreams": "all", "effects": effects, "resources": ["*:*"], "environments": environments}]);
    let wider = narrow(&clause(&["write"], &["production"])).unwrap();
    assert!(!wider.status.success());
    assert!(
        String::from_utf8_lossy(&wider.stderr).contains("narrower"),
        "{wider:?}"
    );

    let made = narrow(&clause(
        &["read"],
        &["production", "staging", "development", "unknown"],
    ))
    .unwrap();
    let id = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let token = scene.gateway.says(&["connection", "token", &id]).unwrap();
    let mut helper = scene.agent(None).unwrap();
    (helper.token, helper.connection) = (token, id);
    assert_eq!(helper.graphql("{ me { id } }").unwrap().code(), None);
    let heard = helper.graphql(&redeploy(seed::PR_ENVIRONMENT)).unwrap();
    assert_eq!(heard.code().as_deref(), Some("DENIED"), "{heard:?}");

    scene
        .gateway
        .says(&["connection", "revoke", &parent])
        .unwrap();
    let ended = helper.graphql("{ me { id } }").unwrap();
    assert!(ended.line().starts_with("TOKEN by tagout"), "{ended:?}");
}
