//! What every request passes before anything else, and what every answer carries.
//!
//! The origin of the console is the boundary between people and agents. A request that names another
//! host, comes from another page or carries an agent's token goes no further.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::refusal::Refusal;
use crate::{Console, Site};

/// The most bytes of a request's body. A passkey's answer takes about two thousand.
pub(crate) const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// What every agent's token begins with.
const TOKEN_PREFIX: &[u8] = b"tgo_";

/// Nothing from anywhere else, no inline script or style, no frames.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Checks the request, serves it, and hardens the answer.
pub(crate) async fn guard(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = match admit(&console.site, request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refused(refusal, &path),
    };
    harden(&console.site, response.headers_mut());
    response
}

/// Refusals here are worth a line in the log: pages of ours never cause one.
fn refused(refusal: Refusal, path: &str) -> Response {
    tracing::warn!(%refusal, "the console refused a request");
    match path.starts_with("/api/") {
        true => refusal.into_json(),
        false => refusal.into_page(path),
    }
}

async fn admit(site: &Site, request: Request) -> Result<Request, Refusal> {
    refuse_token(request.uri(), request.headers())?;
    check_host(site, request.headers())?;
    if !request.method().is_safe() {
        check_origin(site, request.headers())?;
    }
    let (parts, body) = request.into_parts();
    let body = whole(body).await?;
    if names_token(&body) {
        return Err(Refusal::AgentToken);
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

async fn whole(body: Body) -> Result<Bytes, Refusal> {
    let bytes = to_bytes(body, BODY_LIMIT_BYTES).await;
    bytes.map_err(|_| Refusal::TooLarge(BODY_LIMIT_BYTES))
}

/// The one value of a header: absent and repeated are both `None`.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// A name that someone else's DNS points here is not the console.
fn check_host(site: &Site, headers: &HeaderMap) -> Result<(), Refusal> {
    let given = only(headers, &header::HOST);
    if given.is_some_and(|host| host.eq_ignore_ascii_case(site.authority().as_bytes())) {
        Ok(())
    } else {
        Err(Refusal::WrongHost(site.origin.clone()))
    }
}

/// What may change something comes from our own pages: browsers say so in `Origin`, on every request
/// that is not a GET, and pages can't set it.
fn check_origin(site: &Site, headers: &HeaderMap) -> Result<(), Refusal> {
    let same_site = match only(headers, &HeaderName::from_static("sec-fetch-site")) {
        None => !headers.contains_key("sec-fetch-site"),
        Some(value) => value == b"same-origin",
    };
    if same_site && only(headers, &header::ORIGIN) == Some(site.origin.as_bytes()) {
        Ok(())
    } else {
        Err(Refusal::WrongOrigin)
    }
}

/// No token is read here, so none can do harm; it is refused so that nobody comes to believe it helps.
fn refuse_token(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let in_headers = headers
        .values()
        .any(|value| names_token(value.as_bytes()) || names_token(&basic(value)));
    let in_uri = names_token(uri.to_string().as_bytes());
    match in_headers || in_uri {
        true => Err(Refusal::AgentToken),
        false => Ok(()),
    }
}

/// What `Basic` credentials say; empty for anything else.
fn basic(value: &HeaderValue) -> Vec<u8> {
    let bytes = value.as_bytes();
    let (scheme, rest) = bytes.split_at_checked(6).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return Vec::new();
    }
    let end = rest.iter().rposition(|byte| *byte != b'=');
    let unpadded = rest.get(..=end.unwrap_or_default()).unwrap_or_default();
    STANDARD_NO_PAD.decode(unpadded).unwrap_or_default()
}

/// Whether a token begins somewhere in `bytes`, at the start of a word (so that base64 that happens to
/// contain the prefix is none). Percent signs count as part of the underscore: `tgo%5f`.
fn names_token(bytes: &[u8]) -> bool {
    let text: Vec<u8> = bytes.to_ascii_lowercase();
    let starts = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        before.is_none_or(|byte| !(byte.is_ascii_alphanumeric() || b"-_".contains(byte)))
    };
    let found = |prefix: &[u8]| {
        let mut windows = text.windows(prefix.len()).enumerate();
        windows.any(|(at, window)| window == prefix && starts(at))
    };
    found(TOKEN_PREFIX) || found(b"tgo%5f")
}

fn harden(site: &Site, headers: &mut HeaderMap) {
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    let always = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if site.secure {
        let value = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_at_the_start_of_a_word() {
        for (text, is_token) in [
            ("tgo_abc", true),
            ("Bearer tgo_abc", true),
            ("TGO_abc", true),
            ("a=1&token=tgo_x", true),
            ("/x?t=tgo%5Fx", true),
            ("\"tgo_x\"", true),
            ("xtgo_x", false),
            ("9-tgo_x", false),
            ("tgo", false),
            ("", false),
        ] {
            assert_eq!(names_token(text.as_bytes()), is_token, "{text}");
        }
    }

    #[test]
    fn basic_credentials_are_looked_into() {
        for (value, said) in [
            ("Basic dXNlcjp0Z29fYQ==", "user:tgo_a"),
            ("basic dXNlcjp0Z29fYQ", "user:tgo_a"),
            ("Bearer dXNlcjp0Z29fYQ==", ""),
            ("Basic", ""),
            ("Basic ", ""),
        ] {
            let value = HeaderValue::from_static(value);
            assert_eq!(basic(&value), said.as_bytes());
        }
    }
}
