//! Every route of the console, in one table that says who may use it.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use crate::refusal::Refusal;
use crate::{Console, api, ceremony, guard, pages, session};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody who reaches this origin; it shows nothing of what is held.
    Open,
    /// Anybody; what is asked for decides whether a session is needed, and the passkey's answer is
    /// the proof.
    Ceremony,
    /// Signed-in people.
    Person,
}

/// One route, for tests and documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, with `{id}` for an id.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
}

struct Route {
    listed: Listed,
    handler: MethodRouter<Console>,
}

const fn route(
    method: &'static str,
    path: &'static str,
    access: Access,
    handler: MethodRouter<Console>,
) -> Route {
    let listed = Listed {
        method,
        path,
        access,
    };
    Route { listed, handler }
}

#[rustfmt::skip]
fn table() -> Vec<Route> {
    use Access::{Ceremony, Open, Person};
    vec![
        route("GET", "/", Person, get(pages::inbox::page)),
        route("GET", "/enrol", Open, get(pages::entry::enrol)),
        route("GET", "/join", Open, get(pages::entry::join)),
        route("POST", "/invite", Person, post(pages::entry::invite)),
        route("POST", "/api/v1/invitations", Person, post(api::invite)),
        route("GET", "/sign-in", Open, get(pages::entry::sign_in)),
        route("POST", "/sign-out", Person, post(pages::entry::sign_out)),
        route("GET", "/holds/judge", Person, get(pages::judge::page)),
        route("GET", "/holds/{id}", Person, get(pages::card::page)),
        route("POST", "/holds/{id}/cancel", Person, post(pages::inbox::cancel)),
        route("GET", "/proposals/{id}", Person, get(pages::proposal::page)),
        route("GET", "/passkeys", Person, get(pages::entry::passkeys)),
        route("POST", "/freeze", Person, post(pages::inbox::freeze)),
        route("POST", "/thaw", Person, post(pages::inbox::thaw)),
        route("GET", "/console.css", Open, get(pages::assets::style)),
        route("GET", "/console.js", Open, get(pages::assets::script)),
        route("GET", "/api/v1/standing", Open, get(api::standing)),
        route("GET", "/api/v1/holds", Person, get(api::holds)),
        route("GET", "/api/v1/holds/{id}", Person, get(api::hold)),
        route("POST", "/api/v1/holds/{id}/cancel", Person, post(api::cancel)),
        route("GET", "/api/v1/proposals", Person, get(api::proposals)),
        route("POST", "/api/v1/proposals/thaw", Person, post(api::thaw)),
        route("POST", "/api/v1/freeze", Person, post(api::freeze)),
        route("POST", "/api/v1/sign-out", Person, post(api::sign_out)),
        route("POST", "/api/v1/ceremonies", Ceremony, post(ceremony::begin)),
        route("POST", "/api/v1/ceremonies/{id}", Ceremony, post(ceremony::finish)),
    ]
}

/// Every route and who may use it.
#[must_use]
pub fn listed() -> Vec<Listed> {
    table().into_iter().map(|route| route.listed).collect()
}

pub(crate) fn router(console: Console) -> Router {
    let mut router = Router::new();
    for Route { listed, handler } in table() {
        let handler = match listed.access {
            Access::Open | Access::Ceremony => handler,
            Access::Person => {
                handler.route_layer(from_fn_with_state(console.clone(), session::require))
            }
        };
        router = router.route(listed.path, handler);
    }
    router
        .fallback(
            async |uri: axum::http::Uri| match uri.path().starts_with("/api/") {
                true => Refusal::NoSuchPage.into_json(),
                false => Refusal::NoSuchPage.into_page("/"),
            },
        )
        .layer(from_fn_with_state(console.clone(), guard::guard))
        .with_state(console)
}
