//! A client that says exactly what a test wants said: PostgreSQL's messages one by one, in any order.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::frontend;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One message of a client.
#[derive(Clone, Copy, Debug)]
pub enum Say {
    /// A simple query.
    Query(&'static str),
    /// Name and text of a statement.
    Parse(&'static str, &'static str),
    /// Portal and statement, without parameters.
    Bind(&'static str, &'static str),
    /// A portal.
    Execute(&'static str),
    /// Forgets a statement.
    Close(&'static str),
    /// Sends what there is.
    Flush,
    /// The end of a series.
    Sync,
    /// A function by its number, without arguments.
    Call(u32),
}

/// A session.
#[derive(Debug)]
pub struct Spoken {
    stream: TcpStream,
}

/// What a server said to messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// First lines of errors, with their SQLSTATE in front.
    pub errors: Vec<String>,
    /// Command tags.
    pub tags: Vec<String>,
    /// Rows, as the bytes of their messages.
    pub rows: usize,
    /// The connection ended.
    pub ended: bool,
}

impl Spoken {
    /// Signs in, without TLS.
    ///
    /// # Errors
    /// When the server refuses, or wants something else than SCRAM, a password or nothing.
    pub fn open(port: u16, user: &str, password: &str, database: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut spoken = Self { stream };
        let mut out = BytesMut::new();
        let parameters = [("user", user), ("database", database)];
        frontend::startup_message(parameters, &mut out)?;
        spoken.stream.write_all(&out)?;
        spoken.sign_in(password)?;
        Ok(spoken)
    }

    fn sign_in(&mut self, password: &str) -> anyhow::Result<()> {
        let mut scram = None;
        loop {
            let (tag, body) = self.message()?;
            let mut out = BytesMut::new();
            match (tag, body.get(..4).unwrap_or_default(), &mut scram) {
                (b'Z', ..) => return Ok(()),
                (b'R', [0, 0, 0, 3], _) => {
                    frontend::password_message(password.as_bytes(), &mut out)?
                }
                (b'R', [0, 0, 0, 10], _) => {
                    let new = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
                    frontend::sasl_initial_response(SCRAM_SHA_256, new.message(), &mut out)?;
                    scram = Some(new);
                }
                (b'R', [0, 0, 0, 11], Some(scram)) => {
                    scram.update(body.get(4..).unwrap_or_default())?;
                    frontend::sasl_response(scram.message(), &mut out)?;
                }
                (b'R', [0, 0, 0, 12], Some(scram)) => {
                    scram.finish(body.get(4..).unwrap_or_default())?;
                }
                (b'E', ..) => bail!("{}", line(&body)),
                _ => {}
            }
            self.stream.write_all(&out)?;
        }
    }

    /// Says all of these at once, and hears all that comes of it. Without a `Sync` or a query in it, the
    /// answer ends only with a later one.
    ///
    /// # Errors
    /// When nothing is heard in time.
    pub fn say(&mut self, messages: &[Say]) -> anyhow::Result<Heard> {
        let mut out = BytesMut::new();
        let mut answers = 0;
        for message in messages {
            put(*message, &mut out)?;
            answers += usize::from(matches!(message, Say::Query(_) | Say::Sync | Say::Call(_)));
        }
        let mut heard = Heard::default();
        if self.stream.write_all(&out).is_err() {
            heard.ended = true;
            return Ok(heard);
        }
        while answers > 0 {
            let Ok((tag, body)) = self.message() else {
                heard.ended = true;
                break;
            };
            match tag {
                b'Z' => answers -= 1,
                b'E' => heard.errors.push(line(&body)),
                b'C' => heard.tags.push(
                    String::from_utf8_lossy(&body)
                        .trim_end_matches('\0')
                        .to_owned(),
                ),
                b'D' => heard.rows += 1,
                _ => {}
            }
        }
        Ok(heard)
    }

    fn message(&mut self) -> anyhow::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let [tag, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length))?;
        let mut body = vec![0; length.checked_sub(4).context("a length below 4")?];
        self.stream.read_exact(&mut body)?;
        Ok((tag, body))
    }
}

fn put(message: Say, out: &mut BytesMut) -> anyhow::Result<()> {
    match message {
        Say::Query(sql) => frontend::query(sql, out)?,
        Say::Parse(name, sql) => frontend::parse(name, sql, [], out)?,
        Say::Bind(portal, name) => {
            let none: [i16; 0] = [];
            let values: [i32; 0] = [];
            let bound = frontend::bind(
                portal,
                name,
                none,
                values,
                |_, _| unreachable_value(),
                none,
                out,
            );
            if bound.is_err() {
                bail!("`{name}` can't be bound");
            }
        }
        Say::Execute(portal) => frontend::execute(portal, 0, out)?,
        Say::Close(name) => frontend::close(b'S', name, out)?,
        Say::Flush => out.extend_from_slice(&[b'H', 0, 0, 0, 4]),
        Say::Sync => frontend::sync(out),
        Say::Call(function) => {
            out.extend_from_slice(&[b'F', 0, 0, 0, 14]);
            out.extend_from_slice(&function.to_be_bytes());
            out.extend_from_slice(&[0; 6]);
        }
    }
    Ok(())
}

fn unreachable_value() -> Result<postgres_protocol::IsNull, Box<dyn std::error::Error + Sync + Send>>
{
    Ok(postgres_protocol::IsNull::Yes)
}

/// SQLSTATE and message of an error.
fn line(body: &[u8]) -> String {
    let field = |kind: u8| {
        let found = body
            .split(|byte| *byte == 0)
            .find(|field| field.first() == Some(&kind));
        String::from_utf8_lossy(found.and_then(|it| it.get(1..)).unwrap_or_default()).into_owned()
    };
    format!("{} {}", field(b'C'), field(b'M'))
}
