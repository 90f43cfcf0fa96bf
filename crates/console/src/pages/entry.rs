//! Ways in and out: the first enrolment, signing in, another passkey.

use axum::extract::{Extension, Query, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tagout_core::desk::{SignedIn, Standing};

use crate::Console;
use crate::session::{cookie, secret_of};

use super::{Frame, ceremony_foot, local_path};

/// What the link on the terminal carries. In the fragment it stays out of every log; the script moves
/// it from there.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    code: String,
}

/// The first enrolment.
pub(crate) async fn enrol(
    State(console): State<Console>,
    Query(link): Query<Link>,
) -> Html<String> {
    let standing = console.desk.standing().await;
    let body = if standing.enrolled {
        html! {
            h1 { "Somebody has enrolled" }
            p { "The first enrolment is over. Who is enrolled can add a passkey under "
                a href="/passkeys" { "Passkeys" } "." }
        }
    } else {
        enrolment(&link.code)
    };
    open_frame("Enrol", &standing).around(&body)
}

fn enrolment(code: &str) -> Markup {
    html! {
        h1 { "Enrol the first passkey" }
        p { "From now on this passkey decides what agents may do. Take one that the machine with the \
            agents can't reach: a phone or a security key." }
        form.narrow data-ceremony=r#"{"wish":"enrol"}"# data-next="/" {
            label { "Code from the terminal" input name="code" value=(code) required autocomplete="off"; }
            label { "Your name" input name="name" required maxlength="80" autocomplete="name"; }
            button.primary disabled { "Create passkey" }
            (ceremony_foot())
        }
    }
}

/// Where to go after signing in.
#[derive(Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    next: String,
}

/// Signing in.
pub(crate) async fn sign_in(
    State(console): State<Console>,
    Query(after): Query<After>,
) -> Html<String> {
    let standing = console.desk.standing().await;
    let next = local_path(&after.next);
    let body = html! {
        h1 { "Sign in" }
        @if standing.enrolled {
            form.narrow data-ceremony=r#"{"wish":"sign_in"}"# data-next=(next) data-skip-if-signed-in {
                button.primary disabled { "Sign in with a passkey" }
                (ceremony_foot())
            }
            p { a href=(next) { "I am signed in already" } }
        } @else {
            p { "Nobody has enrolled yet. " code { "tagout serve" }
                " prints a link on its terminal, good for ten minutes." }
        }
    };
    open_frame("Sign in", &standing).around(&body)
}

const fn open_frame<'a>(title: &'a str, standing: &'a Standing) -> Frame<'a> {
    Frame {
        title,
        standing,
        person: None,
        watch: None,
    }
}

/// Ends the session.
pub(crate) async fn sign_out(State(console): State<Console>, headers: HeaderMap) -> Response {
    if let Some(secret) = secret_of(&console.site, &headers) {
        console.desk.sign_out(secret);
    }
    let forget = cookie(&console.site, "", 0).map(|cookie| [(SET_COOKIE, cookie)]);
    (forget, Redirect::to("/sign-in")).into_response()
}

/// Adding a passkey.
pub(crate) async fn passkeys(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
) -> Html<String> {
    let standing = console.desk.standing().await;
    let body = html! {
        h1 { "Add a passkey" }
        p { "For yourself, as a second one in case the first is lost, or for a second person: then \
            they touch their own phone or key in this browser. It counts once somebody who is enrolled \
            has accepted the proposal that this makes." }
        form.narrow data-ceremony=r#"{"wish":"add_authenticator"}"# data-next="proposal" {
            label { "Whose" input name="name" required maxlength="80" autocomplete="off"; }
            button.primary disabled { "Create passkey" }
            (ceremony_foot())
        }
    };
    let frame = Frame {
        person: Some(&person),
        ..open_frame("Passkeys", &standing)
    };
    frame.around(&body)
}
