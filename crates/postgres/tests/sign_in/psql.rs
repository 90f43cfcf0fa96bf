//! PostgreSQL's own client at our door.

use std::process::{Command, Output};

use tagout_core::ids::ConnectionId;
use tagout_postgres::sign_in::DoorLimits;
use tagout_stage::{Postgres, PostgresConfig};

use crate::house::{House, Papers, REFUSED, TOKEN, connection, revoked};

/// Runs `psql`; what it shows, or what it complains about.
async fn psql(mut command: Command, conninfo: String, token: &str) -> Result<String, String> {
    command
        .args(["-XAtq", "-d", &conninfo, "-c", "SELECT 1"])
        .env("PGPASSWORD", token)
        .env("PGCONNECT_TIMEOUT", "20");
    let done: Output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if done.status.success() {
        Ok(text(&done.stdout))
    } else {
        Err(text(&done.stderr))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_signs_in_in_every_way_that_is_offered() {
    let postgres = Postgres::start(&PostgresConfig::default()).unwrap();
    let papers = Papers::new();
    let ca = postgres.folder().join("ca.pem");
    std::fs::write(&ca, &papers.ca).unwrap();
    let plain = House::plain().await;
    let encrypted = House::open(Some(papers.tls()), DoorLimits::default()).await;
    let (bare, verified) = (
        format!("host=127.0.0.1 port={} dbname=shop", plain.address.port()),
        format!(
            "host=localhost hostaddr=127.0.0.1 port={} dbname=shop sslmode=verify-full sslrootcert={}",
            encrypted.address.port(),
            ca.display()
        ),
    );
    let me = connection();
    let cases = [
        (format!("{bare} user={me}"), "plain", ""),
        (format!("{bare} user={me} sslmode=prefer"), "plain", ""),
        (
            format!("{bare} user={me} client_encoding=SQL_ASCII"),
            "plain",
            "",
        ),
        (
            format!("{verified} user={me} channel_binding=require"),
            "TLS",
            "",
        ),
        (
            format!("{verified} user={me} channel_binding=disable"),
            "TLS",
            "",
        ),
        (format!("{verified} user=agent"), "TLS", ""),
        (
            format!("{bare} user={me} options='-c statement_timeout=1s --search-path=a,b'"),
            "plain",
            "statement_timeout=1000, search_path=a,b, ",
        ),
    ];
    for (conninfo, way, settings) in cases {
        let shown = psql(postgres.program("psql"), conninfo.clone(), TOKEN).await;
        let expected = format!("shop {way} 3.0 [{settings}application_name=psql]");
        assert_eq!(shown, Ok(expected), "{conninfo}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_is_told_why_not_and_never_to_try_another_password() {
    let postgres = Postgres::start(&PostgresConfig::default()).unwrap();
    let papers = Papers::new();
    let plain = House::plain().await;
    let encrypted = House::open(Some(papers.tls()), DoorLimits::default()).await;
    let at = |house: &House, rest: String| {
        format!(
            "host=127.0.0.1 port={} dbname=shop {rest}",
            house.address.port()
        )
    };
    let (me, gone) = (connection(), revoked());
    let nobody = ConnectionId::from_bits([9; 16]);
    let cases = [
        (at(&plain, format!("user={me}")), "another", REFUSED),
        (at(&plain, format!("user={nobody}")), TOKEN, REFUSED),
        (at(&plain, format!("user={gone}")), TOKEN, REFUSED),
        (
            at(&encrypted, format!("user={me} sslmode=require")),
            "another",
            REFUSED,
        ),
        (
            at(&encrypted, "user=agent sslmode=require".to_owned()),
            "another",
            REFUSED,
        ),
        (
            at(&plain, "user=agent".to_owned()),
            TOKEN,
            "without TLS the user name is the connection's id",
        ),
        (
            at(&plain, format!("user={me} options='-c role=postgres'")),
            TOKEN,
            "`role`",
        ),
        (
            at(&plain, format!("user={me} options='-d 5'")),
            TOKEN,
            "-c name=value",
        ),
        (
            at(&plain, format!("user={me} client_encoding=SJIS")),
            TOKEN,
            "`SJIS`",
        ),
        (
            at(&plain, format!("user={me} replication=database")),
            TOKEN,
            "replication",
        ),
    ];
    let mut told = Vec::new();
    for (conninfo, token, expected) in cases {
        let shown = psql(postgres.program("psql"), conninfo.clone(), token).await;
        let error = shown.unwrap_err();
        assert!(error.contains(expected), "{conninfo}: {error}");
        assert!(error.contains("by tagout: "), "{conninfo}: {error}");
        let lower = error.to_lowercase();
        assert!(
            !lower.contains("authentication failed"),
            "{conninfo}: {error}"
        );
        assert!(!error.contains(TOKEN), "{conninfo}: {error}");
        told.push(error);
    }
    // Nobody learns which connections there are.
    assert_eq!(told[0], told[1]);
}
