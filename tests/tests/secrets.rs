//! A busy day, and then a search for the credentials in every byte that anybody but the gateway could
//! read.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use standin_railway::seed;
use tagout_stage::{Agent, App, Setting};
use tagout_tests::documents::{variable_upsert, volume_delete};
use tagout_tests::{Scene, holds_any, in_files};

/// What an agent does all day: it reads, writes, is held, is denied, errs, and looks round.
fn busy(agent: &Agent, app: &App) {
    let variables = format!(
        "{{ variables(projectId: \"{}\", environmentId: \"{}\", serviceId: \"{}\") }}",
        seed::PROJECT,
        seed::PRODUCTION,
        seed::API_SERVICE
    );
    for document in [
        "{ me { id name } apiTokens { edges { node { id name displayToken } } } }",
        "{ __schema { queryType { name } } }",
        "{ this is no document",
        "{ project(id: \"00000000-0000-4000-8000-000000000000\") { name } }",
        "mutation { apiTokenCreate(input: {name: \"mine\"}) }",
        &variables,
        &volume_delete(),
        &variable_upsert(seed::STAGING, "FEATURE", "on"),
    ] {
        agent.graphql(document).unwrap();
    }
    agent
        .with_token(seed::ACCOUNT_TOKEN)
        .graphql("{ me { id } }")
        .unwrap();
    for path in [
        "/.tagout/health",
        "/.tagout/holds/x",
        "/.tagout/config",
        "/.env",
        "/graphql/v2",
    ] {
        agent.ask("GET", path, "backboard.railway.com").unwrap();
    }
    let host = app.host();
    agent.ask("TRACE", "/api/agents/1", &host).unwrap();
    agent.ask("GET", "/api/agents/1", &host).unwrap();
}

#[test]
fn no_credential_is_in_any_byte_that_an_agent_an_auditor_or_a_backup_sees() {
    let setting = Setting {
        forward: true,
        environment: vec![("TAGOUT_LOG".to_owned(), "debug".to_owned())],
        ..Setting::default()
    };
    let mut scene = Scene::open_with(setting).unwrap();
    let app = scene
        .app(["agents/1".to_owned()], "guard", "staging")
        .unwrap();
    let agent = scene.agent(None).unwrap();
    let proxied = scene.proxied_agent(None).unwrap();
    let write = ["--effect", "write", "--environment", "staging"];
    scene.grant(&agent, &write).unwrap();
    scene.grant(&proxied, &write).unwrap();
    busy(&agent, &app);
    busy(&proxied, &app);

    // An upstream that says what it was sent.
    let heard = agent.ask("GET", "/api/echo", &app.host()).unwrap();
    assert_eq!(heard.status, 200, "{heard:?}");
    assert!(heard.body.contains("authorization"), "{heard:?}");
    let hold = agent.graphql(&volume_delete()).unwrap().hold().unwrap();
    scene.person.approve(&hold).unwrap();
    agent.graphql(&volume_delete()).unwrap();

    // What operators and auditors see.
    let mut seen = scene.person.get("/api/v1/holds").unwrap().to_string();
    seen += &scene.person.get("/api/v1/proposals").unwrap().to_string();
    for command in [
        &["doctor"][..],
        &["hold", "list", "--json"],
        &["hold", "show", &hold],
        &["upstream", "list", "--json"],
        &["connection", "list", "--json"],
        &["grant", "list", "--json"],
        &["connect", &agent.connection],
        &["ledger", "tail", "-n", "1000", "--json"],
        &["ledger", "prove", "1"],
        &["ledger", "key"],
        &["ledger", "verify", "--json"],
    ] {
        let output = scene.gateway.command(command).unwrap();
        seen += &String::from_utf8_lossy(&output.stdout);
        seen += &String::from_utf8_lossy(&output.stderr);
    }
    let needles = [seed::ACCOUNT_TOKEN, App::KEY].map(str::to_owned);
    assert_eq!(holds_any(seen.as_bytes(), &needles), None);
    let bodies = scene.gateway.data().join("ledger");
    assert!(bodies.exists());

    // The agents' own tokens are derived and stored nowhere.
    let tokens = [agent.token.clone(), proxied.token.clone()];
    let stored = in_files(&scene.gateway.data(), &scene.gateway.key_file(), &tokens).unwrap();
    assert_eq!(stored, Vec::<String>::new());
    assert_eq!(holds_any(scene.gateway.said().as_bytes(), &tokens), None);

    // Files, log, export, command lines, and all that the agents heard; also of the next process.
    scene.credentials_are_nowhere(&[&agent, &proxied]).unwrap();
    scene.restart_with(&[("TAGOUT_LOG", "trace")]).unwrap();
    agent.graphql("{ me { id } }").unwrap();
    scene.credentials_are_nowhere(&[&agent, &proxied]).unwrap();
    assert!(scene.gateway.said().len() > 100, "there is a log");
}
