//! The forward mode, and TLS everywhere: an agent's own host names, its tools, HTTP/2.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use standin_railway::{Config, Running, Standin, seed};
use tagout_http::{Authority, StopHandle, serve_forward, server_config, stop_signal};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::harness::{Direct, TOKEN, curl, gateway_with, pipeline, surface, upstream};

/// A directory with certificates, and an upstream that speaks TLS.
struct Setting {
    directory: TempDir,
    standin: Running,
    pipeline: Arc<Direct>,
}

struct Proxy {
    address: SocketAddr,
    stop: StopHandle,
    serving: tokio::task::JoinHandle<()>,
    ca_file: String,
}

fn self_signed(names: &[&str]) -> (String, CertificateDer<'static>, PrivateKeyDer<'static>) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    (made.cert.pem(), made.cert.der().clone(), key)
}

async fn setting() -> Setting {
    let directory = tempfile::tempdir().unwrap();
    let (pem, certificate, key) = self_signed(&["127.0.0.1", "localhost"]);
    let ca_file = directory.path().join("upstream.pem");
    fs::write(&ca_file, pem).unwrap();
    let tls = server_config(vec![certificate], key).unwrap();
    let standin = Standin::spawn(Config {
        tls: Some(tls),
        ..Config::default()
    })
    .await
    .unwrap();
    let mut railway = upstream(
        "railway",
        &format!("https://127.0.0.1:{}", standin.graphql_addr.port()),
        "railway",
    );
    railway.ca_file = Some(ca_file.to_str().unwrap().to_owned());
    railway.aliases = vec![
        "backboard.railway.app:443".to_owned(),
        "backboard.railway.app".to_owned(),
    ];
    Setting {
        directory,
        standin,
        pipeline: pipeline(vec![railway], false),
    }
}

async fn proxy(setting: &Setting) -> Proxy {
    let key = Authority::generate_key().unwrap();
    let hosts = setting.pipeline.adapter.upstreams().hosts();
    let ca_file = setting.directory.path().join("tagout.pem");
    fs::write(&ca_file, Authority::certificate(&key, &hosts).unwrap()).unwrap();
    let authority = Arc::new(Authority::new(&key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = stop_signal();
    let serving = tokio::spawn(serve_forward(
        listener,
        authority,
        surface(&setting.pipeline),
        stopped,
    ));
    Proxy {
        address,
        stop,
        serving,
        ca_file: ca_file.to_str().unwrap().to_owned(),
    }
}

const URL: &str = "https://backboard.railway.app/graphql/v2";
const ME: &str = r#"{"query":"{ me { id } }"}"#;

#[tokio::test]
async fn an_unmodified_client_works_through_the_proxy() {
    let setting = setting().await;
    let proxy = proxy(&setting).await;
    let via = format!("http://agent:{TOKEN}@{}", proxy.address);
    for version in ["--http2", "--http1.1"] {
        let got = curl(&[
            version,
            "--noproxy",
            "",
            "--proxy",
            &via,
            "--cacert",
            &proxy.ca_file,
            URL,
            "-d",
            ME,
        ])
        .await;
        assert_eq!(got.json()["data"]["me"]["id"], seed::USER, "{got:?}");
        let expected = if version == "--http2" {
            "http/2 200"
        } else {
            "http/1.1 200"
        };
        assert!(got.head.starts_with(expected), "{got:?}");
    }
    // The upstream was spoken to over HTTP/2, with its real credential.
    let requests = setting.standin.state.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.via == "HTTP/2.0" && request.caller.is_some())
    );
}

#[tokio::test]
async fn the_incident_is_held_in_the_tunnel() {
    let setting = setting().await;
    let proxy = proxy(&setting).await;
    let via = format!("http://agent:{TOKEN}@{}", proxy.address);
    let body = format!(
        r#"{{"query":"mutation {{ volumeDelete(volumeId: \"{}\") }}"}}"#,
        seed::POSTGRES_VOLUME
    );
    let base = ["--noproxy", "", "--proxy", &via, "--cacert", &proxy.ca_file];
    let got = curl(&[&base[..], &[URL, "-d", &body]].concat()).await;
    let error = got.json()["errors"][0].clone();
    assert_eq!(error["extensions"]["code"], "HELD", "{error}");
    let status = error["extensions"]["status_url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(status.starts_with("https://backboard.railway.app/.tagout/holds/"));
    let told = curl(&[&base[..], &[&status]].concat()).await;
    assert_eq!(told.json()["state"], "pending");
    // The credential that the agent found does not pass, and somebody hears of it.
    let found = format!("Authorization: Bearer {}", seed::ACCOUNT_TOKEN);
    let got = curl(&[&base[..], &[URL, "-H", &found, "-d", ME]].concat()).await;
    assert!(got.body.contains("DENIED by tagout"), "{got:?}");
    assert_eq!(setting.pipeline.strays.lock().unwrap().len(), 1);
}

fn connect_status(proxy: SocketAddr, request: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(proxy).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(10)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn tunnels_lead_to_registered_hosts_only_and_need_a_token() {
    let setting = setting().await;
    let proxy = proxy(&setting).await;
    let token = format!("Proxy-Authorization: Bearer {TOKEN}\r\n");
    for (line, headers, expected) in [
        ("CONNECT backboard.railway.app:443", "", "HTTP/1.1 407"),
        (
            "CONNECT backboard.railway.app:443",
            token.as_str(),
            "HTTP/1.1 200",
        ),
        ("CONNECT evil.example:443", &token, "HTTP/1.1 403"),
        ("CONNECT 169.254.169.254:80", &token, "HTTP/1.1 403"),
        ("CONNECT backboard.railway.app:22", &token, "HTTP/1.1 403"),
        (
            "CONNECT backboard.railway.app:443",
            "Proxy-Authorization: Bearer tgo_other\r\n",
            "HTTP/1.1 403",
        ),
        (
            "CONNECT backboard.railway.app:443",
            "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n",
            "HTTP/1.1 403",
        ),
        ("GET http://evil.example/", &token, "HTTP/1.1 403"),
        ("GET http://backboard.railway.app/", &token, "HTTP/1.1 403"),
    ] {
        let host = line
            .split(' ')
            .nth(1)
            .unwrap()
            .trim_start_matches("http://")
            .trim_end_matches('/');
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        let address = proxy.address;
        let answer = tokio::task::spawn_blocking(move || connect_status(address, &request))
            .await
            .unwrap();
        assert!(answer.starts_with(expected), "{line} {headers} {answer}");
        let is_407 = expected.ends_with("407");
        assert_eq!(
            answer.to_lowercase().contains("proxy-authenticate"),
            is_407,
            "{answer}"
        );
    }
    let other =
        format!("CONNECT backboard.railway.app:443 HTTP/1.1\r\nHost: evil.example\r\n{token}\r\n");
    let address = proxy.address;
    let answer = tokio::task::spawn_blocking(move || connect_status(address, &other))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(setting.standin.state.requests().is_empty());
}

#[tokio::test]
async fn the_host_in_the_tunnel_is_the_one_of_the_tunnel() {
    let setting = setting().await;
    let proxy = proxy(&setting).await;
    let via = format!("http://agent:{TOKEN}@{}", proxy.address);
    for host in ["Host: evil.example", "Host: 127.0.0.1"] {
        let got = curl(&[
            "--http1.1",
            "--noproxy",
            "",
            "--proxy",
            &via,
            "--cacert",
            &proxy.ca_file,
            URL,
            "-H",
            host,
            "-d",
            ME,
        ])
        .await;
        assert_eq!(got.status, 421, "{got:?}");
    }
    assert!(setting.standin.state.requests().is_empty());
}

#[tokio::test]
async fn a_proxy_stops_when_told() {
    let setting = setting().await;
    let proxy = proxy(&setting).await;
    proxy.stop.stop();
    proxy.serving.await.unwrap();
}

#[tokio::test]
async fn the_reverse_mode_speaks_tls_and_both_versions() {
    let setting = setting().await;
    let (pem, certificate, key) = self_signed(&["localhost", "backboard.railway.app"]);
    let ca_file = setting.directory.path().join("gateway.pem");
    fs::write(&ca_file, pem).unwrap();
    let ca_file = ca_file.to_str().unwrap();
    let tls = server_config(vec![certificate], key).unwrap();
    let gateway = gateway_with(Arc::clone(&setting.pipeline), Some(tls)).await;
    let address = gateway.address;
    let token = format!("Authorization: Bearer {TOKEN}");
    let resolve = format!("backboard.railway.app:{}:127.0.0.1", address.port());
    for (version, host, path) in [
        ("--http2", "localhost", "/railway/graphql/v2"),
        ("--http1.1", "localhost", "/railway/graphql/v2"),
        ("--http2", "backboard.railway.app", "/graphql/v2"),
        ("--http1.1", "backboard.railway.app", "/graphql/v2"),
    ] {
        let url = format!("https://{host}:{}{path}", address.port());
        let got = curl(&[
            version,
            "--resolve",
            &resolve,
            "--cacert",
            ca_file,
            &url,
            "-H",
            &token,
            "-d",
            ME,
        ])
        .await;
        assert_eq!(
            got.json()["data"]["me"]["id"],
            seed::USER,
            "{version} {url} {got:?}"
        );
    }
    // Fronting: the handshake names one host, the request another.
    let url = format!("https://localhost:{}/graphql/v2", address.port());
    for version in ["--http2", "--http1.1"] {
        let got = curl(&[
            version,
            "--cacert",
            ca_file,
            &url,
            "-H",
            "Host: backboard.railway.app",
            "-H",
            &token,
            "-d",
            ME,
        ])
        .await;
        assert!(got.status == 421 || got.status == 400, "{got:?}");
    }
}

#[test]
fn an_authority_is_for_its_hosts_only() {
    let key = Authority::generate_key().unwrap();
    let hosts = vec!["backboard.railway.app".to_owned()];
    let pem = Authority::certificate(&key, &hosts).unwrap();
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let text = certificate.as_ref();
    let contains = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    // Name constraints (2.5.29.30), and the host in them.
    assert!(contains(&[0x06, 0x03, 0x55, 0x1d, 0x1e]) && contains(b"backboard.railway.app"));
    assert!(Authority::new("no key").is_err());
}

/// Opens a tunnel by hand and speaks TLS in it, with what was promised to agents as the only trust.
async fn in_tunnel(proxy: &Proxy) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let mut stream = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
    let request = format!(
        "CONNECT backboard.railway.app:443 HTTP/1.1\r\nHost: backboard.railway.app:443\r\nProxy-Authorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&proxy.ca_file).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "backboard.railway.app".try_into().unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

#[tokio::test]
async fn websockets_work_in_the_tunnel_and_over_tls_to_the_upstream() {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

    let setting = setting().await;
    let proxy = proxy(&setting).await;
    let mut request = "wss://backboard.railway.app/graphql/v2"
        .into_client_request()
        .unwrap();
    let protocol = "graphql-transport-ws".parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let stream = in_tunnel(&proxy).await;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    let query = format!(
        "subscription {{ deploymentLogs(deploymentId: \"{}\") {{ message }} }}",
        seed::STAGING_DEPLOYMENT
    );
    let subscribe =
        serde_json::json!({"id": "1", "type": "subscribe", "payload": {"query": query}});
    socket
        .send(Message::text(r#"{"type":"connection_init"}"#))
        .await
        .unwrap();
    socket
        .send(Message::text(subscribe.to_string()))
        .await
        .unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), socket.next()).await;
        heard.push(next.unwrap().unwrap().unwrap().to_string());
    }
    assert!(
        heard[0].contains("connection_ack") && heard[1].contains("deploymentLogs"),
        "{heard:?}"
    );
}
