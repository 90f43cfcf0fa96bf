//! The program: what it prints, TLS files, and its end.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use standin_railway::seed;

fn start(arguments: &[&str]) -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_standin-railway"))
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

fn terminate(child: &mut Child) -> bool {
    let sent = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    sent.success() && child.wait().unwrap().success()
}

#[test]
fn announces_itself_and_ends_on_sigterm() {
    let (mut child, announced) = start(&["--token", "t", "--delete-mode", "claims-soft"]);
    assert_eq!(announced["postgresVolume"], seed::POSTGRES_VOLUME);
    for name in ["graphql", "admin"] {
        let address = announced[name].as_str().unwrap();
        assert!(std::net::TcpStream::connect(address).is_ok(), "{name}");
    }
    assert!(terminate(&mut child));
}

#[test]
fn reads_tls_files() {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        directory.path().join("cert.pem"),
        directory.path().join("key.pem"),
    );
    std::fs::write(&certificate, signed.cert.pem()).unwrap();
    std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let (mut child, _) = start(&["--tls-cert", certificate, "--tls-key", key]);
    assert!(terminate(&mut child));
    let swapped = Command::new(env!("CARGO_BIN_EXE_standin-railway"))
        .args(["--tls-cert", key, "--tls-key", certificate])
        .output()
        .unwrap();
    assert!(!swapped.status.success() && swapped.stdout.is_empty());
}

#[test]
fn wrong_arguments_are_usage_errors() {
    for arguments in [
        vec!["--delete-mode", "never"],
        vec!["--tls-cert", "a"],
        vec!["--listen", "x"],
    ] {
        let program = env!("CARGO_BIN_EXE_standin-railway");
        let output = Command::new(program).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
