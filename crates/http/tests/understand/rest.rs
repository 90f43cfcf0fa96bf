//! Plain HTTP: what is written anew, uploads, secrets, and paths that servers read differently.

use bytes::Bytes;
use tagout_core::digest::BytesDigest;
use tagout_core::ids::UpstreamName;
use tagout_core::operation::{PathStep, SecretPath};

use crate::requests::{explainer, lines, understand};

fn text(message: &str) -> Bytes {
    Bytes::copy_from_slice(message.as_bytes())
}

#[test]
fn the_message_is_written_anew() {
    let message = "PATCH /api/sites/7?dry=1 HTTP/1.1\r\nHost: app.example\r\nAuthorization: Bearer x\r\nCookie: a=b\r\nX-Api-Key: k\r\n\
        X-Forwarded-For: 1.2.3.4\r\nTagout-Wait: 5\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nAccept: */*\r\nIf-Match: \"3\"\r\nTransfer-Encoding: chunked\r\n\
        Content-Type: application/json\r\n\r\n10\r\n{ \"title\" : \"a\" \r\n1\r\n}\r\n0\r\n\r\n";
    let operation = understand(&explainer(), &text(message)).unwrap();
    assert_eq!(
        String::from_utf8(operation.exact.bytes().to_vec()).unwrap(),
        "PATCH /api/sites/7?dry=1 HTTP/1.1\r\nhost: app.example\r\naccept: */*\r\nif-match: \"3\"\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{\"title\":\"a\"}"
    );
    assert_eq!(lines(&Ok(operation)), ["write site:7"]);
}

#[test]
fn secret_members_of_answers_are_named() {
    let listed = understand(
        &explainer(),
        &text("GET /api/keys HTTP/1.1\r\nhost: app.example\r\n\r\n"),
    )
    .unwrap();
    let path = ["keys", "value"].map(|name| PathStep::Field(name.to_owned()));
    assert_eq!(
        listed.secrets,
        [SecretPath(
            path.into_iter().chain([PathStep::All]).collect()
        )]
    );
}

#[test]
fn declared_uploads_pass_with_size_and_hash() {
    let explainer = explainer();
    let upstream: UpstreamName = "example-app".parse().unwrap();
    let understanding = explainer.understanding();
    let head = text(
        "PUT /api/sites/7/files/a/b.zip HTTP/1.1\r\nhost: app.example\r\ncontent-length: 4000000\r\n\r\n",
    );
    assert_eq!(
        understanding.upload_route(&upstream, &head).unwrap().path,
        "/api/sites/{id}/files/**"
    );
    let hash = BytesDigest::of(b"bulk");
    let operation = understanding
        .classify_upload(&upstream, &head, 4_000_000, hash)
        .unwrap();
    assert!(
        operation.shown.raw().contains("4000000 bytes")
            && operation.shown.raw().contains(&hash.to_string())
    );
    assert_eq!(lines(&Ok(operation)), ["write site:7"]);
    for other in [
        "PUT /api/sites/7 HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "POST /api/sites/7/files/a HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "PUT /api/sites/7/files/..%2f..%2fkeys HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "PUT /api/sites/7/files/../../keys HTTP/1.1\r\nhost: app.example\r\n\r\n",
    ] {
        assert_eq!(
            understanding.upload_route(&upstream, &text(other)),
            None,
            "{other}"
        );
        let operation = understanding
            .classify_upload(&upstream, &text(other), 1, hash)
            .unwrap();
        assert_eq!(lines(&Ok(operation)), ["unknown *:*"], "{other}");
    }
}

#[test]
fn paths_that_servers_read_differently_are_refused() {
    let explainer = explainer();
    for (line, refused) in [
        ("DELETE /api/agents/4%2f5", true),
        ("DELETE /api/agents/%2e%2e/sites/5", true),
        ("DELETE /api/agents/../sites/5", true),
        ("DELETE /api//agents/5", true),
        ("DELETE /api/agents/5;v=1", true),
        ("DELETE /api\\agents\\5", true),
        ("DELETE /api/agents/%2535", true),
        ("DELETE /api/agents/%00", true),
        ("DELETE /api/agents/%zz", true),
        ("GET /api/%6beys", false),
        ("GET /api%2fkeys", true),
        ("GET /api/x/..%2fkeys", true),
        ("GET /api/notes/a%2fb", false),
        ("DELETE /api/agents/%41", false),
    ] {
        let message = text(&format!("{line} HTTP/1.1\r\nhost: app.example\r\n\r\n"));
        let understood = understand(&explainer, &message);
        assert_eq!(
            understood.is_err(),
            refused,
            "{line}: {:?}",
            lines(&understood)
        );
    }
    let plain = understand(
        &explainer,
        &text("GET /api/%6beys HTTP/1.1\r\nhost: app.example\r\n\r\n"),
    );
    assert_eq!(lines(&plain), ["secret_read key:*"]);
    let letter = understand(
        &explainer,
        &text("DELETE /api/agents/%41 HTTP/1.1\r\nhost: app.example\r\n\r\n"),
    );
    assert_eq!(lines(&letter), ["destroy agent:A"]);
}

#[test]
fn ids_cannot_pass_for_patterns_or_for_nothing() {
    let explainer = explainer();
    for (body, effects) in [
        (r#"{"ids": ["*"]}"#, vec!["destroy agent:*"]),
        (r#"{"ids": [""]}"#, vec!["destroy agent:*"]),
        (r#"{"ids": null}"#, vec!["destroy agent:*"]),
        (
            r#"{"ids": [["a"], {"b": 1}]}"#,
            vec!["destroy agent:a", "destroy agent:*"],
        ),
    ] {
        let message = format!(
            "POST /api/agents/delete HTTP/1.1\r\nhost: app.example\r\ncontent-type: application/json\r\n\r\n{body}"
        );
        assert_eq!(
            lines(&understand(&explainer, &text(&message))),
            effects,
            "{body}"
        );
    }
}

#[test]
fn a_body_is_read_as_it_will_be_sent() {
    let explainer = explainer();
    let patch = |kind: &str, body: &str| {
        text(&format!(
            "PATCH /api/sites/7 HTTP/1.1\r\nhost: app.example\r\n{kind}\r\n{body}"
        ))
    };
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let json = r#"{"published":true}"#;
    for (kind, body, effects) in [
        ("", json, vec!["write site:7", "emit site:7"]),
        (form, json, vec!["write site:7", "emit site:7"]),
        (
            "content-type: text/plain\r\n",
            json,
            vec!["write site:7", "emit site:7"],
        ),
        (
            "content-type: application/vnd.api+json\r\n",
            json,
            vec!["write site:7", "emit site:7"],
        ),
        (
            "content-type: image/png\r\n",
            json,
            vec!["write site:7", "unknown *:*"],
        ),
        (
            "content-type: application/json\r\n",
            "{published:true}",
            vec!["unknown *:*"],
        ),
        (form, "html=%3Cp%3E", vec!["write site:7", "opaque site:7"]),
        (
            form,
            "html=a&html=b",
            vec!["refused: parameter `html` is given twice; send it once"],
        ),
        (
            form,
            "_method=DELETE",
            vec!["refused: `_method` overrides the method; send the method you mean"],
        ),
        ("content-encoding: deflate\r\n", json, vec!["unknown *:*"]),
    ] {
        assert_eq!(
            lines(&understand(&explainer, &patch(kind, body))),
            effects,
            "{kind} {body}"
        );
    }
    let sent = understand(&explainer, &patch(form, json)).unwrap();
    let sent = String::from_utf8(sent.exact.bytes().to_vec()).unwrap();
    assert!(
        sent.contains("content-type: application/json\r\n"),
        "{sent}"
    );
    let twice = text("GET /api/keys?tag=a&tag=b HTTP/1.1\r\nhost: app.example\r\n\r\n");
    assert_eq!(
        lines(&understand(&explainer, &twice)),
        ["secret_read key:*"]
    );
}
