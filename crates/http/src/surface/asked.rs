//! A request that was read in exactly one way.

use http::request::Parts;
use http::{Method, StatusCode};

use crate::refused::text_reply;
use crate::reply::Reply;
use crate::surface::agree;
use crate::surface::credentials::Credentials;
use crate::surface::route::{Routed, route};
use crate::surface::wire::Wire;
use crate::upstream::Upstreams;

/// A request whose host is known and whose credentials are out of its headers.
pub(crate) struct Asked<'a> {
    /// How the agent reached us: `https://host`.
    pub(crate) origin: String,
    /// The host, as the agent named it.
    pub(crate) authority: String,
    /// What was taken out.
    pub(crate) credentials: Credentials,
    /// Where it goes, if it goes anywhere.
    pub(crate) routed: Option<Routed>,
    /// The connection it came on.
    pub(crate) wire: &'a Wire,
}

/// Reads the head of a request, or gives the answer that it gets instead.
pub(crate) fn read<'a>(
    parts: &mut Parts,
    wire: &'a Wire,
    upstreams: &Upstreams,
) -> Result<Asked<'a>, Box<Reply>> {
    check_method(&parts.method)?;
    let named = parts.uri.authority();
    if named.is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(malformed("the address carries a user name"));
    }
    let authority = agree::authority(&parts.uri, &parts.headers).map_err(malformed)?;
    if !wire.agrees_with(&authority) {
        let text =
            "DENIED by tagout: the host differs from the one that this connection was opened for.";
        return Err(Box::new(text_reply(StatusCode::MISDIRECTED_REQUEST, text)));
    }
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let routed = route(upstreams, &authority, target);
    let own = routed.as_ref().map(|routed| &routed.to.credential_header);
    let mut credentials = Credentials::take(&mut parts.headers, own);
    credentials.look_in_query(parts.uri.query());
    if let Some(tunnel) = &wire.tunnel {
        credentials
            .token
            .get_or_insert_with(|| tunnel.token.clone());
    }
    let origin = format!("{}://{authority}", wire.scheme());
    Ok(Asked {
        origin,
        authority,
        credentials,
        routed,
        wire,
    })
}

/// `CONNECT` is for proxies, and `TRACE` would have the upstream repeat its credential.
fn check_method(method: &Method) -> Result<(), Box<Reply>> {
    match *method {
        Method::CONNECT => Err(malformed("this is not a proxy")),
        Method::TRACE => Err(malformed("`TRACE` is not carried")),
        _ => Ok(()),
    }
}

/// The answer to what can't be read in exactly one way.
pub(crate) fn malformed(why: &str) -> Box<Reply> {
    let text = format!("DENIED by tagout: {why}. It was not forwarded.");
    Box::new(text_reply(StatusCode::BAD_REQUEST, &text))
}
