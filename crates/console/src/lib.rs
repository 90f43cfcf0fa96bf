//! The people's side of Tagout: pages and a small API on an origin of their own.
//!
//! Here a person enrols a passkey, sees what is held, and approves or denies by touch. It shows and it
//! asks; it decides nothing, holds no key and never sees a credential: everything goes through
//! [`Desk`], which the engine implements. It must never accept an agent's token, change anything on a
//! GET, or offer to approve what it did not show whole.

mod api;
mod ceremony;
mod guard;
mod judging;
mod pages;
mod refusal;
mod render;
mod routes;
mod session;
mod watch;

use std::sync::Arc;

use axum::Router;
use tagout_core::desk::Desk;

pub use routes::{Access, Listed, listed};

/// Where the console is, as fixed when Tagout was set up. Passkeys are bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The relying party's id: the host, or a domain above it.
    pub rp_id: String,
    /// The exact origin: `https://approve.example.com` or `http://localhost:7443`; no path.
    pub origin: String,
    /// Whether browsers reach it by https, so that cookies and headers can say so.
    pub secure: bool,
}

impl Site {
    /// What the `Host` header must be: the origin without its scheme.
    fn authority(&self) -> &str {
        match self.origin.split_once("://") {
            Some((_, authority)) => authority,
            None => &self.origin,
        }
    }
}

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct Console {
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) site: Arc<Site>,
}

/// The console as an axum router, for a listener that agents' tokens count for nothing at.
pub fn router(desk: Arc<dyn Desk>, site: Site) -> Router {
    let site = Arc::new(site);
    routes::router(Console { desk, site })
}
