//! Raw HTTP/1.1 messages over connections that are kept.

use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use standin_railway::seed;

/// No answer of the stand-in takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that writes bytes as they are.
#[derive(Debug)]
pub(crate) struct Wire {
    to: SocketAddr,
    kept: Option<TcpStream>,
}

impl Wire {
    pub(crate) const fn new(to: SocketAddr) -> Self {
        Self { to, kept: None }
    }

    /// Sends a message with the account's credential and waits until it was answered or the server hung
    /// up. Gives the body of the answer; empty if the server hung up.
    pub(crate) fn send(&mut self, message: &[u8]) -> Vec<u8> {
        let message = with_credential(message);
        if let Some(stream) = self.kept.take()
            && let Some(body) = self.exchange(stream, &message)
        {
            return body;
        }
        let stream = TcpStream::connect(self.to).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.exchange(stream, &message).unwrap_or_default()
    }

    fn exchange(&mut self, mut stream: TcpStream, message: &[u8]) -> Option<Vec<u8>> {
        stream.write_all(message).ok()?;
        let mut got = Vec::new();
        let mut chunk = [0; 16_384];
        loop {
            if let Some(end) = head_end(&got) {
                let head = String::from_utf8_lossy(&got[..end]).to_ascii_lowercase();
                let length = if message.starts_with(b"HEAD ") {
                    0
                } else {
                    length(&head)
                };
                if got.len() >= end + length {
                    if !head.contains("connection: close") && says_its_length(message) {
                        self.kept = Some(stream);
                    }
                    return Some(got[end..].to_vec());
                }
            }
            match stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => got.extend_from_slice(&chunk[..count]),
                Err(error) if is_timeout(&error) => {
                    panic!("no answer to:\n{}", String::from_utf8_lossy(message))
                }
                Err(_) => return None,
            }
        }
    }
}

fn with_credential(message: &[u8]) -> Vec<u8> {
    let line = message
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(message.len(), |end| end + 1);
    let header = format!("authorization: Bearer {}\r\n", seed::ACCOUNT_TOKEN);
    [&message[..line], header.as_bytes(), &message[line..]].concat()
}

fn is_timeout(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// What follows a message without a length would be read as the next one.
fn says_its_length(message: &[u8]) -> bool {
    let end = head_end(message).unwrap_or(message.len());
    let head = String::from_utf8_lossy(&message[..end]).to_ascii_lowercase();
    end == message.len()
        || head.contains("\ncontent-length:")
        || head.contains("\ntransfer-encoding:")
}

fn head_end(got: &[u8]) -> Option<usize> {
    got.windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn length(head: &str) -> usize {
    let value = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    value.map_or(0, |value| value.trim().parse().unwrap())
}
