//! Which upstream a request is for.
//!
//! The host decides first: an agent that was told to reach `backboard.railway.app` through us names it.
//! Otherwise the first segment of the path may name the upstream:
//! `http://gateway:8080/railway/graphql/v2` is `/graphql/v2` of the upstream `railway`. Anything else
//! is unknown and goes nowhere.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};

use crate::upstream::{Registered, Upstreams};

/// A request's destination.
#[derive(Clone, Debug)]
pub(crate) struct Routed {
    /// Where it goes.
    pub(crate) to: Arc<Registered>,
    /// The target as the upstream sees it.
    pub(crate) target: String,
    /// Whether the first segment of the agent's path named the upstream.
    by_path: bool,
}

impl Routed {
    /// Turns a redirect within the upstream into one that leads back through us. (One that leaves the
    /// upstream is gone already.)
    pub(crate) fn lead_back(&self, headers: &mut HeaderMap) {
        let Some(location) = headers.get(header::LOCATION) else {
            return;
        };
        let location = location.to_str().unwrap_or_default();
        let scheme = if self.to.endpoint.tls {
            "https"
        } else {
            "http"
        };
        let origin = format!("{scheme}://{}", self.to.authority);
        let target = location.strip_prefix(&origin).unwrap_or(location);
        let name = &self.to.upstream.name;
        let led = if self.by_path {
            format!("/{name}{target}")
        } else {
            target.to_owned()
        };
        match HeaderValue::from_str(&led) {
            Ok(led) if target.starts_with('/') => headers.insert(header::LOCATION, led),
            _ => headers.remove(header::LOCATION),
        };
    }
}

/// Finds the destination of `target` (path and query) at `authority`.
pub(crate) fn route(upstreams: &Upstreams, authority: &str, target: &str) -> Option<Routed> {
    if let Some(to) = upstreams.at(authority) {
        return Some(Routed {
            to,
            target: target.to_owned(),
            by_path: false,
        });
    }
    let path = target.strip_prefix('/')?;
    let end = path.find(['/', '?']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let to = upstreams.named(name)?;
    let target = if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("/{rest}")
    };
    Some(Routed {
        to,
        target,
        by_path: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tagout_core::proposal::Upstream;

    fn upstreams() -> Upstreams {
        let upstreams = Upstreams::default();
        let railway = Upstream {
            name: "railway".parse().unwrap(),
            url: "https://backboard.railway.com".to_owned(),
            aliases: vec!["backboard.railway.app".to_owned()],
            pack: "railway".to_owned(),
            credential: "none".to_owned(),
            header: "authorization: Bearer".to_owned(),
            ca_file: None,
            ourselves: Vec::new(),
            mode: Default::default(),
        };
        assert_eq!(upstreams.configure(vec![railway]), []);
        upstreams
    }

    #[test]
    fn by_host_then_by_first_segment() {
        let upstreams = upstreams();
        for (authority, target, expected) in [
            ("backboard.railway.app", "/graphql/v2", Some("/graphql/v2")),
            ("backboard.railway.app", "/railway/x", Some("/railway/x")),
            (
                "gateway:8080",
                "/railway/graphql/v2?a=b",
                Some("/graphql/v2?a=b"),
            ),
            ("gateway:8080", "/railway", Some("/")),
            ("gateway:8080", "/railway?a", Some("/?a")),
            ("gateway:8080", "/other/graphql/v2", None),
            ("gateway:8080", "//railway/x", None),
            ("gateway:8080", "/%72ailway/x", None),
            ("gateway:8080", "*", None),
        ] {
            let routed = route(&upstreams, authority, target).map(|routed| routed.target);
            assert_eq!(routed.as_deref(), expected, "{authority} {target}");
        }
    }

    #[test]
    fn redirects_lead_back_through_us() {
        let upstreams = upstreams();
        for (authority, target, location, led) in [
            ("gateway", "/railway/a", "/b?c", Some("/railway/b?c")),
            (
                "gateway",
                "/railway/a",
                "https://backboard.railway.com/b",
                Some("/railway/b"),
            ),
            ("backboard.railway.app", "/a", "/b", Some("/b")),
            (
                "backboard.railway.app",
                "/a",
                "https://backboard.railway.com/b",
                Some("/b"),
            ),
            (
                "gateway",
                "/railway/a",
                "https://backboard.railway.com.evil.example/b",
                None,
            ),
        ] {
            let routed = route(&upstreams, authority, target).unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, HeaderValue::from_static(location));
            routed.lead_back(&mut headers);
            let got = headers
                .get(header::LOCATION)
                .map(|value| value.to_str().unwrap());
            assert_eq!(got, led, "{authority} {target} {location}");
        }
    }
}
