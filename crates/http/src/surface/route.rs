//! Which upstream a request is for.
//!
//! The host decides first: an agent that was told to reach `backboard.railway.app` through us names it.
//! Otherwise the first segment of the path may name the upstream:
//! `http://gateway:8080/railway/graphql/v2` is `/graphql/v2` of the upstream `railway`. Anything else
//! is unknown and goes nowhere.

use std::sync::Arc;

use crate::upstream::{Registered, Upstreams};

/// A request's destination.
#[derive(Clone, Debug)]
pub(crate) struct Routed {
    /// Where it goes.
    pub(crate) to: Arc<Registered>,
    /// The target as the upstream sees it.
    pub(crate) target: String,
}

/// Finds the destination of `target` (path and query) at `authority`.
pub(crate) fn route(upstreams: &Upstreams, authority: &str, target: &str) -> Option<Routed> {
    if let Some(to) = upstreams.at(authority) {
        return Some(Routed {
            to,
            target: target.to_owned(),
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
    Some(Routed { to, target })
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
}
