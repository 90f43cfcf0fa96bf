//! The reverse mode: credentials, hosts, limits.

use crate::harness::{TOKEN, curl, railway};

#[tokio::test]
async fn strays_and_missing_tokens_are_refused_and_nothing_is_forwarded() {
    let (standin, gateway) = railway(false).await;
    let url = format!("http://{}/railway/graphql/v2", gateway.address);
    let token = format!("Authorization: Bearer {TOKEN}");
    let body = r#"{"query":"{ me { id } }"}"#;
    for (headers, status, begins) in [
        (
            &["Authorization: Bearer 5f0f4d1e-real"][..],
            200,
            "DENIED by tagout",
        ),
        (
            &[&token, "Project-Access-Token: 5f0f4d1e"],
            200,
            "DENIED by tagout",
        ),
        (&[&token, "Cookie: a=b"], 200, "DENIED by tagout"),
        (&[], 401, "TOKEN by tagout"),
        (&["Authorization: Bearer tgo_other"], 401, "TOKEN by tagout"),
    ] {
        let mut args = vec!["-X", "POST", &url, "-d", body];
        args.extend(headers.iter().flat_map(|header| ["-H", *header]));
        let got = curl(&args).await;
        assert_eq!(got.status, status, "{headers:?} {got:?}");
        assert!(got.body.contains(begins), "{headers:?} {got:?}");
    }
    assert_eq!(gateway.pipeline.strays.lock().unwrap().len(), 3);
    assert!(standin.state.requests().is_empty());
}

#[tokio::test]
async fn a_client_that_insists_on_its_own_header_may_send_the_token_there() {
    let (_standin, gateway) = railway(false).await;
    let url = format!("http://{}/railway/graphql/v2", gateway.address);
    let header = format!("Project-Access-Token: {TOKEN}");
    let got = curl(&[
        "-X",
        "POST",
        &url,
        "-H",
        &header,
        "-d",
        r#"{"query":"{ me { id } }"}"#,
    ])
    .await;
    assert!(got.json()["data"]["me"]["id"].is_string(), "{got:?}");
}

#[tokio::test]
async fn unknown_hosts_and_addresses_are_refused() {
    let (_standin, gateway) = railway(false).await;
    let base = format!("http://{}", gateway.address);
    let token = format!("Authorization: Bearer {TOKEN}");
    let other = curl(&[
        &format!("{base}/x"),
        "-H",
        "Host: evil.example",
        "-H",
        &token,
    ])
    .await;
    assert_eq!(other.status, 403);
    assert!(
        other
            .body
            .contains("no upstream is registered for `evil.example`"),
        "{other:?}"
    );
    let health = curl(&[&format!("{base}/.tagout/health")]).await;
    assert_eq!(
        (health.status, health.body.as_str()),
        (200, r#"{"status":"ok"}"#)
    );
    let nothing = curl(&[&format!("{base}/.tagout/else"), "-H", &token]).await;
    assert_eq!(nothing.status, 404);
}

#[tokio::test]
async fn a_gateway_stops_when_told() {
    let (_standin, gateway) = railway(false).await;
    gateway.stop.stop();
    gateway.serving.await.unwrap();
    assert!(
        tokio::net::TcpStream::connect(gateway.address)
            .await
            .is_err()
    );
}

/// Sends raw bytes, and reads until the gateway closes or has answered once.
async fn raw(address: std::net::SocketAddr, pieces: &[&str]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    for piece in pieces {
        stream.write_all(piece.as_bytes()).await.unwrap();
    }
    let mut answer = vec![0; 8192];
    let reading = stream.read(&mut answer);
    let length = tokio::time::timeout(std::time::Duration::from_secs(10), reading).await;
    String::from_utf8_lossy(&answer[..length.expect("an answer in time").unwrap_or(0)]).into_owned()
}

#[tokio::test]
async fn what_two_servers_could_read_differently_is_refused() {
    let (standin, gateway) = railway(false).await;
    let token = format!("Authorization: Bearer {TOKEN}");
    let head = format!(
        "POST /railway/graphql/v2 HTTP/1.1\r\nHost: {}\r\n{token}\r\n",
        gateway.address
    );
    let query = r#"{"query":"{ me { id } }"}"#;
    let chunked = format!(
        "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{query}\r\n0\r\n\r\n",
        query.len()
    );
    let fine = raw(gateway.address, &[&head, &chunked]).await;
    assert!(fine.starts_with("HTTP/1.1 200"), "{fine}");
    let before = standin.state.requests().len();
    for rest in [
        format!("Content-Length: 5\r\n{chunked}"),
        format!("Content-Length: 5\r\nContent-Length: 6\r\n\r\n{query}"),
        format!(
            "Host: other\r\nContent-Length: {}\r\n\r\n{query}",
            query.len()
        ),
        format!("Transfer-Encoding: gzip\r\n\r\n{query}"),
        "Content-Length: x\r\n\r\n".to_owned(),
    ] {
        let answer = raw(gateway.address, &[&head, &rest]).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{rest}\n{answer}");
    }
    assert_eq!(standin.state.requests().len(), before);
}

#[tokio::test]
async fn http2_is_agreed_on_in_tls_or_not_spoken() {
    let (_standin, gateway) = railway(false).await;
    let answer = raw(
        gateway.address,
        &["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"],
    )
    .await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn the_agents_user_is_looked_up() {
    use std::os::unix::fs::MetadataExt as _;
    let (_standin, gateway) = railway(false).await;
    let url = format!("http://{}/railway/x", gateway.address);
    let token = format!("Authorization: Bearer {TOKEN}");
    curl(&[&url, "-H", &token]).await;
    let own = std::fs::metadata("/proc/self").unwrap().uid();
    let peers = gateway.pipeline.peers.lock().unwrap();
    assert_eq!(peers[0].uid, Some(own));
    assert!(peers[0].address.ip().is_loopback());
}

#[tokio::test]
async fn what_is_too_long_is_refused_before_it_is_read() {
    let (_standin, gateway) = railway(false).await;
    let token = format!("Authorization: Bearer {TOKEN}");
    let head = format!(
        "POST /railway/graphql/v2 HTTP/1.1\r\nHost: {}\r\n{token}\r\n",
        gateway.address
    );
    let answer = raw(gateway.address, &[&head, "Content-Length: 1048577\r\n\r\n"]).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let line = format!("X: {}\r\n\r\n", "x".repeat(400_000));
    let answer = raw(gateway.address, &[&head, &line]).await;
    assert!(
        answer.starts_with("HTTP/1.1 431") || answer.is_empty(),
        "{answer}"
    );
}
