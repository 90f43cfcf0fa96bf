//! Every form in which one mutation can arrive, and who may send it.

use std::io::Write;

use crate::client::{bearer, exchange, exchange_h2, graphql, request, send, spawn, tls};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use standin_railway::{Config, Kind, Running, Standin, seed};
use tokio::net::TcpStream;

type Headers = Vec<(&'static str, String)>;

fn mutation() -> String {
    format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::POSTGRES_VOLUME
    )
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn volume_is_gone(running: &Running) -> bool {
    let instances = running.state.table("volumeInstances");
    let backups = running.state.table("backups");
    [
        seed::PRODUCTION_VOLUME_INSTANCE,
        seed::STAGING_VOLUME_INSTANCE,
    ]
    .iter()
    .all(|id| instances.get(id).is_none())
        && backups == json!({})
}

/// A brotli stream that holds the text as it is.
fn brotli(text: &str) -> Vec<u8> {
    let header = ((text.len() - 1) << 4) | (1 << 20);
    let mut stream = header.to_le_bytes()[..3].to_vec();
    stream.extend(text.as_bytes());
    stream.push(0x03);
    stream
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Method, query string, headers and body.
type Form = (Method, String, Headers, Vec<u8>);

fn forms() -> Vec<(&'static str, Form)> {
    let json_body = json!({ "query": mutation() }).to_string();
    let variables = json!({ "v": seed::POSTGRES_VOLUME });
    let text = "mutation D($v: String!) { gone: volumeDelete(volumeId: $v) }";
    let fragment = format!(
        "query Q {{ me {{ id }} }} mutation M {{ ...F }} fragment F on Mutation {{ a: volumeDelete(volumeId: \"{}\") @include(if: true) }}",
        seed::POSTGRES_VOLUME
    );
    let content = |ty: &str| vec![("content-type", ty.to_owned())];
    let packed = |name: &str| vec![("content-encoding", name.to_owned())];
    let post = |headers: Vec<(&'static str, String)>, body: Vec<u8>| {
        (Method::POST, String::new(), headers, body)
    };
    vec![
        ("no content type", post(vec![], json_body.clone().into())),
        (
            "curl's default",
            post(
                content("application/x-www-form-urlencoded"),
                json_body.clone().into(),
            ),
        ),
        (
            "json",
            post(content("application/json"), json_body.clone().into()),
        ),
        (
            "text",
            post(content("text/plain"), json_body.clone().into()),
        ),
        (
            "bare graphql",
            post(content("application/graphql"), mutation().into()),
        ),
        (
            "variables",
            post(
                vec![],
                json!({ "query": text, "variables": variables })
                    .to_string()
                    .into(),
            ),
        ),
        (
            "fragment",
            post(
                vec![],
                json!({ "query": fragment, "operationName": "M" })
                    .to_string()
                    .into(),
            ),
        ),
        (
            "duplicate key",
            post(
                vec![],
                format!("{{\"query\":\"{{me{{id}}}}\",{}", &json_body[1..]).into(),
            ),
        ),
        (
            "form",
            post(
                content("application/x-www-form-urlencoded"),
                format!("query={}", encoded(&mutation())).into(),
            ),
        ),
        (
            "batch",
            post(
                vec![],
                json!([{ "query": "{ me { id } }" }, { "query": mutation() }])
                    .to_string()
                    .into(),
            ),
        ),
        ("gzip", post(packed("gzip"), gzip(&json_body))),
        ("brotli", post(packed("br"), brotli(&json_body))),
        (
            "get",
            (
                Method::GET,
                format!("?query={}", encoded(&mutation())),
                vec![],
                vec![],
            ),
        ),
        (
            "get with variables",
            (
                Method::GET,
                format!(
                    "?query={}&variables={}",
                    encoded(text),
                    encoded(&variables.to_string())
                ),
                vec![],
                vec![],
            ),
        ),
    ]
}

#[tokio::test]
async fn one_mutation_in_every_form() {
    for (name, (method, query, mut headers, body)) in forms() {
        let running = spawn().await;
        let before = running.state.digest();
        headers.push(bearer());
        let path = format!("/graphql/v2{query}");
        let (status, text) = send(running.graphql_addr, request(method, &path, &headers, body))
            .await
            .unwrap();
        assert_eq!(status, StatusCode::OK, "{name}: {text}");
        assert!(
            text.contains("true") && volume_is_gone(&running),
            "{name}: {text}"
        );
        assert_ne!(running.state.digest(), before, "{name}");
        let log = running.state.requests();
        let last = log.last().unwrap();
        assert_eq!(
            (last.kind, last.field.as_str(), last.changed),
            (Kind::Mutation, "volumeDelete", true),
            "{name}"
        );
        assert_eq!(
            last.args,
            json!({ "volumeId": seed::POSTGRES_VOLUME }),
            "{name}"
        );
        running.shutdown().await;
    }
}

#[tokio::test]
async fn what_is_not_an_operation_is_rejected_and_recorded() {
    let ok = StatusCode::OK;
    let bad = StatusCode::BAD_REQUEST;
    let table: [(&str, StatusCode, Headers); 8] = [
        ("{\"query\": \"mutation { volumeDelete }\"}", ok, vec![]),
        ("{\"query\": \"mutation { volumeBurn }\"}", ok, vec![]),
        ("{\"query\": \"mutation {\"}", ok, vec![]),
        ("{\"quer", bad, vec![]),
        ("[]", bad, vec![]),
        ("{}", bad, vec![]),
        (
            "not gzip",
            bad,
            vec![("content-encoding", "gzip".to_owned())],
        ),
        (
            "{}",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            vec![("content-encoding", "zstd".to_owned())],
        ),
    ];
    let running = spawn().await;
    let before = running.state.digest();
    for (body, expected, mut headers) in table {
        headers.push(bearer());
        let request = request(Method::POST, "/graphql/v2", &headers, body);
        let (status, text) = send(running.graphql_addr, request).await.unwrap();
        assert_eq!(status, expected, "{body}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert!(answer["errors"][0]["message"].is_string(), "{body}: {text}");
        assert_eq!(
            running.state.requests().last().unwrap().kind,
            Kind::Rejected,
            "{body}"
        );
    }
    assert_eq!(running.state.requests().len(), 8);
    assert_eq!(running.state.digest(), before);
}

#[tokio::test]
async fn credentials_and_their_reach() {
    let account = bearer();
    let workspace = ("authorization", format!("bearer {}", seed::WORKSPACE_TOKEN));
    let project = (
        "project-access-token",
        seed::STAGING_PROJECT_TOKEN.to_owned(),
    );
    let wrong = ("authorization", "Bearer nonsense".to_owned());
    let as_bearer = (
        "authorization",
        format!("Bearer {}", seed::STAGING_PROJECT_TOKEN),
    );
    let environment = |id: &str| format!("{{ environment(id: \"{id}\") {{ id }} }}");
    let project_by_id = |id: &str| format!("{{ project(id: \"{id}\") {{ id }} }}");
    let instance = |id: &str| format!("{{ volumeInstance(id: \"{id}\") {{ id }} }}");
    let table = [
        (&account, "{ me { id } }".to_owned(), true),
        (&account, "{ projectToken { id } }".to_owned(), false),
        (&workspace, "{ me { id } }".to_owned(), false),
        (
            &workspace,
            "{ apiToken { workspaces { id name } } }".to_owned(),
            true,
        ),
        (&workspace, environment(seed::PRODUCTION), true),
        (
            &project,
            "{ projectToken { projectId environmentId } }".to_owned(),
            true,
        ),
        (&project, environment(seed::STAGING), true),
        (&project, environment(seed::PRODUCTION), false),
        (&project, environment(seed::BLOG_PRODUCTION), false),
        (&project, project_by_id(seed::PROJECT), true),
        (&project, project_by_id(seed::BLOG_PROJECT), false),
        (&project, instance(seed::STAGING_VOLUME_INSTANCE), true),
        (&project, instance(seed::PRODUCTION_VOLUME_INSTANCE), false),
        (
            &project,
            "mutation { apiTokenCreate(input: { name: \"x\" }) }".to_owned(),
            false,
        ),
        (&wrong, "{ me { id } }".to_owned(), false),
        (&as_bearer, "{ projectToken { id } }".to_owned(), false),
    ];
    let running = spawn().await;
    for (credential, query, allowed) in table {
        let body = json!({ "query": query }).to_string();
        let request = request(
            Method::POST,
            "/graphql/v2",
            std::slice::from_ref(credential),
            body,
        );
        let (_, text) = send(running.graphql_addr, request).await.unwrap();
        assert_eq!(
            !text.contains("Not Authorized"),
            allowed,
            "{credential:?} {query}: {text}"
        );
        assert_eq!(
            !text.contains("errors"),
            allowed,
            "{credential:?} {query}: {text}"
        );
    }
    let unauthorized = running
        .state
        .requests()
        .into_iter()
        .filter(|r| r.kind == Kind::Unauthorized);
    assert_eq!(unauthorized.count(), 2);
}

#[tokio::test]
async fn a_minted_token_works_until_it_is_deleted() {
    let running = spawn().await;
    let mint = "mutation { apiTokenCreate(input: { name: \"mine\" }) }";
    let minted = graphql(&running, mint, json!({})).await;
    let header = (
        "authorization",
        format!(
            "Bearer {}",
            minted["data"]["apiTokenCreate"].as_str().unwrap()
        ),
    );
    let me = json!({ "query": "{ me { email } apiTokens { edges { node { id name } } } }" });
    let ask = || {
        request(
            Method::POST,
            "/graphql/internal",
            std::slice::from_ref(&header),
            me.to_string(),
        )
    };
    let (_, text) = send(running.graphql_addr, ask()).await.unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    let edges = answer["data"]["apiTokens"]["edges"].as_array().unwrap();
    let own = edges.iter().find(|e| e["node"]["name"] == "mine").unwrap();
    let delete = "mutation($id: String!) { apiTokenDelete(id: $id) }";
    graphql(&running, delete, json!({ "id": own["node"]["id"] })).await;
    let (status, _) = send(running.graphql_addr, ask()).await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn plain_and_tls_both_versions() {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = signed.cert.der().clone();
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let plain = spawn().await;
    let secure = Config {
        tls: Some(config.into()),
        ..Config::default()
    };
    let secure = Standin::spawn(secure).await.unwrap();
    let ask = |uri: &str| {
        request(
            Method::POST,
            uri,
            &[bearer()],
            json!({ "query": "{ me { id } }" }).to_string(),
        )
    };
    let origin = "http://railway.test/graphql/v2";
    let tcp = || async { TcpStream::connect(plain.graphql_addr).await.unwrap() };
    let answers = [
        exchange(tcp().await, ask("/graphql/v2")).await.unwrap(),
        exchange_h2(tcp().await, ask(origin)).await.unwrap(),
        exchange(
            tls(secure.graphql_addr, roots.clone(), b"http/1.1").await,
            ask("/graphql/v2"),
        )
        .await
        .unwrap(),
        exchange_h2(tls(secure.graphql_addr, roots, b"h2").await, ask(origin))
            .await
            .unwrap(),
    ];
    for (status, text) in answers {
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains(seed::USER), "{text}");
    }
    let versions = |r: &Running| {
        r.state
            .requests()
            .into_iter()
            .map(|r| r.via)
            .collect::<Vec<_>>()
    };
    assert_eq!(versions(&plain), ["HTTP/1.1", "HTTP/2.0"]);
    assert_eq!(versions(&secure), ["HTTP/1.1", "HTTP/2.0"]);
}
