//! A week of ordinary work passes: nothing is held, nothing is denied.

use std::io::{BufRead as _, BufReader};

use serde_json::Value;
use standin_railway::seed;
use tagout_stage::{Agent, Web};
use tagout_tests::Scene;

/// One request of the corpus.
struct Ordinary {
    id: String,
    request: String,
}

fn corpus() -> Vec<Ordinary> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/ordinary.jsonl");
    let file = std::fs::File::open(path).unwrap();
    let read = |line: String| {
        let value: Value = serde_json::from_str(&line).unwrap();
        Ordinary {
            id: value["id"].as_str().unwrap().to_owned(),
            request: value["input"].as_str().unwrap().to_owned(),
        }
    };
    let lines = BufReader::new(file).lines().map(Result::unwrap);
    lines.filter(|line| !line.is_empty()).map(read).collect()
}

/// Sends the raw request with the agent's token as its only credential, and gives the answer.
fn send(agent: &Agent, ordinary: &Ordinary) -> String {
    let (head, body) = ordinary.request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let (method, path) = (first.next().unwrap(), first.next().unwrap());
    let mut host = "backboard.railway.com";
    let token = format!("Bearer {}", agent.token);
    let mut headers = vec![("authorization", token.as_str())];
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "host" => host = value,
            "content-length" | "authorization" | "project-access-token" | "connection" => {}
            _ => headers.push((name, value)),
        }
    }
    let web = Web {
        address: agent.gateway.replace("http://", ""),
        host: host.to_owned(),
    };
    let page = web.send(method, path, &headers, body).unwrap();
    page.body
}

#[test]
fn m45_nothing_ordinary_is_held_or_denied() {
    let corpus = corpus();
    assert!(corpus.len() >= 300, "{}", corpus.len());
    let mut scene = Scene::open().unwrap();
    scene.label(seed::BLOG_PRODUCTION, "production").unwrap();
    let agent = scene.agent(None).unwrap();
    // One task, opened by one tap.
    let task = [
        "--effect",
        "write",
        "--environment",
        "staging",
        "--environment",
        "production",
    ];
    scene.grant(&agent, &task).unwrap();

    let ours = |answer: &str| answer.contains(" by tagout");
    let stopped: Vec<_> = corpus
        .iter()
        .map(|ordinary| (&ordinary.id, send(&agent, ordinary)))
        .filter(|(_, answer)| ours(answer))
        .collect();
    assert!(
        stopped.is_empty(),
        "{} of {} were stopped: {stopped:#?}",
        stopped.len(),
        corpus.len()
    );
    let holds = scene.person.get("/api/v1/holds").unwrap();
    assert_eq!(holds.as_array().map(Vec::len), Some(0), "{holds}");
    scene.credentials_are_nowhere(&[&agent]).unwrap();
    let ledger = scene.sound_ledger().unwrap();
    let refused = ledger.iter().filter(|leaf| leaf["type"] == "refused");
    assert_eq!(refused.count(), 0);
}
