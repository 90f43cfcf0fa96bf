//! Clients that play by no rules. Among them the weaknesses that were found in PgBouncer, by their CVE.

use std::time::Duration;

use tagout_postgres::sign_in::DoorLimits;
use tagout_postgres::wire::server::{Authentication, ServerMessage};
use tagout_postgres::wire::{Arrived, Frames, Limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::house::{House, Papers, connection};

const SSL_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";

/// A packet without a tag.
fn packet(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&length.to_be_bytes()[..], body].concat()
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [vec![tag], packet(body)].concat()
}

fn startup(minor: u8, more: &str) -> Vec<u8> {
    let text = format!("user\0{}\0database\0shop\0{more}\0", connection());
    packet(&[&[0, 3, 0, minor], text.as_bytes()].concat())
}

fn sasl(mechanism: &str, first: &str) -> Vec<u8> {
    let length = i32::try_from(first.len()).unwrap().to_be_bytes();
    let body = [mechanism.as_bytes(), b"\0", &length, first.as_bytes()].concat();
    message(b'p', &body)
}

/// Sends these, each when something was answered to the one before; what came back until the end.
async fn talk(house: &House, steps: &[Vec<u8>]) -> Vec<u8> {
    let mut socket = TcpStream::connect(house.address).await.unwrap();
    let mut heard = Vec::with_capacity(1 << 16);
    for (at, step) in steps.iter().enumerate() {
        if at > 0 && socket.read_buf(&mut heard).await.unwrap_or(0) == 0 {
            return heard;
        }
        if socket.write_all(step).await.is_err() {
            break;
        }
    }
    // It is closed by the other side, or reset where it had not read everything.
    let end = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut heard));
    assert!(end.await.is_ok(), "the door stays open");
    heard
}

/// The last message, which must be an error with a SQLSTATE (CVE-2026-6666).
async fn error_in(heard: &[u8]) -> String {
    let mut from = heard;
    let mut frames = Frames::new(Limits::whole(1 << 16));
    let mut last = String::new();
    while let Ok(Some(Arrived::Frame(frame))) = frames.next(&mut from).await {
        if let Ok(ServerMessage::ErrorResponse(report)) = ServerMessage::read(&frame) {
            let code = report.field(b'C').unwrap();
            assert_eq!(report.severity(), "FATAL");
            last = format!("{code} {}", report.message());
        }
    }
    last
}

#[tokio::test]
async fn malformed_beginnings_are_refused_with_a_sqlstate() {
    let house = House::plain().await;
    let scram = |first: &str| vec![startup(0, ""), sasl("SCRAM-SHA-256", first)];
    let long = "x".repeat(300);
    let longer = "x".repeat(9_000);
    let cases: Vec<(&str, Vec<Vec<u8>>, &str)> = vec![
        // CVE-2026-6664: lengths that overflow or are negative.
        (
            "longest",
            vec![b"\x7f\xff\xff\xff\0\x03\0\0".to_vec()],
            "08P01",
        ),
        (
            "negative",
            vec![b"\xff\xff\xff\xff\0\x03\0\0".to_vec()],
            "08P01",
        ),
        ("smallest", vec![b"\x80\0\0\0\0\x03\0\0".to_vec()], "08P01"),
        ("none", vec![b"\0\0\0\0\0\x03\0\0".to_vec()], "08P01"),
        ("too short", vec![packet(b"\0\x03")], "08P01"),
        ("too long", vec![packet(&[b'x'; 10_001])], "08P01"),
        (
            "protocol 2",
            vec![packet(b"\0\x02\0\0user\0u\0\0")],
            "0A000",
        ),
        (
            "protocol 4",
            vec![packet(b"\0\x04\0\0user\0u\0\0")],
            "0A000",
        ),
        ("no user", vec![packet(b"\0\x03\0\0\0")], "TG002"),
        ("no end", vec![packet(b"\0\x03\0\0user\0u\0")], "08P01"),
        (
            "two users",
            vec![packet(b"\0\x03\0\0user\0a\0user\0b\0\0")],
            "08P01",
        ),
        (
            "not UTF-8",
            vec![packet(b"\0\x03\0\0user\0\xff\0\0")],
            "22021",
        ),
        // CVE-2025-12819: what stands in `search_path` is a value; another parameter is refused.
        (
            "a setting",
            vec![startup(0, "session_preload_libraries\0x\0")],
            "TG002",
        ),
        (
            "GSS twice",
            vec![GSS_REQUEST.to_vec(), GSS_REQUEST.to_vec()],
            "",
        ),
        (
            "a query first",
            vec![startup(0, ""), message(b'Q', b"SELECT 1\0")],
            "08P01",
        ),
        (
            "an unknown message",
            vec![startup(0, ""), message(b'!', b"")],
            "08P01",
        ),
        (
            "too long a proof",
            vec![startup(0, ""), message(b'p', &[b'x'; 10_001])],
            "08P01",
        ),
        (
            "a negative proof",
            vec![startup(0, ""), b"p\xff\xff\xff\xf0xxxx".to_vec()],
            "08P01",
        ),
        // CVE-2026-6665: nonces that are too long.
        ("a long nonce", scram(&format!("n,,n=,r={long}")), "08P01"),
        (
            "a longer nonce",
            scram(&format!("n,,n=,r={longer}")),
            "08P01",
        ),
        ("no nonce", scram("n,,n=,r="), "08P01"),
        ("somebody else", scram("n,a=other,n=,r=x"), "08P01"),
        (
            "a channel",
            scram("p=tls-server-end-point,,n=,r=x"),
            "08P01",
        ),
        (
            "no such mechanism",
            vec![startup(0, ""), sasl("SCRAM-SHA-1", "n,,n=,r=x")],
            "08P01",
        ),
        (
            "PLUS without TLS",
            vec![startup(0, ""), sasl("SCRAM-SHA-256-PLUS", "n,,n=,r=x")],
            "08P01",
        ),
        (
            "no proof",
            [scram("n,,n=,r=x"), vec![message(b'p', b"c=biws,r=x")]].concat(),
            "08P01",
        ),
        (
            "another nonce",
            [
                scram("n,,n=,r=x"),
                vec![message(
                    b'p',
                    format!("c=biws,r=x,p={}=", "A".repeat(43)).as_bytes(),
                )],
            ]
            .concat(),
            "08P01",
        ),
    ];
    for (name, steps, sqlstate) in cases {
        let mut heard = talk(&house, &steps).await;
        if sqlstate.is_empty() {
            // The answers about encryption stand before.
            assert_eq!(heard.remove(0), b'N', "{name}");
        }
        let expected = if sqlstate.is_empty() {
            "08P01"
        } else {
            sqlstate
        };
        let error = error_in(&heard).await;
        assert!(error.starts_with(expected), "{name}: {error}");
    }
}

/// CVE-2021-3935: what comes before TLS is never taken for what comes inside.
#[tokio::test]
async fn bytes_before_encryption_are_never_taken() {
    let house = House::open(Some(Papers::new().tls()), DoorLimits::default()).await;
    let together = [SSL_REQUEST, &startup(0, "")[..]].concat();
    let heard = talk(&house, &[together]).await;
    assert!(error_in(&heard).await.starts_with("08P01"), "{heard:?}");
    assert_eq!(house.heard().await, "Early");

    // Plain text after the consent is no TLS.
    let heard = talk(&house, &[SSL_REQUEST.to_vec(), startup(0, "")]).await;
    assert_eq!(heard.first(), Some(&b'S'));
    assert_eq!(error_in(&heard[1..]).await, "");
    let said = house.heard.lock().unwrap().last().cloned().unwrap();
    assert!(said.starts_with("Tls("), "{said}");
}

#[tokio::test]
async fn each_sort_of_encryption_can_be_asked_for_once() {
    let house = House::plain().await;
    let steps = [
        GSS_REQUEST.to_vec(),
        SSL_REQUEST.to_vec(),
        startup(0, ""),
        message(b'X', b""),
    ];
    let heard = talk(&house, &steps).await;
    assert_eq!(&heard[..3], b"NNR");
    let steps = [SSL_REQUEST.to_vec(), SSL_REQUEST.to_vec()];
    let heard = talk(&house, &steps).await;
    assert!(error_in(&heard[1..]).await.starts_with("08P01"));
}

#[tokio::test]
async fn newer_protocols_are_negotiated() {
    let house = House::plain().await;
    for (minor, more, negotiated) in [
        (0, "", None),
        (2, "", None),
        (1, "", Some((0, 0))),
        (99, "", Some((2, 0))),
        (2, "_pq_.a\0x\0_pq_.b\0y\0", Some((2, 2))),
        (0, "_pq_.a\0x\0", Some((0, 1))),
    ] {
        let heard = talk(&house, &[startup(minor, more), message(b'X', b"")]).await;
        let mut from = heard.as_slice();
        let mut frames = Frames::new(Limits::whole(1 << 16));
        let mut seen = None;
        loop {
            let Ok(Some(Arrived::Frame(frame))) = frames.next(&mut from).await else {
                panic!("no demand came: {heard:?}");
            };
            match ServerMessage::read(&frame).unwrap() {
                ServerMessage::NegotiateProtocolVersion {
                    newest_minor,
                    unknown,
                } => {
                    seen = Some((newest_minor, unknown));
                }
                ServerMessage::Authentication(Authentication::Sasl(_)) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, negotiated, "{minor} {more}");
    }
}

#[tokio::test]
async fn a_key_to_cancel_with_comes_in_without_a_name() {
    let house = House::plain().await;
    let heard = talk(&house, &[packet(b"\x04\xd2\x16\x2e\0\0\0\x07abcdefgh")]).await;
    assert!(heard.is_empty(), "{heard:?}");
    assert_eq!(house.heard().await, format!("cancel 7 {:?}", b"abcdefgh"));
}

/// Half-open connections are few, and end by themselves.
#[tokio::test]
async fn those_who_say_nothing_do_not_keep_others_out_for_long() {
    let limits = DoorLimits {
        strangers: 2,
        patience: Duration::from_millis(600),
        ..DoorLimits::default()
    };
    let house = House::open(Some(Papers::new().tls()), limits).await;
    let mut silent = TcpStream::connect(house.address).await.unwrap();
    let mut half_open = TcpStream::connect(house.address).await.unwrap();
    half_open.write_all(SSL_REQUEST).await.unwrap();
    assert_eq!(half_open.read_u8().await.unwrap(), b'S');

    let heard = talk(&house, &[startup(0, "")]).await;
    assert!(error_in(&heard).await.starts_with("53300"), "{heard:?}");

    // Both are closed when their time is over.
    let mut rest = Vec::new();
    let _ = silent.read_to_end(&mut rest).await;
    let _ = half_open.read_to_end(&mut rest).await;
    let heard = talk(&house, &[startup(0, ""), message(b'X', b"")]).await;
    assert_eq!(heard.first(), Some(&b'R'));
}
