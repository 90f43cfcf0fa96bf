//! Host, SNI and CONNECT authority must name the same place, or a request could be judged for one host
//! and answered by another.

use http::{HeaderMap, Uri, header};

use crate::upstream::endpoint::split_authority;

/// The one authority (`host` or `host:port`, lower case) of a request, or why there is not exactly one.
pub(crate) fn authority(uri: &Uri, headers: &HeaderMap) -> Result<String, &'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, None) = (hosts.next(), hosts.next()) else {
        return Err("the host is given twice");
    };
    let host = match host {
        Some(host) => Some(host.to_str().map_err(|_| "the host is not a host name")?),
        None => None,
    };
    let named = uri.authority().map(http::uri::Authority::as_str);
    let both = match (named, host) {
        (Some(named), Some(host)) if !named.eq_ignore_ascii_case(host) => {
            return Err("the request line and the host line name different hosts");
        }
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => return Err("no host is named"),
    };
    split_authority(both).ok_or("the host is not a host name")?;
    Ok(both.to_ascii_lowercase())
}

/// Whether the TLS handshake named the same host. A client that names none there (an IP address) is
/// judged by its host line alone.
pub(crate) fn matches_sni(authority: &str, sni: Option<&str>) -> bool {
    let Some(sni) = sni else { return true };
    split_authority(authority).is_some_and(|(host, _)| host.eq_ignore_ascii_case(sni))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(uri: &str, hosts: &[&'static str]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_static(host));
        }
        authority(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn there_is_exactly_one_host() {
        assert_eq!(read("/", &["API.example"]), Ok("api.example".to_owned()));
        assert_eq!(
            read("https://api.example/", &[]),
            Ok("api.example".to_owned())
        );
        assert_eq!(read("http://a:1/", &["A:1"]), Ok("a:1".to_owned()));
        for (uri, hosts) in [
            ("/", &[][..]),
            ("/", &["a", "a"]),
            ("http://a/", &["b"]),
            ("/", &["user@a"]),
            ("/", &["a/b"]),
            ("/", &[""]),
        ] {
            assert!(read(uri, hosts).is_err(), "{uri} {hosts:?}");
        }
    }

    #[test]
    fn the_handshake_must_agree() {
        assert!(matches_sni("api.example:8443", Some("API.example")));
        assert!(matches_sni("api.example", None));
        assert!(!matches_sni("api.example", Some("other.example")));
    }
}
