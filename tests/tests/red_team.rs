//! What a hostile agent, or a careless colleague, tries against the real gateway.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use standin_railway::seed;
use tagout_stage::{Agent, Gateway};
use tagout_tests::{NOTHING, Scene, Told};

/// Where the agents' listener is.
fn address(gateway: &Gateway) -> String {
    gateway.agents().trim_start_matches("http://").to_owned()
}

/// Allows the gateway's processes only so many descriptors.
fn limit_descriptors(gateway: &Gateway, most: usize) {
    for pid in gateway.pids() {
        let limit = format!("--nofile={most}:{most}");
        // The shell around it may be gone already.
        let _ = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .output();
    }
}

#[test]
fn a_flood_of_connections_does_not_silence_the_command_line() {
    let scene = Scene::open().unwrap();
    let gateway = &scene.gateway;
    limit_descriptors(gateway, 128);
    let flood: Vec<TcpStream> = (0..160)
        .map_while(|_| TcpStream::connect(address(gateway)).ok())
        .inspect(|mut stream| {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX");
        })
        .collect();
    assert!(flood.len() > 128, "{} connections", flood.len());
    // Nobody can be heard now; that is not what this is about.
    let _ = gateway.command(&["connection", "list"]);
    drop(flood);
    let until = Instant::now() + Duration::from_secs(30);
    while let Err(error) = gateway.says(&["freeze", "a flood"]) {
        assert!(Instant::now() < until, "{error:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn idle_connections_do_not_keep_people_out() {
    let scene = Scene::open().unwrap();
    let console = scene
        .gateway
        .origin()
        .replace("http://localhost", "127.0.0.1");
    let idle: Vec<TcpStream> = (0..300)
        .map_while(|_| TcpStream::connect(&console).ok())
        .collect();
    assert_eq!(idle.len(), 300);
    scene.person.get("/api/v1/holds").unwrap();
}

/// What the gateway answers to these bytes, until it closes or says no more.
fn said_to(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address(gateway)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A connection that is kept open ends in the time-out; what came before counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Requests whose end, or whose destination, two servers could see in different places. Each hides a
/// second request, or a second meaning, that deletes a volume.
fn smuggled(agent: &Agent) -> Vec<(&'static str, String)> {
    let body = format!(
        r#"{{"query":"mutation{{volumeDelete(volumeId:\"{}\")}}"}}"#,
        seed::POSTGRES_VOLUME
    );
    let length = body.len();
    let token = format!("Authorization: Bearer {}\r\n", agent.token);
    let head = format!("POST /graphql/v2 HTTP/1.1\r\nHost: backboard.railway.app\r\n{token}");
    let inner = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let read = r#"{"query":"{me{id}}"}"#;
    let with = |lines: &str, rest: &str| format!("{head}{lines}Connection: close\r\n\r\n{rest}");
    let get = |query: &str| {
        format!(
            "GET /graphql/v2?{query} HTTP/1.1\r\nHost: backboard.railway.app\r\n{token}Connection: close\r\n\r\n"
        )
    };
    let deletes = format!(
        "mutation%7BvolumeDelete(volumeId:%22{}%22)%7D",
        seed::POSTGRES_VOLUME
    );
    vec![
        (
            "length and chunks",
            with(
                &format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
                &chunked,
            ),
        ),
        (
            "two codings",
            with(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                &chunked,
            ),
        ),
        (
            "an unknown coding",
            with("Transfer-Encoding: xchunked\r\n", &chunked),
        ),
        (
            "a blank before the colon",
            with(
                &format!(
                    "Transfer-Encoding : chunked\r\nContent-Length: {}\r\n",
                    read.len()
                ),
                &format!("{read}{inner}"),
            ),
        ),
        (
            "more than its length",
            with(
                &format!("Content-Length: {}\r\n", read.len()),
                &format!("{read}{inner}"),
            ),
        ),
        (
            "after a refusal",
            format!("GET http://evil/ HTTP/1.1\r\nHost: evil\r\n\r\n{inner}"),
        ),
        (
            "a bare carriage return",
            with(
                &format!("X: a\rContent-Length: 0\r\nContent-Length: {length}\r\n"),
                &body,
            ),
        ),
        (
            "a folded line",
            with(
                &format!("X: a\r\n Content-Length: 0\r\nContent-Length: {length}\r\n"),
                &body,
            ),
        ),
        (
            "two hosts",
            with(
                &format!("Host: other\r\nContent-Length: {length}\r\n"),
                &body,
            ),
        ),
        (
            "trailers and extensions",
            with(
                "Transfer-Encoding: chunked\r\n",
                &format!("{length:x};x=y\r\n{body}\r\n0\r\nX-HTTP-Method-Override: GET\r\n\r\n"),
            ),
        ),
        ("another case in the url", get(&format!("Query={deletes}"))),
        ("a list in the url", get(&format!("query[]={deletes}"))),
        (
            "another separator in the url",
            get(&format!("a=b;query={deletes}")),
        ),
        (
            "two in the url",
            get(&format!("query=%7Bme%7Bid%7D%7D&query={deletes}")),
        ),
    ]
}

#[test]
fn no_framing_hides_a_deletion() {
    let mut scene = Scene::open().unwrap();
    let agent = scene.agent(None).unwrap();
    let before = scene.before().unwrap();
    for (name, bytes) in smuggled(&agent) {
        let answer = said_to(&scene.gateway, bytes.as_bytes());
        assert!(
            !answer.contains("\"data\":{\"volumeDelete\""),
            "{name}: {answer}"
        );
        assert!(answer.starts_with("HTTP/1.1 "), "{name}: {answer}");
    }
    scene.evidence(&before, &[], &NOTHING, &[&agent]).unwrap();
}

#[test]
fn an_environment_that_is_named_does_not_narrow_the_deletion_of_a_service() {
    let mut scene = Scene::open().unwrap();
    let agent = scene.agent(None).unwrap();
    let before = scene.before().unwrap();
    let document = format!(
        "mutation {{ serviceDelete(id: \"{}\", environmentId: \"{}\") }}",
        seed::API_SERVICE,
        seed::PR_ENVIRONMENT
    );
    let heard = agent.graphql(&document).unwrap();
    let told = Told {
        heard: &heard,
        code: "HELD",
        resource: &format!("service:{}", seed::API_SERVICE),
        environment: "production",
    };
    scene
        .evidence(&before, &[told], &NOTHING, &[&agent])
        .unwrap();
}
