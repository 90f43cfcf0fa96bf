//! The form in which one HTTP request is written down: an HTTP/1.1 message with lower-case header
//! names, an origin-form target, and a body of known length. It is what attempts and operations carry.
//!
//! It must never carry hop-by-hop headers or a credential.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::error::HttpError;
use crate::limits::REQUEST_HEADERS_LIMIT;

/// Headers that belong to one connection, not to the message (RFC 9110 §7.6.1), and what goes with
/// proxies.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// A request taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The method.
    pub(crate) method: Method,
    /// The origin-form target: path and query.
    pub(crate) target: String,
    /// The header lines, without `content-length`.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl Message {
    /// Reads the written form. `bytes` is shared, not copied.
    pub(crate) fn parse(bytes: &Bytes) -> Result<Self, HttpError> {
        let mut lines = [httparse::EMPTY_HEADER; REQUEST_HEADERS_LIMIT];
        let mut request = httparse::Request::new(&mut lines);
        let head = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            _ => return Err(HttpError::NotAMessage),
        };
        let method = request.method.unwrap_or_default();
        let message = Self {
            method: Method::from_bytes(method.as_bytes()).map_err(|_| HttpError::NotAMessage)?,
            target: request.path.unwrap_or_default().to_owned(),
            headers: header_map(request.headers)?,
            body: bytes.slice(head..),
        };
        message.with_checked_length()
    }

    /// The body must be exactly as long as the head says.
    fn with_checked_length(mut self) -> Result<Self, HttpError> {
        let said = self.headers.remove(http::header::CONTENT_LENGTH);
        let length = match said {
            Some(value) => value.to_str().ok().and_then(|text| text.parse().ok()),
            None => Some(0),
        };
        if length == Some(self.body.len()) {
            Ok(self)
        } else {
            Err(HttpError::NotAMessage)
        }
    }

    /// Writes it down.
    pub(crate) fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(512 + self.target.len() + self.body.len());
        out.put_slice(self.method.as_str().as_bytes());
        out.put_u8(b' ');
        out.put_slice(self.target.as_bytes());
        out.put_slice(b" HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            put_line(&mut out, name.as_str(), value.as_bytes());
        }
        if self.says_length() {
            put_line(
                &mut out,
                "content-length",
                self.body.len().to_string().as_bytes(),
            );
        }
        out.put_slice(b"\r\n");
        out.put_slice(&self.body);
        out.freeze()
    }

    /// Methods that usually bring a body say so even when it is empty.
    fn says_length(&self) -> bool {
        let bodiless = [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE];
        !self.body.is_empty() || !bodiless.contains(&self.method)
    }
}

fn header_map(lines: &[httparse::Header<'_>]) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::with_capacity(lines.len());
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        let value = HeaderValue::from_bytes(line.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(HttpError::NotAMessage);
        };
        headers.append(name, value);
    }
    Ok(headers)
}

fn put_line(out: &mut BytesMut, name: &str, value: &[u8]) {
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

/// Takes out the headers that belong to one connection, also those that `connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(http::header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(method: Method, body: &'static [u8]) -> Message {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("api.example"));
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static("2"));
        Message {
            method,
            target: "/a?b=c".to_owned(),
            headers,
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        for message in [
            message(Method::GET, b""),
            message(Method::POST, b""),
            message(Method::POST, b"{}\r\n\r\n"),
            message(Method::DELETE, b"x"),
        ] {
            assert_eq!(Message::parse(&message.write()), Ok(message));
        }
    }

    #[test]
    fn a_body_of_another_length_is_refused() {
        for text in [
            "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nab",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nab",
            "POST / HTTP/1.1\r\n\r\nab",
            "POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            "POST /",
            "",
        ] {
            let read = Message::parse(&Bytes::from_static(text.as_bytes()));
            assert_eq!(read, Err(HttpError::NotAMessage), "{text}");
        }
    }

    #[test]
    fn what_connection_names_goes_too() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert("x-kept", HeaderValue::from_static("1"));
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key("x-kept"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Message::parse(&Bytes::from(bytes));
        }

        #[test]
        fn any_body_comes_back(body in proptest::collection::vec(any::<u8>(), 0..300), value in "[!-~]{1,20}") {
            let mut headers = HeaderMap::new();
            headers.insert("x-a", HeaderValue::from_str(&value).unwrap());
            let message = Message { method: Method::PUT, target: "/a".to_owned(), headers, body: body.into() };
            prop_assert_eq!(Message::parse(&message.write()), Ok(message));
        }
    }
}
