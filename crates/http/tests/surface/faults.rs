//! Upstreams that misbehave: what became of an effect must be told truly, and nothing is sent twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tagout_core::pipeline::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Gateway, Got, TOKEN, curl, gateway, pipeline, upstream};

/// An upstream that answers every request with these bytes and then, if there are none, closes.
struct Scripted {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

async fn scripted(answer: &'static str) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(play(stream, answer, Arc::clone(&counted)));
        }
    });
    Scripted { address, requests }
}

async fn play(mut stream: TcpStream, answer: &'static str, requests: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let length = text
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split('\r').next());
    let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}

async fn through(
    scripted: &Scripted,
    method: &str,
    path: &str,
    headers: &[&str],
) -> (Got, Gateway) {
    let api = upstream(
        "api",
        &format!("http://{}", scripted.address),
        "rest-default",
    );
    let gateway = gateway(pipeline(vec![api], true)).await;
    let url = format!("http://{}/api{path}", gateway.address);
    let token = format!("Authorization: Bearer {TOKEN}");
    let mut args = vec!["-X", method, &url, "-H", &token];
    args.extend(headers.iter().flat_map(|header| ["-H", *header]));
    (curl(&args).await, gateway)
}

fn outcome(gateway: &Gateway) -> Outcome {
    gateway.pipeline.outcomes.lock().unwrap()[0].clone()
}

#[tokio::test]
async fn an_effect_whose_answer_is_lost_is_unknown_and_not_sent_again() {
    let lost = scripted("").await;
    let (got, gateway) = through(&lost, "DELETE", "/agents/7", &[]).await;
    assert!(
        matches!(outcome(&gateway), Outcome::Unknown(_)),
        "{:?}",
        outcome(&gateway)
    );
    assert_eq!((got.status, lost.requests.load(Ordering::SeqCst)), (502, 1));
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_sent_once_more() {
    let lost = scripted("").await;
    let (_, gateway) = through(&lost, "GET", "/agents/7", &[]).await;
    assert!(matches!(outcome(&gateway), Outcome::Failed(_)));
    assert_eq!(lost.requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_could_not_be_sent_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = Scripted {
        address: listener.local_addr().unwrap(),
        requests: Arc::default(),
    };
    drop(listener);
    let (got, gateway) = through(&gone, "DELETE", "/agents/7", &[]).await;
    assert!(
        matches!(outcome(&gateway), Outcome::NotSent(_)),
        "{:?}",
        outcome(&gateway)
    );
    assert_eq!(got.status, 502);
}

#[tokio::test]
async fn answers_are_cleaned() {
    let answer = "HTTP/1.1 302 Found\r\ncontent-length: 5\r\nset-cookie: session=1\r\nkeep-alive: timeout=5\r\n\
        location: https://evil.example/\r\nx-echo: Bearer 5f0f4d1e-6b0c-4b39-8f67-a0c0de000001\r\nx-kept: 1\r\n\r\nhello";
    let (got, gateway) = through(&scripted(answer).await, "GET", "/login", &[]).await;
    assert_eq!((got.status, got.body.as_str()), (302, "hello"));
    for gone in ["set-cookie", "keep-alive", "location", "5f0f4d1e"] {
        assert!(!got.head.contains(gone), "{}", got.head);
    }
    assert!(
        got.head.contains("x-kept: 1") && got.head.contains("x-echo: bearer [gone]"),
        "{}",
        got.head
    );
    assert!(matches!(outcome(&gateway), Outcome::Done(_)));
}

#[tokio::test]
async fn a_rejected_credential_of_ours_is_not_shown_as_the_agents() {
    let answer = "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\ncontent-length: 9\r\n\r\nbad token";
    let (got, gateway) = through(&scripted(answer).await, "GET", "/x", &[]).await;
    assert_eq!(got.status, 502, "{got:?}");
    assert!(
        !got.head.contains("www-authenticate") && !got.body.contains("bad token"),
        "{got:?}"
    );
    assert!(
        got.body.contains("no other credential helps here"),
        "{got:?}"
    );
    assert!(matches!(outcome(&gateway), Outcome::Failed(_)));
}

#[tokio::test]
async fn an_echoed_credential_is_taken_out_of_streams() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
        14\r\nyour token: 5f0f4d1e\r\n1f\r\n-6b0c-4b39-8f67-a0c0de000001 ok\r\n0\r\n\r\n";
    let (got, _gateway) = through(&scripted(answer).await, "GET", "/echo", &[]).await;
    assert_eq!(got.body, "your token: [gone] ok");
}

#[tokio::test]
async fn what_the_agent_claims_about_itself_does_not_reach_the_upstream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let length = stream.read(&mut head).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .unwrap();
        String::from_utf8_lossy(&head[..length]).to_lowercase()
    });
    let target = Scripted {
        address,
        requests: Arc::default(),
    };
    let headers = [
        "X-Forwarded-For: 1.2.3.4",
        "Forwarded: for=1.2.3.4",
        "Connection: close, X-Hop",
        "X-Hop: 1",
        "X-Kept: 1",
        "Accept-Encoding: gzip",
    ];
    let (got, _gateway) = through(&target, "GET", "/a?b=c", &headers).await;
    assert_eq!(got.status, 204);
    let seen = seen.await.unwrap();
    assert!(seen.starts_with("get /a?b=c http/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("host: {address}\r\n")), "{seen}");
    assert!(
        seen.contains("x-kept: 1") && seen.contains("accept-encoding: identity"),
        "{seen}"
    );
    assert!(seen.contains("authorization: bearer 5f0f4d1e"), "{seen}");
    for gone in ["forwarded", "x-hop", "tgo_"] {
        assert!(!seen.contains(gone), "{gone}: {seen}");
    }
}

#[tokio::test]
async fn what_an_agent_began_is_brought_to_its_end_when_it_hangs_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let api = upstream("api", &format!("http://{address}"), "rest-default");
    let gateway = gateway(pipeline(vec![api], true)).await;
    let mut agent = TcpStream::connect(gateway.address).await.unwrap();
    let request = format!(
        "DELETE /api/agents/7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    agent.write_all(request.as_bytes()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = [0; 4096];
    assert!(stream.read(&mut head).await.unwrap() > 0);
    drop(agent);
    // Time for the gateway to see that the agent is gone.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    let outcome = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        loop {
            if let Some(outcome) = gateway.pipeline.outcomes.lock().unwrap().first() {
                return outcome.clone();
            }
            tokio::task::yield_now().await;
        }
    });
    assert!(matches!(outcome.await, Ok(Outcome::Done(_))));
}

#[tokio::test]
async fn a_stream_ends_when_everything_is_stopped() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let api = upstream("api", &format!("http://{address}"), "rest-default");
    let gateway = gateway(pipeline(vec![api], false)).await;
    let mut agent = TcpStream::connect(gateway.address).await.unwrap();
    let request =
        format!("GET /api/log HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    agent.write_all(request.as_bytes()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut buffer = [0; 4096];
    assert!(stream.read(&mut buffer).await.unwrap() > 0);
    // The look for an echoed credential lets whole lines pass at once.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
        d\r\ndata: first\n\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut heard = String::new();
    while !heard.contains("first") {
        let length = agent.read(&mut buffer).await.unwrap();
        assert!(length > 0, "{heard}");
        heard.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }

    gateway.pipeline.stopped.store(true, Ordering::SeqCst);
    // The gateway may have hung up already, and so refuse this.
    let _ = stream
        .write_all(b"e\r\ndata: second\n\n\r\n0\r\n\r\n")
        .await;
    let mut rest = Vec::new();
    let _ = agent.read_to_end(&mut rest).await;
    let rest = String::from_utf8(rest).unwrap();
    assert!(
        !rest.contains("second") && !rest.contains("0\r\n"),
        "{rest}"
    );
}

/// Answers requests on one connection after another, and counts connections.
async fn keeping(answer: &'static str) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut head = [0; 4096];
                while stream.read(&mut head).await.is_ok_and(|length| length > 0) {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    Scripted {
        address,
        requests: connections,
    }
}

#[tokio::test]
async fn connections_to_upstreams_are_used_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let kept = keeping(answer).await;
        let api = upstream("api", &format!("http://{}", kept.address), "rest-default");
        let gateway = gateway(pipeline(vec![api], true)).await;
        let url = format!("http://{}/api/x", gateway.address);
        let token = format!("Authorization: Bearer {TOKEN}");
        for _ in 0..5 {
            curl(&[&url, "-H", &token]).await;
        }
        assert_eq!(kept.requests.load(Ordering::SeqCst), 1, "{answer}");
    }
}

#[tokio::test]
async fn events_arrive_while_the_upstream_still_sends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let api = upstream("api", &format!("http://{address}"), "rest-default");
    let gateway = gateway(pipeline(vec![api], true)).await;
    let mut agent = TcpStream::connect(gateway.address).await.unwrap();
    let request =
        format!("GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    agent.write_all(request.as_bytes()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = [0; 4096];
    assert!(stream.read(&mut head).await.unwrap() > 0);
    let begin = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\nd\r\ndata: first\n\n\r\n";
    stream.write_all(begin.as_bytes()).await.unwrap();
    let mut seen = String::new();
    let reading = async {
        while !seen.contains("data: first") {
            let mut piece = [0; 1024];
            let length = agent.read(&mut piece).await.unwrap();
            assert!(length > 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), reading)
        .await
        .expect("the event in time");
}
