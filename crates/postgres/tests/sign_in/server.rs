//! Ourselves at real servers.

use std::time::{Duration, Instant};

use tagout_core::pipeline::VaultError;
use tagout_postgres::sign_in::{
    Backend, Ceilings, Role, ServerAddress, ServerError, ServerTls, Setting, Transport, connect,
};
use tagout_stage::{Postgres, PostgresConfig};

use crate::house::Papers;
use crate::vault::{OnePassword, leave, upstream};

fn role() -> Role {
    let setting = |name, value| Setting::allowed(name, value, &Ceilings::default()).unwrap();
    Role {
        user: Postgres::USER.to_owned(),
        database: "postgres".to_owned(),
        settings: setting("application_name", "tagout test")
            .into_iter()
            .collect(),
        newest_minor: 2,
    }
}

fn address(port: u16, tls: ServerTls) -> ServerAddress {
    ServerAddress {
        host: "localhost".to_owned(),
        port,
        tls,
        patience: Duration::from_secs(20),
    }
}

async fn sign_in(address: &ServerAddress, password: &'static str) -> Result<Backend, ServerError> {
    connect(
        address,
        &upstream(),
        &role(),
        &OnePassword(password),
        leave(),
    )
    .await
}

fn server(auth: &'static str, papers: Option<&Papers>) -> Postgres {
    let encryption = if auth == "md5" {
        "md5"
    } else {
        "scram-sha-256"
    };
    let config = PostgresConfig {
        auth,
        tls: papers.map(|papers| (papers.certificate.clone(), papers.key.clone())),
        settings: vec![("password_encryption".to_owned(), encryption.to_owned())],
    };
    Postgres::start(&config).unwrap()
}

/// One file that both sides of a test can read.
fn trusting(papers: &Papers, postgres: &Postgres) -> ServerTls {
    let file = postgres.folder().join("ca.pem");
    std::fs::write(&file, &papers.ca).unwrap();
    ServerTls::verified(Some(&file)).unwrap()
}

#[tokio::test]
async fn every_challenge_is_answered_with_and_without_tls() {
    let papers = Papers::new();
    for auth in ["trust", "md5", "scram-sha-256", "password"] {
        for encrypted in [false, true] {
            let postgres = server(auth, encrypted.then_some(&papers));
            let tls = match encrypted {
                true => trusting(&papers, &postgres),
                false => ServerTls::Off,
            };
            let address = address(postgres.port, tls);
            let signed_in = sign_in(&address, Postgres::PASSWORD).await;
            if auth == "password" && !encrypted {
                let error = signed_in.unwrap_err();
                let unanswerable =
                    matches!(error, ServerError::Vault(VaultError::Unanswerable { .. }));
                assert!(unanswerable, "{error}");
                continue;
            }
            let mut backend =
                signed_in.unwrap_or_else(|error| panic!("{auth} {encrypted}: {error}"));
            assert_eq!(backend.transport.is_encrypted(), encrypted);
            let asked = "SELECT current_setting('client_encoding'), current_setting('standard_conforming_strings'), current_setting('application_name')";
            let row = ["UTF8", "on", "tagout test"].map(|text| Some(text.to_owned()));
            assert_eq!(backend.ask(asked).await, Ok(vec![row.to_vec()]), "{auth}");
            if auth != "trust" {
                let refused = sign_in(&address, "another-password").await.unwrap_err();
                let wrong =
                    matches!(&refused, ServerError::Said { sqlstate, .. } if sqlstate == "28P01");
                assert!(wrong, "{auth} {encrypted}: {refused:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_must_be_the_one_that_it_should_be() {
    let papers = Papers::new();
    let postgres = server("scram-sha-256", Some(&papers));
    let others = Papers::new();
    let stranger = address(postgres.port, trusting(&others, &postgres));
    let error = sign_in(&stranger, Postgres::PASSWORD).await.unwrap_err();
    assert!(matches!(error, ServerError::Tls(_)), "{error:?}");

    let mut elsewhere = address(postgres.port, trusting(&papers, &postgres));
    elsewhere.host = "127.0.0.1".to_owned();
    let error = sign_in(&elsewhere, Postgres::PASSWORD).await.unwrap_err();
    assert!(matches!(error, ServerError::Tls(_)), "{error:?}");

    let plain = server("trust", None);
    let demanded = address(plain.port, trusting(&papers, &postgres));
    let error = sign_in(&demanded, Postgres::PASSWORD).await.unwrap_err();
    assert_eq!(error, ServerError::NoTls);

    drop(plain);
    let error = sign_in(&address(demanded.port, ServerTls::Off), "").await;
    assert!(
        matches!(error, Err(ServerError::Unreachable { .. })),
        "{error:?}"
    );
}

/// CVE-2025-12819: no setting in a first packet is ever run.
#[tokio::test]
async fn what_stands_in_search_path_is_never_run() {
    let postgres = server("trust", None);
    postgres.psql("CREATE TABLE kept (id int)").unwrap();
    let evil = "x'; DROP TABLE kept; --";
    let mut role = role();
    role.settings = Setting::allowed("search_path", evil, &Ceilings::default())
        .unwrap()
        .into_iter()
        .collect();
    let address = address(postgres.port, ServerTls::Off);
    let signed_in = connect(&address, &upstream(), &role, &OnePassword(""), leave()).await;
    // It is no list of names, so the server refuses it.
    assert!(
        matches!(signed_in, Err(ServerError::Said { .. })),
        "{signed_in:?}"
    );
    assert_eq!(
        postgres.psql("SELECT count(*) FROM public.kept").unwrap(),
        "0"
    );
}

#[tokio::test]
async fn questions_of_ours_are_answered_within_bounds() {
    let postgres = server("trust", None);
    let mut backend = sign_in(&address(postgres.port, ServerTls::Off), "")
        .await
        .unwrap();
    assert!(matches!(backend.transport, Transport::Plain(_)));
    let mut ask = async |sql: &str| backend.ask(sql).await;
    let row = |values: &[Option<&str>]| -> Vec<Option<String>> {
        values
            .iter()
            .map(|value| value.map(str::to_owned))
            .collect()
    };
    let rows = ask("SELECT 1, NULL, 'é' UNION ALL SELECT 2, '', ''").await;
    let expected = vec![
        row(&[Some("1"), None, Some("é")]),
        row(&[Some("2"), Some(""), Some("")]),
    ];
    assert_eq!(rows, Ok(expected));
    let error = ask("SELECT 1/0").await.unwrap_err();
    assert!(matches!(error, ServerError::Said { sqlstate, .. } if sqlstate == "22012"));
    for long in [
        "SELECT generate_series(1, 10001)",
        "SELECT repeat('x', 100000)",
        "SELECT repeat('x', 60000) FROM generate_series(1, 100)",
    ] {
        assert_eq!(ask(long).await, Err(ServerError::TooMuch), "{long}");
    }
    assert_eq!(ask("").await, Ok(vec![]));
    assert_eq!(ask("DO $$BEGIN RAISE NOTICE 'x'; END$$").await, Ok(vec![]));
    assert_eq!(ask("SELECT 7").await, Ok(vec![row(&[Some("7")])]));
    // A database without an encoding can hold what is no text; the server checks what it sends.
    postgres
        .psql("CREATE DATABASE raw TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
        .unwrap();
    let mut role = role();
    role.database = "raw".to_owned();
    let address = address(postgres.port, ServerTls::Off);
    let raw = connect(&address, &upstream(), &role, &OnePassword(""), leave()).await;
    let mut raw = raw.unwrap();
    let asked = raw.ask("SELECT convert_from('\\xff', 'SQL_ASCII')").await;
    assert!(matches!(asked, Err(ServerError::Said { sqlstate, .. }) if sqlstate == "22021"));
    assert_eq!(raw.ask("SELECT 7").await, Ok(vec![row(&[Some("7")])]));
}

#[tokio::test]
async fn what_runs_can_be_stopped_with_and_without_tls() {
    let papers = Papers::new();
    for encrypted in [false, true] {
        let postgres = server("scram-sha-256", encrypted.then_some(&papers));
        let tls = match encrypted {
            true => trusting(&papers, &postgres),
            false => ServerTls::Off,
        };
        let address = address(postgres.port, tls);
        let mut backend = sign_in(&address, Postgres::PASSWORD).await.unwrap();
        let target = backend.target.clone().unwrap();
        let began = Instant::now();
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            target.cancel().await.unwrap();
        };
        let (asked, ()) = tokio::join!(backend.ask("SELECT pg_sleep(60)"), stopping);
        assert!(matches!(asked, Err(ServerError::Said { sqlstate, .. }) if sqlstate == "57014"));
        assert!(began.elapsed() < Duration::from_secs(30));
        backend.ask("SELECT 1").await.unwrap();
    }
}
