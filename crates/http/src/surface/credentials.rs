//! Takes every credential out of an agent's request: its own token, which we check, and any other,
//! which an agent must not have.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What every token of ours begins with.
const TOKEN_PREFIX: &str = "tgo_";

/// Headers that carry credentials, of the providers we know and by common habit.
const CREDENTIAL_HEADERS: [&str; 14] = [
    "authorization",
    "proxy-authorization",
    "project-access-token",
    "cookie",
    "x-api-key",
    "api-key",
    "apikey",
    "x-auth-token",
    "x-access-token",
    "private-token",
    "x-goog-api-key",
    "x-amz-security-token",
    "x-vault-token",
    "cf-access-client-secret",
];

/// Query parameters that carry credentials.
const CREDENTIAL_PARAMETERS: [&str; 8] = [
    "api_key",
    "apikey",
    "api-key",
    "access_token",
    "auth_token",
    "client_secret",
    "x-amz-security-token",
    "x-amz-signature",
];

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The agent's token.
    pub(crate) token: Option<String>,
    /// Where the first credential stood that is not a token of ours, or a second token.
    pub(crate) stray: Option<String>,
}

impl Credentials {
    /// Takes them out of `headers`, also out of `own`, the header that this upstream uses.
    pub(crate) fn take(headers: &mut HeaderMap, own: Option<&HeaderName>) -> Self {
        let mut found = Self::default();
        for name in CREDENTIAL_HEADERS {
            found.take_header(headers, name);
        }
        if let Some(own) = own {
            found.take_header(headers, own.as_str());
        }
        found
    }

    fn take_header(&mut self, headers: &mut HeaderMap, name: &str) {
        if !headers.contains_key(name) {
            return;
        }
        let values: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
        headers.remove(name);
        for value in values {
            match token_in(&value) {
                Some(token) if self.token.as_ref().is_none_or(|known| *known == token) => {
                    self.token = Some(token);
                }
                _ if value.is_empty() => {}
                _ => self.found_stray(format!("header {name}")),
            }
        }
    }

    /// Looks for credentials in the query. They are never taken for a token: addresses end up in logs.
    pub(crate) fn look_in_query(&mut self, query: Option<&str>) {
        for pair in query.unwrap_or_default().split(['&', ';']) {
            let name = pair.split('=').next().unwrap_or_default();
            let name = percent_decoded(name).to_ascii_lowercase();
            if CREDENTIAL_PARAMETERS.contains(&name.as_str()) {
                self.found_stray(format!("parameter {name}"));
            }
        }
    }

    fn found_stray(&mut self, place: String) {
        self.stray.get_or_insert(place);
    }
}

/// The token in `tgo_…`, `Bearer tgo_…`, `token tgo_…`, or in either half of `Basic …`.
fn token_in(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.trim();
    let (scheme, rest) = text.split_once(' ').unwrap_or(("", text));
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "" | "bearer" | "token" => as_token(rest),
        "basic" => token_in_basic(rest),
        _ => None,
    }
}

fn as_token(text: &str) -> Option<String> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    (plain && text.starts_with(TOKEN_PREFIX)).then(|| text.to_owned())
}

/// With the token as the password, the user name is free: clients want one. With the token as the user
/// name, a password would be another credential.
fn token_in_basic(encoded: &str) -> Option<String> {
    let decoded = STANDARD
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(encoded));
    let text = String::from_utf8(decoded.ok()?).ok()?;
    let (user, password) = text.split_once(':').unwrap_or((&text, ""));
    if password.is_empty() {
        as_token(user)
    } else {
        as_token(password)
    }
}

/// Percent escapes undone, as far as needed to recognise a name.
fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| first == b'%');
        let byte =
            escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(byte.unwrap_or(first));
        rest = if byte.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(lines: &[(&'static str, &str)], query: Option<&str>) -> (Credentials, HeaderMap) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let own = HeaderName::from_static("x-own-key");
        let mut found = Credentials::take(&mut headers, Some(&own));
        found.look_in_query(query);
        (found, headers)
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn tokens_are_found_where_clients_put_them() {
        for (name, value) in [
            ("authorization", "Bearer tgo_a1".to_owned()),
            ("authorization", "bearer  tgo_a1".to_owned()),
            ("authorization", "token tgo_a1".to_owned()),
            ("authorization", "tgo_a1".to_owned()),
            ("authorization", basic("x-access-token:tgo_a1")),
            ("authorization", basic("tgo_a1:")),
            ("authorization", basic("tgo_a1")),
            ("project-access-token", "tgo_a1".to_owned()),
            ("x-own-key", "tgo_a1".to_owned()),
        ] {
            let (found, left) = take(&[(name, &value)], None);
            assert_eq!(found.token.as_deref(), Some("tgo_a1"), "{name}: {value}");
            assert_eq!(found.stray, None, "{name}: {value}");
            assert!(left.is_empty());
        }
    }

    #[test]
    fn other_credentials_are_strays_and_go() {
        let token = ("authorization", "Bearer tgo_a1");
        for (name, value) in [
            ("authorization", "Bearer 8f3e-real".to_owned()),
            ("authorization", basic("user:password")),
            ("authorization", basic("tgo_a1:password")),
            ("authorization", "Bearer tgo_other".to_owned()),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=tgo_a1".to_owned(),
            ),
            ("project-access-token", "8f3e".to_owned()),
            ("cookie", "session=1".to_owned()),
            ("x-api-key", "k".to_owned()),
            ("x-own-key", "k".to_owned()),
        ] {
            let (found, left) = take(&[token, (name, &value)], None);
            assert_eq!(found.token.as_deref(), Some("tgo_a1"));
            assert_eq!(found.stray, Some(format!("header {name}")), "{value}");
            assert!(left.is_empty());
        }
        for query in [
            "api_key=1",
            "a=b&access_token=x",
            "api%5Fkey=1",
            "API_KEY=1",
        ] {
            assert!(take(&[token], Some(query)).0.stray.is_some(), "{query}");
        }
        assert_eq!(
            take(&[token], Some("a=b&page_token=x&key=y%")).0.stray,
            None
        );
    }
}
