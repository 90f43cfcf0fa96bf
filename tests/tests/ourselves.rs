//! Operations on Tagout itself are denied to agents, whatever their rights.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use standin_railway::seed;
use tagout_tests::Scene;

const EVERYTHING: &str = r#"[{"upstreams": "all", "effects": ["read", "write", "disrupt", "secret_read",
    "emit", "privilege", "opaque", "unknown", "unprotect", "destroy"], "resources": ["*:*"],
    "environments": ["development", "staging", "production", "unknown"]}]"#;

#[test]
fn what_tagout_lives_on_is_read_only_for_agents() {
    let mut scene = Scene::open().unwrap();
    let url = scene.railway.url();
    let ours = format!("service:{}", seed::API_SERVICE);
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
        "--ourselves",
        &ours,
    ];
    scene
        .gateway
        .accepted(&mut scene.person, &upstream)
        .unwrap();
    let agent = scene.agent(Some(EVERYTHING)).unwrap();
    let before = scene.railway.state().digest();
    for document in [
        format!(
            "mutation {{ serviceDelete(id: \"{}\") }}",
            seed::API_SERVICE
        ),
        format!(
            "mutation {{ serviceInstanceRedeploy(environmentId: \"{}\", serviceId: \"{}\") }}",
            seed::STAGING,
            seed::API_SERVICE
        ),
    ] {
        let heard = agent.graphql(&document).unwrap();
        assert_eq!(heard.code().as_deref(), Some("DENIED"), "{heard:?}");
    }
    assert_eq!(scene.railway.state().digest(), before);
    assert_eq!(scene.railway.mutations(), Vec::<String>::new());
    let heard = agent
        .graphql(&format!(
            "{{ service(id: \"{}\") {{ id name }} }}",
            seed::API_SERVICE
        ))
        .unwrap();
    assert_eq!(heard.status, 200, "{heard:?}");
    assert!(heard.code().is_none(), "{heard:?}");
    let other = format!(
        "mutation {{ serviceInstanceRedeploy(environmentId: \"{}\", serviceId: \"{}\") }}",
        seed::STAGING,
        seed::POSTGRES_SERVICE
    );
    let heard = agent.graphql(&other).unwrap();
    assert!(heard.code().as_deref() != Some("DENIED"), "{heard:?}");
}
