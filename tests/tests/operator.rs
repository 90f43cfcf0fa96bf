//! What an operator sees at the command line, and what somebody is told.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;
use standin_railway::seed;
use tagout_stage::Setting;
use tagout_tests::Scene;

/// Checks a webhook's signature with Python's own HMAC: each part is preceded by its length.
const CHECK: &str = "import hashlib, hmac, sys
key, at, body, given = sys.argv[1:5]
parts = [at.encode(), body.encode()]
text = b''.join(len(part).to_bytes(8, 'big') + part for part in parts)
made = 'v1=' + hmac.new(bytes.fromhex(key), text, hashlib.sha256).hexdigest()
sys.exit(0 if hmac.compare_digest(made, given) else 1)";

/// Receives POSTs until the test is over and passes on each whole request.
fn receiver() -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut text = String::new();
            let mut buffer = [0; 4096];
            while !is_whole(&text) {
                let count = stream.read(&mut buffer).unwrap();
                text.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    (port, requests)
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = header(head, "content-length").and_then(|length| length.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .into_iter()
        .find(|(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

#[test]
fn somebody_learns_of_a_hold_by_a_signed_webhook() {
    let (port, requests) = receiver();
    let config = format!("[notices]\nwebhook = \"http://127.0.0.1:{port}/tagout\"\n");
    let mut scene = Scene::open_with(Setting {
        config,
        ..Setting::default()
    })
    .unwrap();
    let agent = scene.agent(None).unwrap();
    let document = format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::BLOG_VOLUME
    );
    let hold = agent.graphql(&document).unwrap().hold().unwrap();

    let told = std::iter::from_fn(|| requests.recv_timeout(Duration::from_secs(20)).ok())
        .find(|request| request.contains("\"held\""))
        .unwrap();
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    let notice: Value = serde_json::from_str(body).unwrap();
    assert_eq!(notice["hold"], hold);
    assert!(
        notice["link"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/holds/{hold}")),
        "{notice}"
    );
    assert!(!told.contains(&agent.token) && !told.contains(seed::ACCOUNT_TOKEN));

    let key = scene.gateway.says(&["notice", "key"]).unwrap();
    let at = header(head, "tagout-timestamp").unwrap();
    let signature = header(head, "tagout-signature").unwrap();
    let check = |body: &str| {
        let arguments = ["-c", CHECK, &key, at, body, signature];
        Command::new("python3")
            .args(arguments)
            .status()
            .unwrap()
            .success()
    };
    assert!(check(body));
    assert!(!check(&body.replace("held", "HELD")));
}

#[test]
fn the_command_line_shows_places_health_and_the_record() {
    let mut scene = Scene::open().unwrap();
    let agent = scene.agent(None).unwrap();
    agent.graphql("{ me { id } }").unwrap();

    let places = scene
        .gateway
        .says(&["upstream", "places", "railway"])
        .unwrap();
    let label = |id: &str| {
        let line = places.lines().find(|line| line.contains(id)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(label(seed::PRODUCTION), "production");
    assert_eq!(label(seed::STAGING), "staging");
    assert_eq!(label(seed::BLOG_PRODUCTION), "unlabelled");

    let doctor = scene.gateway.command(&["doctor", "--json"]).unwrap();
    let found = String::from_utf8(doctor.stdout).unwrap();
    for line in found.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        // The agents of a test share the gateway's user, and doctor must say so.
        let well = line["what"] != "enforcement";
        assert_eq!(line["ok"], well, "{line}");
    }
    assert!(found.contains("\"upstream\""), "{found}");

    scene.gateway.ledger().unwrap();
    let tail = scene.gateway.says(&["ledger", "tail"]).unwrap();
    assert!(tail.contains("settled") && tail.contains("prop_"), "{tail}");
    assert!(
        scene
            .gateway
            .says(&["policy", "test"])
            .unwrap()
            .contains(" 0 failed")
    );
    let unknown = scene
        .gateway
        .command(&["hold", "show", "hold_nonsense"])
        .unwrap();
    assert_eq!(unknown.status.code(), Some(1));
}
