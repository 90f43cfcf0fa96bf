//! tmp
#[test]
#[ignore]
fn stay() {
    let mut scene = tagout_tests::Scene::open_with(tagout_stage::Setting {
        environment: vec![],
        ..Default::default()
    })
    .unwrap();
    let agent = scene.agent(None).unwrap();
    let other = scene.agent(None).unwrap();
    let out = serde_json::json!({"token": agent.token, "connection": agent.connection, "gateway": agent.gateway, "other": other.token,
      "railway": scene.railway.url(), "console": scene.gateway.origin(), "data": scene.gateway.data(), "config": scene.gateway.config(), "account": standin_railway::seed::ACCOUNT_TOKEN});
    std::fs::write("/tmp/rt.json", out.to_string()).unwrap();
    while std::path::Path::new("/tmp/rt.json").exists() {
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
}
