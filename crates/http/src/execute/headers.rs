//! What of an upstream's header lines reaches an agent.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use tagout_core::ids::UpstreamName;
use tagout_core::pipeline::Vault;

use crate::message::strip_hop_by_hop;
use crate::upstream::Endpoint;

/// Header lines that make or carry a session of the upstream's own, or tell clients where else to go.
const DROPPED: [HeaderName; 5] = [
    header::SET_COOKIE,
    header::ALT_SVC,
    header::STRICT_TRANSPORT_SECURITY,
    header::WWW_AUTHENTICATE,
    header::PROXY_AUTHENTICATE,
];

/// Takes out what must not pass: hop-by-hop lines, cookies, a redirect to another host, and every
/// line in which the credential is echoed.
pub(crate) fn clean(
    headers: &mut HeaderMap,
    from: &Endpoint,
    upstream: &UpstreamName,
    vault: &dyn Vault,
) {
    strip_hop_by_hop(headers);
    for name in DROPPED {
        headers.remove(name);
    }
    if !stays_on(headers.get(header::LOCATION), from) {
        headers.remove(header::LOCATION);
    }
    for value in headers.values_mut() {
        scrub(value, upstream, vault);
    }
}

/// An echoed credential is replaced; a value that can't be written afterwards is emptied.
fn scrub(value: &mut HeaderValue, upstream: &UpstreamName, vault: &dyn Vault) {
    let mut text = value.as_bytes().to_vec();
    if vault.scrub(upstream, &mut text) {
        *value = HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    }
}

/// Whether a redirect leads to the same host: a path, or a whole address with that host.
fn stays_on(location: Option<&HeaderValue>, from: &Endpoint) -> bool {
    let Some(location) = location else {
        return true;
    };
    let Some(uri) = location
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Uri>().ok())
    else {
        return false;
    };
    match uri.authority() {
        None => uri.path().starts_with('/') && !uri.path().starts_with("//"),
        Some(authority) => authority.as_str().eq_ignore_ascii_case(&from.authority()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_on_the_host() {
        let from = Endpoint {
            tls: true,
            host: "api.example".to_owned(),
            port: 443,
        };
        for (location, stays) in [
            ("/next", true),
            ("/next?a=b", true),
            ("https://api.example/next", true),
            ("https://API.example/next", true),
            ("https://evil.example/next", false),
            ("https://api.example@evil.example/", false),
            ("https://api.example:444/", false),
            ("//evil.example/next", false),
            ("next", false),
        ] {
            let value = HeaderValue::from_static(location);
            assert_eq!(stays_on(Some(&value), &from), stays, "{location}");
        }
    }
}
