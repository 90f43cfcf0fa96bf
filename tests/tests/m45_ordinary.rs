//! A week of ordinary work passes: nothing is held, nothing is denied.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use serde_json::Value;
use standin_railway::seed;
use tagout_stage::{Agent, App, Page, Web};
use tagout_tests::Scene;

/// One request of the corpus.
struct Ordinary {
    id: String,
    request: String,
}

impl Ordinary {
    fn host(&self) -> &str {
        let mut lines = self
            .request
            .split("\r\n")
            .filter_map(|line| line.split_once(':'));
        let host = lines.find(|(name, _)| name.eq_ignore_ascii_case("host"));
        host.map_or("backboard.railway.com", |(_, host)| host.trim())
    }
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
fn send(agent: &Agent, ordinary: &Ordinary) -> Page {
    let (head, body) = ordinary.request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let (method, path) = (first.next().unwrap(), first.next().unwrap());
    let token = format!("Bearer {}", agent.token);
    let mut headers = vec![("authorization", token.as_str())];
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "host" | "content-length" | "authorization" | "project-access-token" | "connection" => {
            }
            _ => headers.push((name, value)),
        }
    }
    let web = Web {
        address: agent.gateway.replace("http://", ""),
        host: ordinary.host().to_owned(),
    };
    web.send(method, path, &headers, body).unwrap()
}

/// As many gateways at the same time: each may ask the provider only so often, and what the corpus holds
/// is the work of days.
const GATEWAYS: usize = 6;

#[test]
fn m45_nothing_ordinary_is_held_or_denied() {
    let corpus = corpus();
    assert!(corpus.len() >= 300, "{}", corpus.len());
    let parts = corpus.chunks(corpus.len().div_ceil(GATEWAYS));
    let stopped: Vec<_> = std::thread::scope(|scope| {
        let works: Vec<_> = parts.map(|part| scope.spawn(|| stopped_of(part))).collect();
        works
            .into_iter()
            .flat_map(|work| work.join().unwrap())
            .collect()
    });
    assert!(
        stopped.is_empty(),
        "{} of {} were stopped: {stopped:#?}",
        stopped.len(),
        corpus.len()
    );
}

/// A connection with standing rights, and one task that a person has opened with one tap.
fn at_work(part: &[Ordinary]) -> (Scene, Agent) {
    let mut scene = Scene::open().unwrap();
    scene.label(seed::BLOG_PRODUCTION, "production").unwrap();
    // Whatever is not Railway is one application here: it answers that nothing is there.
    let app = App::start([]).unwrap();
    let hosts: BTreeSet<_> = part.iter().map(Ordinary::host).collect();
    let others = hosts.iter().filter(|host| !host.starts_with("backboard."));
    scene
        .register_app(&app, "guard", "staging", others.copied())
        .unwrap();
    let agent = scene.agent(None).unwrap();
    let environments = ["staging", "production"].map(|name| ["--environment", name]);
    let task = [&["--effect", "write"][..], environments.as_flattened()].concat();
    scene.grant(&agent, &task).unwrap();
    (scene, agent)
}

/// Those of the gateway's own answers that say no or not yet, with their beginnings.
fn stopped_of(part: &[Ordinary]) -> Vec<(String, String)> {
    let (scene, agent) = at_work(part);
    let answers = part.iter().map(|ordinary| {
        let answer = patiently(&agent, ordinary);
        (
            ordinary.id.clone(),
            answer.chars().take(240).collect::<String>(),
        )
    });
    let ours = |answer: &String| answer.contains(" by tagout:") || answer.contains(" by tagout (");
    let stopped: Vec<(String, String)> = answers.filter(|(_, answer)| ours(answer)).collect();
    let ledger = scene.sound_ledger().unwrap();
    let refused = |leaf: &Value| ["refused", "held"].iter().any(|kind| leaf["type"] == *kind);
    let refused = ledger
        .iter()
        .filter(|leaf| refused(leaf) && leaf["kind"] != "RATE");
    assert_eq!(refused.count(), stopped.len());
    scene.credentials_are_nowhere(&[&agent]).unwrap();
    stopped
}

/// Sends it; where the gateway says that it came too fast, waits as long as the gateway says.
fn patiently(agent: &Agent, ordinary: &Ordinary) -> String {
    for _ in 0..60 {
        let page = send(agent, ordinary);
        let wait = page
            .header("retry-after")
            .and_then(|seconds| seconds.parse().ok());
        match wait.filter(|_| page.body.contains("RATE by tagout")) {
            Some(seconds) => std::thread::sleep(Duration::from_secs(seconds)),
            None => return page.body,
        }
    }
    panic!("{} never passes the rate", ordinary.id)
}
