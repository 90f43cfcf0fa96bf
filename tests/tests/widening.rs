//! Nothing that is written, said or set is in force before a person has accepted it: a case for every
//! route and file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use standin_railway::seed;
use tagout_stage::Agent;
use tagout_tests::documents::{variable_upsert, volume_delete};
use tagout_tests::{NOTHING, Scene};

/// What is in force, as the command line shows it; and whether everything is stopped.
fn in_force(scene: &Scene) -> Vec<String> {
    let mut shown = Vec::new();
    for noun in ["connection", "grant", "upstream"] {
        let list = scene.gateway.says(&[noun, "list", "--json"]).unwrap();
        shown.extend(list.lines().map(without_use));
    }
    let standing = asked(scene, &json!({"ask": "standing"}));
    shown.push(standing["ok"]["frozen"].to_string());
    shown
}

/// A line of a list without the time of the last use, which is no right.
fn without_use(line: &str) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap();
    value.as_object_mut().unwrap().remove("used");
    value.to_string()
}

/// One line through the control socket, and the answer.
fn asked(scene: &Scene, ask: &Value) -> Value {
    let mut stream = UnixStream::connect(scene.gateway.data().join("control.sock")).unwrap();
    writeln!(stream, "{ask}").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// A deletion is held, and a variable of production can't be set.
fn nothing_passes(scene: &Scene, agent: &Agent) {
    let heard = agent.graphql(&volume_delete()).unwrap();
    assert_eq!(heard.code().as_deref(), Some("HELD"), "{heard:?}");
    let heard = agent
        .graphql(&variable_upsert(seed::PRODUCTION, "LOG_LEVEL", "debug"))
        .unwrap();
    assert_eq!(heard.code().as_deref(), Some("HELD"), "{heard:?}");
    assert_eq!(scene.railway.mutations(), Vec::<String>::new());
}

fn proposals(scene: &Scene) -> Vec<String> {
    let list = scene.person.get("/api/v1/proposals").unwrap();
    let open = |proposal: &&Value| proposal["state"] == "open";
    let id = |proposal: &Value| proposal["id"].as_str().unwrap().to_owned();
    list.as_array()
        .unwrap()
        .iter()
        .filter(open)
        .map(id)
        .collect()
}

/// Lets everything pass. Nobody accepts it.
const ANYTHING: &str = "@id(\"x.all\")\n@reason(\"x\")\npermit (principal, action, resource);\n";

#[test]
fn every_verb_of_the_command_line_proposes_stops_or_looks() {
    let mut scene = Scene::open().unwrap();
    let before = scene.before().unwrap();
    let agent = scene.agent(None).unwrap();
    let policy = scene.gateway.folder().join("all.cedar");
    std::fs::write(&policy, ANYTHING).unwrap();
    let policy = policy.display().to_string();
    let wide = scene.gateway.folder().join("wide.json");
    std::fs::write(
        &wide,
        tagout_tests::rights(&["destroy"], &["*:*"], &["production"]),
    )
    .unwrap();
    let wide = wide.display().to_string();
    let url = scene.railway.url();

    let proposing: &[&[&str]] = &[
        &[
            "upstream", "add", "--name", "railway", "--url", &url, "--pack", "railway", "--mode",
            "observe",
        ],
        &[
            "upstream",
            "add",
            "--name",
            "another",
            "--url",
            "https://elsewhere.example",
            "--mode",
            "observe",
        ],
        &["connection", "add", "--agent", "cursor", "--rights", &wide],
        &[
            "grant",
            "open",
            "--connection",
            &agent.connection,
            "--task",
            "all",
            "--effect",
            "destroy",
            "--effect",
            "write",
            "--environment",
            "production",
        ],
        &[
            "label",
            "--upstream",
            "railway",
            "--place",
            seed::PRODUCTION,
            "development",
        ],
        &["policy", "propose", &policy],
    ];
    let force = in_force(&scene);
    for (number, verb) in proposing.iter().enumerate() {
        let said = scene.gateway.command(verb).unwrap();
        assert!(said.status.success(), "{verb:?}: {said:?}");
        let talk = String::from_utf8_lossy(&said.stderr);
        assert!(talk.contains("nothing is in force yet"), "{verb:?}: {talk}");
        assert_eq!(in_force(&scene), force, "{verb:?}");
        assert_eq!(proposals(&scene).len(), number + 1, "{verb:?}");
        nothing_passes(&scene, &agent);
    }
    // A connection that nobody accepted has no token.
    let said = scene.gateway.command(proposing[2]).unwrap();
    let id = String::from_utf8_lossy(&said.stderr);
    let id = id.lines().next().unwrap().to_owned();
    let token = scene
        .gateway
        .command(&["connection", "token", &id])
        .unwrap();
    assert!(!token.status.success(), "{token:?}");
    // Setting up again changes nothing.
    let again = scene.gateway.command(&["init"]).unwrap();
    assert!(!again.status.success(), "{again:?}");

    // An answer that was made for one proposal accepts no other.
    let open = proposals(&scene);
    let settle = |id: &str| json!({"wish": "settle", "proposal": id, "decision": "approve"});
    let one = scene.person.begin(&settle(&open[0])).unwrap();
    let other = scene.person.begin(&settle(&open[1])).unwrap();
    let answer = scene.person.answer(&one).unwrap();
    assert!(scene.person.finish(&other, &answer).is_err());
    let refusal = json!({"wish": "settle", "proposal": open[0], "decision": "deny"});
    let refusing = scene.person.begin(&refusal).unwrap();
    let answer = scene.person.answer(&refusing).unwrap();
    scene.person.finish(&refusing, &answer).unwrap();
    assert!(scene.person.accept(&open[0]).is_err(), "refused is refused");
    assert_eq!(in_force(&scene), force);
    scene.evidence(&before, &[], &NOTHING, &[&agent]).unwrap();
}

#[test]
fn the_control_socket_proposes_stops_or_looks() {
    let mut scene = Scene::open().unwrap();
    let agent = scene.agent(None).unwrap();
    let held = agent.graphql(&volume_delete()).unwrap();
    let hold = held.hold().unwrap();
    let everything = json!([{"upstreams": "all", "effects": ["destroy", "write"], "resources": ["*:*"],
        "environments": ["production", "unknown", "staging"]}]);
    let force = in_force(&scene);
    // Made here so that it says what would be most useful to an agent.
    let key = json!({"change": "authenticator", "id": "auth_1PqLToUN7OHuthQPPfuak9",
        "person": "person_1PqLToUN7OHuthQPPfuak9", "name": "Eve", "credential": "AAAA", "public_key": "AAAA"});
    let changes = [
        json!({"change": "connect", "id": "conn_1PqLToUN7OHuthQPPfuak9", "agent": "a", "workspace": "w",
            "rights": everything, "budget": {}}),
        json!({"change": "open_grant", "id": "grant_1PqLToUN7OHuthQPPfuak9", "connection": agent.connection,
            "parent": null, "task": "t", "rights": everything, "budget": {}, "life_ms": 1_000_000}),
        json!({"change": "label", "upstream": "railway", "place": seed::PRODUCTION, "name": "n",
            "environment": "development"}),
        json!({"change": "upstream", "name": "railway", "url": scene.railway.url(), "aliases": [], "pack": "railway",
            "credential": "none", "header": "authorization: Bearer", "ca_file": null, "mode": "observe"}),
        json!({"change": "policies", "files": [["all.cedar", ANYTHING]]}),
        key,
    ];
    let mut proposed = 0;
    for change in &changes {
        let answer = asked(&scene, &json!({"ask": "propose", "change": change}));
        proposed += usize::from(answer.get("ok").is_some());
        assert_eq!(in_force(&scene), force, "{change}: {answer}");
    }
    assert!(proposed >= 5, "the proposals are understood: {proposed}");
    for ask in [
        json!({"ask": "approve", "hold": hold}),
        json!({"ask": "judge", "holds": [[hold, 0]], "decision": "approve"}),
        json!({"ask": "settle", "proposal": proposals(&scene)[0], "decision": "approve"}),
        json!({"ask": "accept", "id": proposals(&scene)[0]}),
        json!({"ask": "propose", "change": changes[0], "accepted": true, "by": "Ada", "state": "accepted"}),
        json!({"ask": "enrol", "name": "Eve"}),
        json!({"ask": "token", "id": "conn_1PqLToUN7OHuthQPPfuak9"}),
        json!(["propose"]),
    ] {
        asked(&scene, &ask);
        assert_eq!(in_force(&scene), force, "{ask}");
    }
    nothing_passes(&scene, &agent);
    // The end of a freeze is a proposal as well, and to stop is not.
    assert!(
        asked(&scene, &json!({"ask": "freeze", "reason": "r"}))
            .get("ok")
            .is_some()
    );
    let frozen = in_force(&scene);
    asked(&scene, &json!({"ask": "thaw"}));
    assert_eq!(in_force(&scene), frozen);
    let heard = agent.graphql("{ me { id } }").unwrap();
    assert_eq!(heard.kind().as_deref(), Some("FROZEN"), "{heard:?}");
}

#[test]
fn the_configuration_file_proposes() {
    let mut scene = Scene::open().unwrap();
    let agent = scene.agent(None).unwrap();
    let force = in_force(&scene);
    let file = scene.gateway.config();
    let text = std::fs::read_to_string(&file).unwrap();
    let upstream = |name: &str| {
        format!(
            "\n[[upstream]]\nname = \"{name}\"\nurl = \"{}\"\npack = \"railway\"\naliases = [\"backboard.railway.app\"]\ncredential = \"none\"\nheader = \"authorization: Bearer\"\nmode = \"observe\"\n",
            scene.railway.url()
        )
    };
    let edited = format!("{text}{}{}", upstream("railway"), upstream("open"));
    std::fs::write(&file, &edited).unwrap();
    scene.restart_with(&[]).unwrap();
    scene.person.sign_in().unwrap();
    assert_eq!(in_force(&scene), force);
    assert_eq!(proposals(&scene).len(), 2);
    nothing_passes(&scene, &agent);

    // Started again, it asks no second time.
    scene.restart_with(&[]).unwrap();
    scene.person.sign_in().unwrap();
    assert_eq!(proposals(&scene).len(), 2);

    // What no such file may say.
    for more in [
        "mode = \"observe\"",
        "approve = true",
        "[policy]\npermit = \"all\"",
        "[[grant]]\neffect = \"destroy\"",
        "[[person]]\nname = \"Eve\"",
    ] {
        std::fs::write(&file, format!("{more}\n{text}")).unwrap();
        let said = scene.gateway.command(&["serve"]).unwrap();
        assert_eq!(said.status.code(), Some(64), "{more}: {said:?}");
    }
    std::fs::write(&file, &text).unwrap();
}

#[test]
fn another_origin_or_key_in_the_file_starts_nothing() {
    let mut scene = Scene::open().unwrap();
    let agent = scene.agent(None).unwrap();
    nothing_passes(&scene, &agent);
    scene.gateway.kill().unwrap();
    let file = scene.gateway.config();
    let text = std::fs::read_to_string(&file).unwrap();
    let key = scene.gateway.folder().join("another.key");
    let hex = "00112233445566778899aabbccddeeff".repeat(2);
    std::fs::write(&key, hex).unwrap();
    let own = scene.gateway.key_file().display().to_string();
    for (from, to) in [
        (scene.gateway.origin(), "http://localhost:9".to_owned()),
        (own, key.display().to_string()),
    ] {
        std::fs::write(&file, text.replace(&from, &to)).unwrap();
        // It must end by itself: what goes on serving has accepted the change.
        let bounded = [
            "10",
            &scene.gateway.program().display().to_string(),
            "--config",
            &file.display().to_string(),
            "serve",
        ];
        let said = std::process::Command::new("timeout")
            .args(bounded)
            .output()
            .unwrap();
        assert_ne!(said.status.code(), Some(124), "{to} was accepted: {said:?}");
        assert!(!said.status.success(), "{said:?}");
    }
    std::fs::write(&file, &text).unwrap();
    scene.restart_with(&[]).unwrap();
    nothing_passes(&scene, &agent);
}
