//! Ways in and out: the first enrolment, signing in, another passkey.

use axum::extract::{Extension, Query, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tagout_core::desk::{SignedIn, Standing};

use crate::Console;
use crate::refusal::PageRefusal;
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

/// Joining, by invitation.
pub(crate) async fn join(State(console): State<Console>, Query(link): Query<Link>) -> Html<String> {
    let standing = console.desk.standing().await;
    let body = html! {
        h1 { "Join" }
        p { "Somebody invited you to decide what agents may do. Take a passkey that the machine with \
            the agents can't reach. It counts once whoever invited you has accepted the proposal that \
            this makes." }
        form.narrow data-ceremony=r#"{"wish":"join"}"# data-next="/sign-in" {
            label { "Code of the invitation" input name="code" value=(link.code) required autocomplete="off"; }
            label { "Your name" input name="name" required maxlength="80" autocomplete="name"; }
            button.primary disabled { "Create passkey" }
            (ceremony_foot())
        }
    };
    open_frame("Join", &standing).around(&body)
}

/// Makes an invitation and shows it, once.
pub(crate) async fn invite(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
) -> Result<Html<String>, PageRefusal> {
    let code = console.desk.invite(&person)?;
    let standing = console.desk.standing().await;
    let link = format!("{}/join?code={code}", console.site.origin);
    let body = html! {
        h1 { "An invitation" }
        p { "Give this link to one person. It is good for ten minutes and opens nothing by itself: \
            you accept the proposal that it makes." }
        p { code { (link) } }
    };
    let frame = Frame {
        person: Some(&person),
        ..open_frame("Invitation", &standing)
    };
    Ok(frame.around(&body))
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
        p { "For yourself, as a second one in case the first is lost. It counts once the proposal that \
            this makes was accepted." }
        form.narrow data-ceremony=r#"{"wish":"add_authenticator"}"# data-next="proposal" {
            button.primary disabled { "Create passkey" }
            (ceremony_foot())
        }
        h2 { "Invite a second person" }
        p { "Some things take two people. A new person's signature counts as the second one twelve \
            hours after they were enrolled." }
        form.narrow method="post" action="/invite" {
            button { "Make an invitation" }
        }
    };
    let frame = Frame {
        person: Some(&person),
        ..open_frame("Passkeys", &standing)
    };
    frame.around(&body)
}
