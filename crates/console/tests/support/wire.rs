//! The console on a loopback port, and requests to it byte by byte.

use std::sync::Arc;

use serde_json::Value;
use tagout_console::{Site, router};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::desk::MemoryDesk;

/// A console that serves until it is dropped.
pub(crate) struct Served {
    pub(crate) desk: Arc<MemoryDesk>,
    pub(crate) port: u16,
    pub(crate) origin: String,
    server: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Served {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let origin = format!("http://localhost:{port}");
        let desk = MemoryDesk::new("localhost", &origin);
        let site = Site {
            rp_id: "localhost".into(),
            origin: origin.clone(),
            secure: false,
        };
        let app = router(desk.clone(), site);
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            desk,
            port,
            origin,
            server,
        }
    }

    pub(crate) fn authority(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Sends one request with exactly these headers.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A refusal may close the connection before it has read all of a large body.
        stream.read_to_end(&mut answer).await.ok();
        Answer::parse(&answer)
    }

    /// A GET as a browser sends it.
    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        let host = self.authority();
        let headers = [("host", host.as_str()), ("cookie", cookie)];
        self.send("GET", path, &headers, "").await
    }

    /// A POST as the console's own script sends it.
    pub(crate) async fn post(&self, path: &str, cookie: &str, body: &Value) -> Answer {
        self.post_as(path, cookie, "application/json", &body.to_string())
            .await
    }

    /// A POST from a form of the console's own.
    pub(crate) async fn submit(&self, path: &str, cookie: &str, body: &str) -> Answer {
        self.post_as(path, cookie, "application/x-www-form-urlencoded", body)
            .await
    }

    async fn post_as(&self, path: &str, cookie: &str, kind: &str, body: &str) -> Answer {
        let host = self.authority();
        let headers = [
            ("host", host.as_str()),
            ("origin", &self.origin),
            ("sec-fetch-site", "same-origin"),
            ("content-type", kind),
            ("cookie", cookie),
        ];
        self.send("POST", path, &headers, body).await
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or_default(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut pairs = lines.filter_map(|line| line.split_once(": "));
        let found = pairs.find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}
