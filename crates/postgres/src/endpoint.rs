//! Where an upstream's server is, as its URL says: `postgres://role@host:port/database?sslmode=verify-full`.
//! Never a password: that would be a secret in the clear, and is refused.

use std::path::PathBuf;

use crate::error::PostgresError;

/// An upstream's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its host, also the name that its certificate must bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The role to sign in as.
    pub role: String,
    /// The database.
    pub database: String,
    /// How the server proves who it is.
    pub transport: Transport,
}

/// How a server proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Not at all: for servers on this machine.
    Plain,
    /// By a certificate for its host, from these roots or the system's.
    VerifiedTls {
        /// PEM file of the roots to trust instead of the system's.
        ca_file: Option<PathBuf>,
    },
}

impl Endpoint {
    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Reads an upstream's URL.
    ///
    /// # Errors
    /// [`PostgresError::Url`] with what is wrong.
    pub fn parse(url: &str, ca_file: Option<&str>) -> Result<Self, PostgresError> {
        let wrong = |why: &str| PostgresError::Url {
            url: url.escape_debug().to_string(),
            why: why.to_owned(),
        };
        let rest =
            strip_scheme(url).ok_or_else(|| wrong("it does not begin with `postgres://`"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (role, address) = authority
            .rsplit_once('@')
            .ok_or_else(|| wrong("it names no role; write `postgres://role@host/database`"))?;
        if role.contains(':') {
            return Err(PostgresError::InlinePassword);
        }
        if role.is_empty() || database.is_empty() {
            return Err(wrong("a role and a database are needed"));
        }
        let (host, port) = host_and_port(address).ok_or_else(|| wrong("its port is no number"))?;
        let transport = transport(query, &host, ca_file).map_err(|why| wrong(&why))?;
        Ok(Self {
            host,
            port,
            role: decoded(role).ok_or_else(|| wrong("the role is not readable"))?,
            database: decoded(database).ok_or_else(|| wrong("the database is not readable"))?,
            transport,
        })
    }
}

/// What follows the scheme of a PostgreSQL URL; `None` for any other.
#[must_use]
pub fn strip_scheme(url: &str) -> Option<&str> {
    url.strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
}

fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match address.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = port.map_or(Some(5432), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// Without TLS only to this machine: a credential and rows must not cross a network in the clear.
fn transport(query: &str, host: &str, ca_file: Option<&str>) -> Result<Transport, String> {
    let mut mode = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            _ => return Err(format!("`{}` is not known here", pair.escape_debug())),
        }
    }
    let local = matches!(host, "localhost" | "127.0.0.1" | "::1");
    match mode {
        Some("disable") | None if local => Ok(Transport::Plain),
        Some("verify-full") | None => Ok(Transport::VerifiedTls {
            ca_file: ca_file.map(PathBuf::from),
        }),
        Some("disable") => {
            Err("`sslmode=disable` is for servers on this machine; use `verify-full`".to_owned())
        }
        Some(other) => Err(format!(
            "`sslmode={}` does not prove who the server is; use `verify-full`",
            other.escape_debug()
        )),
    }
}

/// Percent-decoding, as in any URL.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let read = |url| Endpoint::parse(url, None).unwrap();
        let plain = read("postgres://app@127.0.0.1:6543/shop");
        assert_eq!((plain.host.as_str(), plain.port), ("127.0.0.1", 6543));
        assert_eq!(
            (plain.role.as_str(), plain.database.as_str()),
            ("app", "shop")
        );
        assert_eq!(plain.transport, Transport::Plain);
        let far = read("postgresql://a%40b@db.example/shop%20two?sslmode=verify-full");
        assert_eq!((far.role.as_str(), far.port), ("a@b", 5432));
        assert_eq!(far.database, "shop two");
        assert_eq!(far.transport, Transport::VerifiedTls { ca_file: None });
        assert_eq!(read("postgres://a@[::1]:7/d").host, "::1");
    }

    #[test]
    fn what_is_wrong_is_said_and_no_password_repeated() {
        for (url, said) in [
            ("https://a@h/d", "does not begin"),
            ("postgres://h/d", "names no role"),
            ("postgres://a@h", "a database are needed"),
            ("postgres://a@h:x/d", "port is no number"),
            ("postgres://a@h/d?sslmode=require", "does not prove"),
            (
                "postgres://a@h/d?sslmode=disable",
                "for servers on this machine",
            ),
            ("postgres://a@h/d?host=/tmp", "is not known here"),
            ("postgres://a:s3cret@h/d", "carries a password"),
        ] {
            let error = Endpoint::parse(url, None).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
