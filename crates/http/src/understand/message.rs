//! One HTTP/1.1 message, read so strictly that no other parser can read it differently.

use bytes::Bytes;

use super::ambiguous::Ambiguous;
use super::encoding;

/// Headers that no honest request has more of.
const MAX_HEADERS: usize = 200;

/// Headers that may stand there once only, because two parsers would pick different ones.
const ONCE: [&str; 6] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "content-md5",
];

/// Headers by which some servers let a request say that it is another one.
const OVERRIDES: [&str; 7] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-original-method",
    "x-override-url",
];

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) method: String,
    /// The path as written, percent encoding kept.
    pub(crate) path: String,
    /// What follows the question mark, as written.
    pub(crate) query: Option<String>,
    /// Names in lower case; values without surrounding blanks.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Message {
    /// Reads a message.
    pub(crate) fn parse(bytes: &Bytes) -> Result<Self, Ambiguous> {
        let (mut message, head_length) = Self::head(bytes)?;
        message.body = body(&message.headers, bytes.slice(head_length..))?;
        Ok(message)
    }

    /// Reads the head of a message whose body is elsewhere.
    pub(crate) fn parse_head(bytes: &Bytes) -> Result<Self, Ambiguous> {
        let (message, head_length) = Self::head(bytes)?;
        let lengths = ["content-length", "transfer-encoding"];
        if lengths.iter().all(|name| message.header(name).is_some()) {
            return Err(Ambiguous::TwoLengths);
        }
        if head_length < bytes.len() {
            return Err(Ambiguous::Length);
        }
        Ok(message)
    }

    fn head(bytes: &Bytes) -> Result<(Self, usize), Ambiguous> {
        let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut slots);
        let head_length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Err(not_http("it ends within its head")),
            Err(error) => return Err(head_error(bytes, error)),
        };
        if request.version != Some(1) {
            return Err(not_http("the version is not HTTP/1.1"));
        }
        let headers = headers(request.headers)?;
        let (authority, path, query) = target(request.path.unwrap_or_default())?;
        check_once(&headers)?;
        check_host(&headers, authority)?;
        check_overrides(&headers, query.as_deref())?;
        let method = request.method.unwrap_or_default().to_owned();
        Ok((
            Self {
                method,
                path,
                query,
                headers,
                body: Bytes::new(),
            },
            head_length,
        ))
    }

    /// The first value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    /// The host without its port, in lower case.
    pub(crate) fn host(&self) -> Option<String> {
        let host = self.header("host")?;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        Some(name.trim_end_matches('.').to_ascii_lowercase())
    }

    /// The path and the query as they stand in the request line.
    pub(crate) fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// Parameters of the URL, decoded; `None` where they can't be.
    pub(crate) fn parameters(&self) -> Option<Vec<(String, String)>> {
        encoding::parameters(self.query.as_deref().unwrap_or_default())
    }
}

fn not_http(why: &str) -> Ambiguous {
    Ambiguous::NotHttp(why.to_owned())
}

fn head_error(bytes: &[u8], error: httparse::Error) -> Ambiguous {
    let head_ends = bytes
        .windows(2)
        .position(|pair| pair == b"\n\n" || pair == b"\n\r");
    let head = bytes
        .get(..head_ends.unwrap_or(bytes.len()))
        .unwrap_or_default();
    if head.contains(&0) {
        return Ambiguous::Nul("head");
    }
    if head
        .windows(2)
        .any(|pair| pair == b"\n " || pair == b"\n\t")
    {
        return Ambiguous::Folded;
    }
    Ambiguous::NotHttp(error.to_string())
}

fn headers(parsed: &[httparse::Header<'_>]) -> Result<Vec<(String, String)>, Ambiguous> {
    let header = |header: &httparse::Header<'_>| {
        let value =
            std::str::from_utf8(header.value).map_err(|_| not_http("a header is not UTF-8"))?;
        Ok((header.name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    parsed.iter().map(header).collect()
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(given, _)| given == name);
    found.map(|(_, value)| value.as_str())
}

/// A target's authority (of the absolute form), path and query.
type Target = (Option<String>, String, Option<String>);

fn target(text: &str) -> Result<Target, Ambiguous> {
    if text.contains('#') {
        return Err(Ambiguous::Path("a fragment"));
    }
    let (authority, origin) = match text.split_once("://") {
        Some(("http" | "https", rest)) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, origin) = rest.split_at(end);
            (Some(authority.to_owned()), origin)
        }
        _ => (None, text),
    };
    let (path, query) = match origin.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (origin, None),
    };
    let path = if path.is_empty() && authority.is_some() {
        "/"
    } else {
        path
    };
    if !path.starts_with('/') && path != "*" {
        return Err(not_http("the target is not a path"));
    }
    Ok((authority, path.to_owned(), query))
}

fn check_once(headers: &[(String, String)]) -> Result<(), Ambiguous> {
    for name in ONCE {
        if headers.iter().filter(|(given, _)| given == name).count() > 1 {
            return Err(Ambiguous::HeaderTwice(name));
        }
    }
    // `content_type` and `content-type` are one header to CGI-like servers.
    match headers
        .iter()
        .find(|(name, _)| name.contains('_') && ONCE.contains(&name.replace('_', "-").as_str()))
    {
        Some((name, _)) => Err(Ambiguous::NotHttp(format!(
            "header `{name}` imitates another"
        ))),
        None => Ok(()),
    }
}

fn check_host(headers: &[(String, String)], authority: Option<String>) -> Result<(), Ambiguous> {
    let host = value(headers, "host").map(str::to_ascii_lowercase);
    match (host, authority) {
        (Some(host), _) if host.contains(['@', '/', '\\', ' ', ',']) => {
            Err(not_http("the host is not a name"))
        }
        (Some(host), Some(authority)) if host != authority.to_ascii_lowercase() => {
            Err(Ambiguous::TwoHosts)
        }
        (None, Some(_)) => Err(Ambiguous::TwoHosts),
        _ => Ok(()),
    }
}

fn check_overrides(headers: &[(String, String)], query: Option<&str>) -> Result<(), Ambiguous> {
    let by_header = headers
        .iter()
        .find(|(name, _)| OVERRIDES.contains(&name.replace('_', "-").as_str()));
    if let Some((name, _)) = by_header {
        return Err(Ambiguous::MethodOverride(name.clone()));
    }
    let parameters = encoding::parameters(query.unwrap_or_default()).unwrap_or_default();
    let by_parameter = parameters.into_iter().find(|(name, _)| is_override(name));
    by_parameter.map_or(Ok(()), |(name, _)| Err(Ambiguous::MethodOverride(name)))
}

/// Parameters by which some frameworks let a request say that its method is another.
pub(crate) fn is_override(parameter: &str) -> bool {
    [
        "_method",
        "_httpmethod",
        "x-http-method-override",
        "$httpmethod",
    ]
    .contains(&parameter.to_ascii_lowercase().as_str())
}

fn body(headers: &[(String, String)], rest: Bytes) -> Result<Bytes, Ambiguous> {
    match (
        value(headers, "content-length"),
        value(headers, "transfer-encoding"),
    ) {
        (Some(_), Some(_)) => Err(Ambiguous::TwoLengths),
        (Some(length), None) => of_length(length, rest),
        (None, Some(coding)) if coding.eq_ignore_ascii_case("chunked") => unchunked(&rest),
        (None, Some(_)) => Err(Ambiguous::Length),
        (None, None) => Ok(rest),
    }
}

fn of_length(length: &str, rest: Bytes) -> Result<Bytes, Ambiguous> {
    let plain = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    match length.parse::<usize>() {
        Ok(length) if plain && length == rest.len() => Ok(rest),
        _ => Err(Ambiguous::Length),
    }
}

fn unchunked(mut rest: &[u8]) -> Result<Bytes, Ambiguous> {
    let mut out = Vec::new();
    loop {
        let (size, chunk) = chunk_size(rest)?;
        if size == 0 {
            return if chunk == b"\r\n" {
                Ok(out.into())
            } else {
                Err(Ambiguous::Length)
            };
        }
        let (data, tail) = chunk.split_at_checked(size).ok_or(Ambiguous::Length)?;
        out.extend_from_slice(data);
        rest = tail.strip_prefix(b"\r\n").ok_or(Ambiguous::Length)?;
    }
}

/// A chunk's size and what follows its line. Extensions are refused.
fn chunk_size(rest: &[u8]) -> Result<(usize, &[u8]), Ambiguous> {
    let end = rest
        .windows(2)
        .position(|pair| pair == b"\r\n")
        .ok_or(Ambiguous::Length)?;
    let (line, tail) = rest.split_at(end);
    let text = std::str::from_utf8(line).map_err(|_| Ambiguous::Length)?;
    let plain = (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = usize::from_str_radix(text, 16)
        .ok()
        .filter(|_| plain)
        .ok_or(Ambiguous::Length)?;
    Ok((size, tail.get(2..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Message, Ambiguous> {
        Message::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn plain_messages_are_read() {
        let message = parse(
            "POST /a%20b?x=1 HTTP/1.1\r\nHost: API.example:443\r\nContent-Length: 2\r\n\r\nhi",
        )
        .unwrap();
        assert_eq!(
            (message.method.as_str(), message.path.as_str()),
            ("POST", "/a%20b")
        );
        assert_eq!(message.host().as_deref(), Some("api.example"));
        assert_eq!(&message.body[..], b"hi");
        let chunked = "POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n";
        assert_eq!(&parse(chunked).unwrap().body[..], b"hi!");
        let absolute = parse("GET http://a.b/c?d HTTP/1.1\r\nhost: a.b\r\n\r\n").unwrap();
        assert_eq!(absolute.target(), "/c?d");
    }

    #[test]
    fn ambiguous_messages_are_refused() {
        for (text, why) in [
            (
                "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
                Ambiguous::HeaderTwice("host"),
            ),
            (
                "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n",
                Ambiguous::TwoLengths,
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
                Ambiguous::HeaderTwice("content-length"),
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nx",
                Ambiguous::Length,
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nxy",
                Ambiguous::Length,
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\nx",
                Ambiguous::Length,
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                Ambiguous::Length,
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0;x\r\n\r\n",
                Ambiguous::Length,
            ),
            ("GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n", Ambiguous::Folded),
            (
                "GET http://a/ HTTP/1.1\r\nhost: b\r\n\r\n",
                Ambiguous::TwoHosts,
            ),
            (
                "POST / HTTP/1.1\r\nX-HTTP-Method-Override: DELETE\r\n\r\n",
                Ambiguous::MethodOverride("x-http-method-override".to_owned()),
            ),
            (
                "POST /?_method=delete HTTP/1.1\r\n\r\n",
                Ambiguous::MethodOverride("_method".to_owned()),
            ),
            ("GET / HTTP/1.1\r\na: \0\r\n\r\n", Ambiguous::Nul("head")),
            ("GET /#x HTTP/1.1\r\n\r\n", Ambiguous::Path("a fragment")),
        ] {
            assert_eq!(parse(text).map(|_| ()), Err(why), "{text:?}");
        }
        for text in [
            "",
            "GET",
            "GET / HTTP/1.0\r\n\r\n",
            "hello\r\n\r\n",
            "GET x HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent_length: 0\r\n\r\n",
        ] {
            assert!(
                matches!(parse(text), Err(Ambiguous::NotHttp(_))),
                "{text:?}"
            );
        }
    }
}
