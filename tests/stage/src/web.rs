//! A small HTTP/1.1 client for the console and the stand-in's inside: one request a connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

/// An origin to talk to.
#[derive(Clone, Debug)]
pub struct Web {
    /// `host:port`, for the socket.
    pub address: String,
    /// What goes into `Host`.
    pub host: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// The head, as it came.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Web {
    /// Sends one request and reads the answer to its end.
    ///
    /// # Errors
    /// When the connection fails or the answer is not HTTP.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> anyhow::Result<Page> {
        let stream = TcpStream::connect(&self.address);
        let mut stream =
            stream.with_context(|| format!("nothing answers at `{}`", self.address))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            self.host,
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Page::parse(&String::from_utf8_lossy(&answer))
    }
}

impl Page {
    fn parse(answer: &str) -> anyhow::Result<Self> {
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or_else(|| anyhow!("no answer"))?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let chunked = head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked");
        let body = if chunked {
            unchunk(body)
        } else {
            body.to_owned()
        };
        Ok(Self {
            status: status.ok_or_else(|| anyhow!("no status"))?,
            head: head.to_owned(),
            body,
        })
    }

    /// The body as JSON, if the status says that all is well.
    ///
    /// # Errors
    /// With the status and the body otherwise.
    pub fn json(&self) -> anyhow::Result<Value> {
        if !(200..300).contains(&self.status) {
            bail!("status {}: {}", self.status, self.body);
        }
        serde_json::from_str(&self.body).with_context(|| format!("not JSON: {}", self.body))
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
            break;
        };
        let (Some(chunk), Some(next)) = (rest.get(..size), rest.get(size + 2..)) else {
            break;
        };
        whole.push_str(chunk);
        body = next;
    }
    whole
}
