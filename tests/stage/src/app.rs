//! A small application with agents and sites behind a REST interface, served from this process.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Serves until the process ends.
#[derive(Clone, Debug)]
pub struct App {
    address: SocketAddr,
    inside: Arc<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    rows: Mutex<BTreeSet<String>>,
    received: Mutex<Vec<Received>>,
    delay_ms: AtomicU64,
}

/// One request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// When it had arrived whole.
    pub at: SystemTime,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
}

impl App {
    /// The only credential that it accepts.
    pub const KEY: &'static str = "appkey-8c1f0d77-real-upstream-credential";

    /// Starts one that has these rows: `agents/17`, `sites/live`.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start(rows: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let inside = Inside {
            rows: Mutex::new(rows.into_iter().collect()),
            ..Inside::default()
        };
        let app = Self {
            address: listener.local_addr()?,
            inside: Arc::new(inside),
        };
        let serving = app.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inside = Arc::clone(&serving.inside);
                std::thread::spawn(move || inside.answer(&stream));
            }
        });
        Ok(app)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its host, with the port.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Its rows.
    #[must_use]
    pub fn rows(&self) -> BTreeSet<String> {
        lock(&self.inside.rows).clone()
    }

    /// What arrived that is more than a read, in order.
    #[must_use]
    pub fn changes(&self) -> Vec<Received> {
        let received = lock(&self.inside.received);
        let changes = received.iter().filter(|each| each.method != "GET");
        changes.cloned().collect()
    }

    /// From now on each answer, and each effect, comes so much later than its request.
    pub fn delay(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.inside.delay_ms.store(ms, Ordering::SeqCst);
    }
}

impl Inside {
    fn answer(&self, stream: &TcpStream) {
        let Some((method, path, credential)) = read(stream) else {
            return;
        };
        let key = credential == format!("Bearer {}", App::KEY);
        let row = path.trim_start_matches("/api/").to_owned();
        lock(&self.received).push(Received {
            at: SystemTime::now(),
            method: method.clone(),
            path,
        });
        std::thread::sleep(Duration::from_millis(self.delay_ms.load(Ordering::SeqCst)));
        let (status, body) = match (key, row.as_str()) {
            (false, _) => ("401 Unauthorized", String::new()),
            // Some interfaces tell their callers what they sent, for the sake of debugging.
            (true, "echo") => ("200 OK", format!("{{\"authorization\":\"{credential}\"}}")),
            (true, _) => self.effect(&method, &row),
        };
        let echoed = if row == "echo" {
            credential
        } else {
            String::new()
        };
        let mut stream = stream;
        // Whoever asked may have gone away.
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\nx-echo: {echoed}\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.shutdown(Shutdown::Write);
    }

    fn effect(&self, method: &str, row: &str) -> (&'static str, String) {
        let mut rows = lock(&self.rows);
        let there = match method {
            "DELETE" => rows.remove(row),
            _ => rows.contains(row),
        };
        match there {
            true => ("200 OK", format!("{{\"row\":\"{row}\"}}")),
            false => ("404 Not Found", "{}".to_owned()),
        }
    }
}

/// Method, path, and the credential that came with it.
fn read(stream: &TcpStream) -> Option<(String, String, String)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut credential) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => value.trim().clone_into(&mut credential),
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some((method, path, credential))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
