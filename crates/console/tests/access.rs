//! Who gets through: every route of the console, asked in every wrong way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails here fails the test"
)]

mod support;

use serde_json::json;
use support::desk::{CODE, propose};
use support::person::Person;
use support::samples::volume_delete;
use support::wire::Served;
use tagout_console::{Access, listed};
use tagout_core::ids::FreezeId;
use tagout_core::proposal::Change;

const TOKEN: &str = "Bearer tgo_0123456789abcdefghijklmnopqrstuvwxyz";

/// A console with one person, one hold and one proposal; and the route's path with a true id in it.
async fn furnished() -> (Served, Person, impl Fn(&str) -> String) {
    let served = Served::start().await;
    let person = Person::enrolled(&served).await;
    let hold = volume_delete(1);
    let id = hold.id.to_string();
    let proposal = {
        let mut state = served.desk.state();
        state.holds.push(hold);
        let freeze = FreezeId::from_bits([1; 16]);
        propose(&mut state, Change::Thaw { freeze }).to_string()
    };
    let path = move |template: &str| match template {
        "/holds/judge" => format!("/holds/judge?ids={id}"),
        template if template.starts_with("/proposals/") => template.replace("{id}", &proposal),
        template => template.replace("{id}", &id),
    };
    (served, person, path)
}

#[tokio::test]
async fn without_a_session_only_open_routes_answer() {
    let (served, _, path) = furnished().await;
    for route in listed() {
        let to = path(route.path);
        let answer = match route.method {
            "GET" => served.get(&to, "").await,
            _ => served.post(&to, "", &json!({})).await,
        };
        let api = route.path.starts_with("/api/");
        let expected: &[u16] = match (route.access, api) {
            (Access::Open, _) => &[200],
            (Access::Ceremony, _) => &[400, 404],
            (Access::Person, true) => &[401],
            (Access::Person, false) => &[303],
        };
        assert!(expected.contains(&answer.status), "{route:?} {answer:?}");
        if answer.status == 303 {
            let location = answer.header("location").unwrap();
            assert!(location.starts_with("/sign-in?next=/"), "{location}");
        }
        assert!(!answer.body.contains("postgres-data"), "{route:?}");
    }
}

#[tokio::test]
async fn an_agents_token_is_refused_everywhere() {
    let (served, person, path) = furnished().await;
    let host = served.authority();
    for route in listed() {
        for (name, value) in [
            ("authorization", TOKEN),
            ("proxy-authorization", TOKEN),
            ("authorization", "Basic dXNlcjp0Z29fMDEyMw=="),
            ("project-access-token", "tgo_0123456789"),
            ("cookie", "tagout_session=tgo_0123456789"),
        ] {
            let headers = [
                ("host", host.as_str()),
                ("origin", &served.origin),
                ("cookie", &person.cookie),
                (name, value),
            ];
            let answer = served
                .send(route.method, &path(route.path), &headers, "")
                .await;
            assert_eq!(answer.status, 403, "{route:?} {name}");
            assert!(answer.body.contains("count for nothing here"), "{answer:?}");
        }
    }
    for (to, body) in [
        ("/sign-in?next=tgo_0123", ""),
        ("/sign-in?next=tgo%5f0123", ""),
        ("/api/v1/freeze", "{\"reason\":\"tgo_0123\"}"),
    ] {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let headers = [
            ("host", host.as_str()),
            ("origin", &served.origin),
            ("cookie", &person.cookie),
            ("content-type", "application/json"),
        ];
        let answer = served.send(method, to, &headers, body).await;
        assert_eq!(answer.status, 403, "{to}");
    }
    assert_eq!(served.desk.state().frozen, None);
}

#[tokio::test]
async fn what_may_change_something_comes_from_the_consoles_own_pages() {
    let (served, person, path) = furnished().await;
    let host = served.authority();
    let longer = format!("{}0", served.origin);
    let wrong: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", &longer)],
        &[("origin", "http://127.0.0.1:80")],
        &[("origin", &served.origin), ("origin", &served.origin)],
        &[("origin", &served.origin), ("sec-fetch-site", "cross-site")],
        &[("origin", &served.origin), ("sec-fetch-site", "same-site")],
    ];
    for route in listed().into_iter().filter(|route| route.method == "POST") {
        for origin in wrong {
            let mut headers = vec![("host", host.as_str()), ("cookie", &person.cookie)];
            headers.extend(*origin);
            let answer = served.send("POST", &path(route.path), &headers, "{}").await;
            assert_eq!(answer.status, 403, "{route:?} {origin:?}");
        }
    }
    assert_eq!(served.desk.state().frozen, None);
}

#[tokio::test]
async fn other_names_for_this_address_are_not_the_console() {
    let (served, person, path) = furnished().await;
    let ip = format!("127.0.0.1:{}", served.port);
    for route in listed() {
        for host in [ip.as_str(), "localhost", "rebound.example", ""] {
            let headers = [
                ("host", host),
                ("origin", &served.origin),
                ("cookie", &person.cookie),
            ];
            let answer = served
                .send(route.method, &path(route.path), &headers, "")
                .await;
            assert_eq!(answer.status, 421, "{route:?} {host}");
        }
    }
}

#[tokio::test]
async fn every_answer_is_hardened_and_none_is_kept() {
    let (served, person, path) = furnished().await;
    let mut paths: Vec<_> = listed()
        .into_iter()
        .filter(|route| route.method == "GET")
        .map(|route| path(route.path))
        .collect();
    paths.push("/no-such-page".into());
    for to in paths {
        for cookie in ["", &person.cookie] {
            let answer = served.get(&to, cookie).await;
            let header = |name| answer.header(name).unwrap_or_default();
            let policy = header("content-security-policy");
            assert!(
                policy.starts_with("default-src 'none'; script-src 'self';"),
                "{to}"
            );
            assert!(!policy.contains("unsafe"), "{to}");
            assert_eq!(header("cache-control"), "no-store", "{to}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{to}");
            assert_eq!(header("x-frame-options"), "DENY", "{to}");
            assert_eq!(header("referrer-policy"), "same-origin", "{to}");
            assert!(!answer.body.contains("style=\""), "{to}");
            assert!(!answer.body.contains("<script>"), "{to}");
        }
    }
}

#[tokio::test]
async fn reading_changes_nothing() {
    let (served, person, path) = furnished().await;
    let before = format!("{:?}", served.desk.state().holds);
    for route in listed().into_iter().filter(|route| route.method == "GET") {
        let answer = served.get(&path(route.path), &person.cookie).await;
        assert_eq!(answer.status, 200, "{route:?}");
    }
    for route in listed().into_iter().filter(|route| route.method == "POST") {
        let answer = served.get(&path(route.path), &person.cookie).await;
        assert!([200, 405].contains(&answer.status), "{route:?} {answer:?}");
    }
    let state = served.desk.state();
    assert_eq!(format!("{:?}", state.holds), before);
    assert!(state.frozen.is_none() && state.proposals.len() == 1);
}

#[tokio::test]
async fn who_froze_is_told_to_signed_in_people_only() {
    let (served, person, _) = furnished().await;
    served.submit("/freeze", &person.cookie, "").await;
    for path in ["/api/v1/standing", "/sign-in"] {
        let open = served.get(path, "").await.body;
        assert!(open.contains("rozen") && !open.contains("Mara"), "{open}");
    }
    for path in ["/api/v1/standing", "/"] {
        assert!(served.get(path, &person.cookie).await.body.contains("Mara"));
    }
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let (served, person, _) = furnished().await;
    let body = json!({"wish": "enrol", "code": CODE, "name": "x".repeat(70_000)});
    let answer = served
        .post("/api/v1/ceremonies", &person.cookie, &body)
        .await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
}

#[tokio::test]
async fn json_says_that_it_is_json() {
    let (served, person, _) = furnished().await;
    let answer = served
        .submit(
            "/api/v1/ceremonies",
            &person.cookie,
            "{\"wish\":\"sign_in\"}",
        )
        .await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "malformed"));
}

#[tokio::test]
async fn the_sessions_secret_is_in_the_cookie_only() {
    let served = Served::start().await;
    let mut person = Person::enrolled(&served).await;
    let answer = person.perform(&served, &json!({"wish": "sign_in"})).await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    let secret = cookie.split(['=', ';']).nth(1).unwrap();
    assert!(secret.starts_with("session") && !answer.body.contains(secret));
    assert!(answer.json()["session"]["person"].is_string());
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    for (path, status) in [("/sign-out", 303), ("/api/v1/sign-out", 200)] {
        let served = Served::start().await;
        let person = Person::enrolled(&served).await;
        assert_eq!(served.get("/", &person.cookie).await.status, 200);
        let answer = served.submit(path, &person.cookie, "").await;
        assert_eq!(answer.status, status);
        assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
        assert_eq!(served.get("/", &person.cookie).await.status, 303);
    }
}
