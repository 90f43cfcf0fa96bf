//! The load: so many connections, each with one request at a time, as fast as answers come.
//!
//! One client for every row, so that what it costs itself is the same everywhere. Anything but a whole
//! answer with status 200 is counted as failed and its connection is opened anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::request::Request;

/// Not counted, so that connections are open and caches are warm.
const WARM_UP: Duration = Duration::from_millis(700);

/// No failure is waited for longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// So that no two writes of one run are the same.
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// Straight to a port of this machine.
    Straight(u16),
    /// Through a proxy, by CONNECT.
    Tunnel {
        /// The proxy's port.
        proxy: u16,
        /// The port at the other end.
        to: u16,
        /// For `Proxy-Authorization`.
        token: Option<String>,
    },
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) requests_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) failed: u64,
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    latencies_ns: Vec<u64>,
    failed: u64,
    /// The last failure, for a message.
    why: String,
}

/// What is sent, and how.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) way: Way,
    pub(crate) request: Request,
    pub(crate) tls: Arc<ClientConfig>,
}

impl Load {
    /// Measures for `seconds` with so many connections.
    pub(crate) async fn run(&self, connections: usize, seconds: f64) -> anyhow::Result<Measured> {
        let from = Instant::now() + WARM_UP;
        let until = from + Duration::from_secs_f64(seconds);
        let tasks: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(self.clone().keep_sending(from, until)))
            .collect();
        let mut all = Seen::default();
        for task in tasks {
            let seen = task.await?;
            all.latencies_ns.extend(seen.latencies_ns);
            all.failed += seen.failed;
            all.why = seen.why;
        }
        all.latencies_ns.sort_unstable();
        if all.latencies_ns.is_empty() {
            bail!("no answer from {:?} with status 200: {}", self.way, all.why);
        }
        Ok(all.measured(seconds))
    }

    async fn keep_sending(mut self, from: Instant, until: Instant) -> Seen {
        let mut seen = Seen::default();
        while Instant::now() < until {
            let sent = self.send_on_one(from, until, &mut seen);
            let within = until.saturating_duration_since(Instant::now()) + PATIENCE;
            let why = match tokio::time::timeout(within, sent).await {
                Ok(Ok(())) => return seen,
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "no answer in time".to_owned(),
            };
            seen.why = why;
            seen.failed += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        seen
    }

    /// Sends on one connection until the time is over or something fails.
    async fn send_on_one(
        &mut self,
        from: Instant,
        until: Instant,
        seen: &mut Seen,
    ) -> anyhow::Result<()> {
        let mut stream = open(&self.way, &self.tls).await?;
        let mut buffer = Vec::with_capacity(16 * 1024);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let bytes = self.request.numbered(number);
            let began = Instant::now();
            if began >= until {
                return Ok(());
            }
            stream.write_all(bytes).await?;
            stream.flush().await?;
            read_answer(&mut stream, &mut buffer).await?;
            if began >= from {
                let took = began.elapsed().as_nanos();
                seen.latencies_ns
                    .push(u64::try_from(took).unwrap_or(u64::MAX));
            }
        }
    }
}

impl Seen {
    fn measured(&self, seconds: f64) -> Measured {
        Measured {
            requests_per_s: self.latencies_ns.len() as f64 / seconds,
            p50_us: self.percentile_us(50),
            p99_us: self.percentile_us(99),
            failed: self.failed,
        }
    }

    fn percentile_us(&self, percent: usize) -> f64 {
        let at = self.latencies_ns.len().saturating_sub(1) * percent / 100;
        self.latencies_ns.get(at).copied().unwrap_or_default() as f64 / 1000.0
    }
}

async fn open(way: &Way, tls: &Arc<ClientConfig>) -> anyhow::Result<TlsStream<TcpStream>> {
    let stream = match way {
        Way::Straight(port) => connect(*port).await?,
        Way::Tunnel { proxy, to, token } => {
            let mut stream = connect(*proxy).await?;
            let token = token
                .as_ref()
                .map(|token| format!("Proxy-Authorization: Bearer {token}\r\n"));
            let ask = format!(
                "CONNECT localhost:{to} HTTP/1.1\r\nHost: localhost:{to}\r\n{}\r\n",
                token.unwrap_or_default()
            );
            stream.write_all(ask.as_bytes()).await?;
            read_answer(&mut stream, &mut Vec::new()).await?;
            stream
        }
    };
    let connector = TlsConnector::from(Arc::clone(tls));
    let name = ServerName::try_from("localhost")?;
    Ok(connector.connect(name, stream).await?)
}

async fn connect(port: u16) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one answer to its end; an error for any status but 200.
async fn read_answer<S>(stream: &mut S, buffer: &mut Vec<u8>) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the connection ended within an answer");
        }
        if let Some(length) = whole_length(buffer)? {
            while buffer.len() < length {
                if stream.read_buf(buffer).await? == 0 {
                    bail!("the connection ended within a body");
                }
            }
            return Ok(());
        }
    }
}

/// How many bytes the answer has, once its head is there.
fn whole_length(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(head) = answer.parse(bytes)? else {
        return Ok(None);
    };
    if answer.code != Some(200) {
        bail!("{}", String::from_utf8_lossy(bytes));
    }
    let mut lengths = answer
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body = match lengths.next() {
        Some(header) => std::str::from_utf8(header.value)?
            .parse()
            .context("a length")?,
        None => 0,
    };
    Ok(Some(head + body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_end_where_they_say() {
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", Some(41)),
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(39)),
            ("HTTP/1.1 200 OK\r\nConte", None),
        ] {
            assert_eq!(whole_length(bytes.as_bytes()).unwrap(), expected, "{bytes}");
        }
        assert!(whole_length(b"HTTP/1.1 423 Locked\r\n\r\n").is_err());
    }

    #[test]
    fn percentiles_are_of_sorted_latencies() {
        let seen = Seen {
            latencies_ns: (0..=100).map(|number| number * 1000).collect(),
            failed: 1,
            why: String::new(),
        };
        let measured = seen.measured(2.0);
        assert_eq!((measured.p50_us, measured.p99_us), (50.0, 99.0));
        assert_eq!((measured.requests_per_s, measured.failed), (50.5, 1));
    }
}
