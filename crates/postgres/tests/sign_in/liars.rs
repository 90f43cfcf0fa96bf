//! Servers that are not what they seem, played byte by byte: no real one behaves so.

use std::time::Duration;

use bytes::BytesMut;
use tagout_postgres::sign_in::{Role, ServerAddress, ServerError, ServerTls, connect};
use tagout_postgres::wire::server::Status;
use tagout_postgres::wire::write::{self, Said};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::vault::{OnePassword, leave, upstream};

const PASSWORD: &str = "a-password-that-nobody-sees";

/// What a liar says next, and whether it knows the client's nonce by then.
type Step = Box<dyn Fn(&mut BytesMut, &str) + Send>;

/// Says these, each after something was heard; gives what signing in there comes to.
async fn at_a_liar(steps: Vec<Step>) -> ServerError {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let liar = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut all = Vec::with_capacity(1 << 16);
        for step in steps {
            let before = all.len();
            if socket.read_buf(&mut all).await.unwrap_or(0) == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&all[before..]).into_owned();
            let nonce = text.split("r=").nth(1).unwrap_or_default();
            let mut out = BytesMut::new();
            step(&mut out, nonce.split(',').next().unwrap_or_default());
            socket.write_all(&out).await.unwrap();
        }
        // Until the other side has had enough.
        let _ = socket.read_to_end(&mut all).await;
        all
    });
    let address = ServerAddress {
        host: "127.0.0.1".to_owned(),
        port,
        tls: ServerTls::Off,
        patience: Duration::from_secs(3),
    };
    let role = Role {
        user: "app".to_owned(),
        database: "shop".to_owned(),
        settings: Vec::new(),
        newest_minor: 2,
    };
    let vault = OnePassword(PASSWORD);
    let error = connect(&address, &upstream(), &role, &vault, leave()).await;
    let heard = liar.await.unwrap();
    let seen = String::from_utf8_lossy(&heard).into_owned();
    assert!(!seen.contains(PASSWORD), "{seen}");
    error.map(|_| ()).unwrap_err()
}

fn says(what: impl Fn(&mut BytesMut, &str) + Send + 'static) -> Step {
    Box::new(what)
}

fn ready_with(parameters: &'static [(&'static str, &'static str)]) -> Step {
    says(move |out, _| {
        write::authentication_ok(out);
        for (name, value) in parameters {
            write::parameter_status(out, name, value);
        }
        write::ready_for_query(out, Status::Idle);
    })
}

fn offers_scram() -> Step {
    says(|out, _| write::authentication_sasl(out, &["SCRAM-SHA-256"]))
}

fn goes_on(with: &'static str) -> Step {
    says(move |out, nonce| {
        write::authentication_sasl_continue(out, &with.replace("NONCE", nonce));
    })
}

#[tokio::test]
async fn a_server_that_does_not_prove_itself_is_not_believed() {
    const FIRST: &str = "r=NONCEserver,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    let consent = || says(|out, _| write::authentication_ok(out));
    let proof =
        |text: &'static str| says(move |out, _| write::authentication_sasl_final(out, text));
    let steps = vec![offers_scram(), goes_on(FIRST), consent()];
    assert_eq!(at_a_liar(steps).await, ServerError::Unproven);
    for text in [
        "v=",
        "v=AAAA",
        "e=invalid-proof",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ] {
        let steps = vec![offers_scram(), goes_on(FIRST), proof(text)];
        assert_eq!(at_a_liar(steps).await, ServerError::Unproven, "{text}");
    }
    // Somebody else's nonce, or no part of its own: an old exchange played again.
    for first in [
        "r=NONCE,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=NONCEx,s=,i=4096",
        "r=NONCEx,s=AAAA",
        "e=x",
    ] {
        let error = at_a_liar(vec![offers_scram(), goes_on(first)]).await;
        assert!(matches!(error, ServerError::Scram(_)), "{first}: {error:?}");
    }
    let unknown = says(|out, _| write::authentication_sasl(out, &["SCRAM-SHA-1"]));
    let error = at_a_liar(vec![unknown]).await;
    assert!(matches!(error, ServerError::Scram(_)), "{error:?}");
}

#[tokio::test]
async fn the_password_itself_is_never_sent_without_tls() {
    let asks = says(|out, _| write::authentication_cleartext(out));
    let error = at_a_liar(vec![asks]).await;
    assert!(matches!(error, ServerError::Vault(_)), "{error:?}");
    for kind in [2_u32, 7, 9, 99] {
        let asks = says(move |out, _| {
            out.extend_from_slice(b"R\0\0\0\x08");
            out.extend_from_slice(&kind.to_be_bytes());
        });
        assert_eq!(
            at_a_liar(vec![asks]).await,
            ServerError::Authentication(kind)
        );
    }
}

#[tokio::test]
async fn a_server_that_reads_otherwise_than_we_do_is_left() {
    let cases: [&[(&str, &str)]; 4] = [
        &[
            ("client_encoding", "SJIS"),
            ("standard_conforming_strings", "on"),
        ],
        &[
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "off"),
        ],
        &[("client_encoding", "UTF8")],
        &[],
    ];
    for parameters in cases {
        let error = at_a_liar(vec![ready_with(parameters)]).await;
        assert!(matches!(error, ServerError::Setting { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn nonsense_and_silence_end_it() {
    let raw = |bytes: &'static [u8]| says(move |out, _| out.extend_from_slice(bytes));
    assert_eq!(at_a_liar(vec![]).await, ServerError::TooSlow);
    for bytes in [
        &b"R\x7f\xff\xff\xff"[..],
        b"R\xff\xff\xff\xff",
        b"R\0\0\0\x03",
        b"R\0\0\0\x04",
        b"E\0\0\0\x06Mx",
        b"?\0\0\0\x04",
        b"D\0\0\0\x06\0\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        let error = at_a_liar(vec![raw(bytes)]).await;
        let named = matches!(
            error,
            ServerError::Frame(_) | ServerError::Malformed(_) | ServerError::OutOfTurn(_)
        );
        assert!(named, "{bytes:?}: {error:?}");
    }
}

/// CVE-2026-6666, from the other side; and what a server repeats of a credential is taken out.
#[tokio::test]
async fn an_error_without_sqlstate_is_an_error() {
    let bare = says(|out, _| out.extend_from_slice(b"E\0\0\0\x05\0"));
    let error = at_a_liar(vec![bare]).await;
    assert!(matches!(error, ServerError::Said { sqlstate, .. } if sqlstate == "XX000"));
    let repeats = says(|out, _| {
        let said = Said {
            severity: "FATAL",
            sqlstate: "28000",
            message: &format!("{PASSWORD} is not it"),
            detail: None,
            hint: None,
        };
        write::error_response(out, &said);
    });
    let error = at_a_liar(vec![repeats]).await;
    assert!(error.to_string().contains("*** is not it"), "{error}");
}
