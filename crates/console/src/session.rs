//! The cookie that carries a person's session, and the check that somebody is signed in.

use axum::extract::{Request, State};
use axum::http::header::{COOKIE, HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tagout_core::desk::{DeskError, SignedIn};

use crate::refusal::Refusal;
use crate::{Console, Site};

/// `__Host-` makes browsers insist on https, this host and the path `/`.
const fn cookie_name(site: &Site) -> &'static str {
    if site.secure {
        "__Host-tagout"
    } else {
        "tagout_session"
    }
}

/// The session's secret, from a cookie that occurs exactly once.
pub(crate) fn secret_of<'a>(site: &Site, headers: &'a HeaderMap) -> Option<&'a str> {
    let name = cookie_name(site);
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(given, _)| *given == name);
    match (ours.next(), ours.next()) {
        (Some((_, secret)), None) => Some(secret),
        _ => None,
    }
}

/// Who is signed in.
pub(crate) fn person_of(console: &Console, headers: &HeaderMap) -> Option<SignedIn> {
    let secret = secret_of(&console.site, headers)?;
    console.desk.session(secret)
}

/// The `Set-Cookie` that keeps `secret` for `life_s` seconds; zero forgets it.
pub(crate) fn cookie(site: &Site, secret: &str, life_s: u64) -> Option<HeaderValue> {
    let secure = if site.secure { "; Secure" } else { "" };
    let name = cookie_name(site);
    let text =
        format!("{name}={secret}; Path=/; Max-Age={life_s}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

/// Lets signed-in people through, and hands them on as an extension.
pub(crate) async fn require(
    State(console): State<Console>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(person) = person_of(&console, request.headers()) else {
        let refusal = Refusal::Desk(DeskError::SignedOut);
        return match request.uri().path().starts_with("/api/") {
            true => refusal.into_json(),
            false => refusal.into_page(&request.uri().to_string()),
        };
    };
    request.extensions_mut().insert(person);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(secure: bool) -> Site {
        Site {
            rp_id: "localhost".into(),
            origin: "http://localhost".into(),
            secure,
        }
    }

    #[test]
    fn the_secret_comes_from_one_cookie_of_our_name() {
        for (lines, secret) in [
            (&["tagout_session=abc"][..], Some("abc")),
            (&["a=b; tagout_session=abc; c=d"], Some("abc")),
            (&["a=b", "tagout_session=abc"], Some("abc")),
            (&["tagout_session=abc; tagout_session=def"], None),
            (&["tagout_session=abc", "tagout_session=def"], None),
            (&["xtagout_session=abc"], None),
            (&["__Host-tagout=abc"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_static(line));
            }
            assert_eq!(secret_of(&site(false), &headers), secret, "{lines:?}");
        }
    }

    #[test]
    fn cookies_are_kept_from_scripts_and_other_sites() {
        let plain = cookie(&site(false), "s", 60).unwrap();
        assert_eq!(
            plain,
            "tagout_session=s; Path=/; Max-Age=60; HttpOnly; SameSite=Strict"
        );
        let secure = cookie(&site(true), "s", 0).unwrap();
        assert_eq!(
            secure,
            "__Host-tagout=s; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"
        );
    }
}
