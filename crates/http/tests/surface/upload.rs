//! Uploads on declared routes: longer than what is looked into, sent whole, recorded by their hash.

use std::fs;
use std::sync::{Arc, Mutex};

use tagout_core::digest::BytesDigest;
use tagout_core::pipeline::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Gateway, TOKEN, curl, gateway, pipeline, upstream};

/// What an upstream got: the heads, and the bodies that came with them.
type Got = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

async fn recording() -> (String, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let got = Got::default();
    let kept = Arc::clone(&got);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(record(stream, Arc::clone(&kept)));
        }
    });
    (url, got)
}

async fn record(mut stream: TcpStream, got: Got) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split('\r').next());
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await.unwrap();
    got.lock().unwrap().push((head, body));
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        .await
        .unwrap();
}

/// An archive of three megabytes, in a file for curl.
fn archive() -> (tempfile::NamedTempFile, Vec<u8>) {
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|index| (index % 251) as u8)
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &bytes).unwrap();
    (file, bytes)
}

async fn send(gateway: &Gateway, path: &str, headers: &[&str], file: &str) -> (u16, String) {
    let url = format!("http://{}/railway{path}", gateway.address);
    let (token, data) = (format!("Authorization: Bearer {TOKEN}"), format!("@{file}"));
    let mut args = vec![
        "-X",
        "POST",
        &url,
        "-H",
        &token,
        "-H",
        "Expect:",
        "--data-binary",
        &data,
    ];
    args.extend(headers.iter().flat_map(|header| ["-H", *header]));
    let got = curl(&args).await;
    (got.status, got.body)
}

#[tokio::test]
async fn a_declared_upload_arrives_whole_however_it_is_sent() {
    let (url, got) = recording().await;
    let gateway = gateway(pipeline(vec![upstream("railway", &url, "railway")], true)).await;
    let (file, bytes) = archive();
    let path = "/project/p/environment/e/up?message=x";
    let file = file.path().to_str().unwrap();
    for headers in [
        &["Content-Type: application/gzip"][..],
        &[
            "Content-Type: application/gzip",
            "Transfer-Encoding: chunked",
        ],
    ] {
        let sent = send(&gateway, path, headers, file).await;
        assert_eq!(sent, (200, "ok".to_owned()), "{headers:?}");
        let mut all = got.lock().unwrap();
        let (head, body) = all
            .iter()
            .find(|(head, _)| head.starts_with("post /project/"))
            .unwrap();
        assert!(*body == bytes, "{headers:?}");
        assert!(
            head.contains("content-type: application/gzip") && !head.contains("tagout"),
            "{head}"
        );
        all.clear();
    }
    let outcomes = gateway.pipeline.outcomes.lock().unwrap();
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Done(_))),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_long_body_elsewhere_is_refused_and_nobody_can_write_our_line() {
    let (url, got) = recording().await;
    let gateway = gateway(pipeline(vec![upstream("railway", &url, "railway")], true)).await;
    let (file, _) = archive();
    let file = file.path().to_str().unwrap();
    let line = format!("tagout-upload: {} 3000000", BytesDigest::of(b"x"));
    let sent = send(&gateway, "/graphql/v2", &[&line], file).await;
    assert_eq!(sent.0, 413, "{sent:?}");
    let sent = send(
        &gateway,
        "/project/p/environment/e/up",
        &[&line],
        "/dev/null",
    )
    .await;
    assert_eq!(sent, (200, "ok".to_owned()));
    let all = got.lock().unwrap();
    assert!(
        all.iter().all(|(head, _)| !head.contains("tagout-upload")),
        "{all:?}"
    );
}
