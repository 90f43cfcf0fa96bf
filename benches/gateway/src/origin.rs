//! The origin, and those who stand before it in comparison: nginx and mitmdump.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::certificates::Certificates;
use crate::children::{Ended, Nginx, free_port, wait_for};

/// The origin: one nginx worker with TLS that answers everything with a kilobyte of JSON.
pub(crate) struct Origin {
    pub(crate) graphql_port: u16,
    pub(crate) rest_port: u16,
    _nginx: Nginx,
}

/// What the origin answers: 1,024 bytes.
fn answer() -> String {
    let head = r#"{"data":{"project":{"id":"3d2c1b00","name":"bench","description":""#;
    let tail = r#""}}}"#;
    format!("{head}{}{tail}", "x".repeat(1024 - head.len() - tail.len()))
}

impl Origin {
    pub(crate) fn start(folder: &Path, certificates: &Certificates) -> anyhow::Result<Self> {
        let (graphql_port, rest_port) = (free_port()?, free_port()?);
        let server = format!(
            "server {{\n{}{}default_type application/json;\nreturn 200 '{}';\n}}\n",
            listen(graphql_port, certificates),
            format_args!("listen 127.0.0.1:{rest_port} ssl;\n"),
            answer()
        );
        let configuration = whole(1, &server);
        let nginx = Nginx::start(&folder.join("origin"), &configuration, graphql_port)?;
        Ok(Self {
            graphql_port,
            rest_port,
            _nginx: nginx,
        })
    }
}

/// nginx as a reverse proxy, TLS on both sides, connections kept, as many workers as there are cores.
pub(crate) fn reverse(
    folder: &Path,
    certificates: &Certificates,
    origin: u16,
) -> anyhow::Result<(u16, Nginx)> {
    let port = free_port()?;
    let trusted = certificates.authority.display();
    let server = format!(
        "upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 100000000; }}\n\
         server {{\n{}location / {{\n\
         proxy_pass https://origin;\nproxy_http_version 1.1;\n\
         proxy_set_header Connection \"\";\nproxy_set_header Host localhost:{origin};\n\
         proxy_ssl_name localhost;\nproxy_ssl_server_name on;\nproxy_ssl_verify on;\n\
         proxy_ssl_trusted_certificate {trusted};\n}}\n}}\n",
        listen(port, certificates)
    );
    let cores = std::thread::available_parallelism()?.get();
    let nginx = Nginx::start(&folder.join("reverse"), &whole(cores, &server), port)?;
    Ok((port, nginx))
}

fn listen(port: u16, certificates: &Certificates) -> String {
    format!(
        "listen 127.0.0.1:{port} ssl;\nssl_certificate {};\nssl_certificate_key {};\n\
         keepalive_requests 100000000;\n",
        certificates.chain.display(),
        certificates.key.display()
    )
}

fn whole(workers: usize, servers: &str) -> String {
    format!(
        "daemon off;\npid nginx.pid;\nworker_processes {workers};\n\
         events {{ worker_connections 1024; }}\nhttp {{\naccess_log off;\n\
         client_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi;\nscgi_temp_path scgi;\n{servers}}}\n"
    )
}

/// mitmdump as an intercepting proxy; also the file of its own authority.
pub(crate) fn mitmdump(
    program: &Path,
    folder: &Path,
    certificates: &Certificates,
) -> anyhow::Result<(u16, std::path::PathBuf, Ended)> {
    let port = free_port()?;
    let own = folder.join("mitmdump");
    let setting = |name: &str, value: &Path| format!("{name}={}", value.display());
    let child = Command::new(program)
        .args(["--quiet", "--listen-host", "127.0.0.1", "--listen-port"])
        .arg(port.to_string())
        .args(["--set", &setting("confdir", &own)])
        .args([
            "--set",
            &setting("ssl_verify_upstream_trusted_ca", &certificates.authority),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("mitmdump does not start")?;
    let child = Ended(child);
    wait_for(port)?;
    Ok((port, own.join("mitmproxy-ca-cert.pem"), child))
}
