//! Why a request was not served, as a page or as JSON.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{Html, IntoResponse, Response};
use maud::html;
use serde_json::json;
use tagout_core::desk::DeskError;

use crate::judging::Unapprovable;
use crate::{pages, render};

/// Why a request was not served.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error("agents' tokens count for nothing here: no token can see or approve anything")]
    AgentToken,
    #[error("this request did not come from the console's own pages")]
    WrongOrigin,
    #[error("the console is at {0}")]
    WrongHost(String),
    #[error("the request is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the {0} is not understood")]
    Malformed(&'static str),
    #[error("the card changed since you saw it; look again before you decide")]
    CardChanged,
    #[error("this can't be approved: {0}")]
    Unapprovable(#[from] Unapprovable),
    #[error(
        "only different pending holds of one connection, task and environment can be judged together, at most fifty"
    )]
    NotTogether,
    #[error("the console and the engine were set up for different sites")]
    OtherSite,
    #[error("there is no such page")]
    NoSuchPage,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Desk(error) => desk_status(error),
            Self::AgentToken | Self::WrongOrigin => StatusCode::FORBIDDEN,
            Self::WrongHost(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::CardChanged | Self::Unapprovable(_) | Self::NotTogether => StatusCode::CONFLICT,
            Self::OtherSite => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoSuchPage => StatusCode::NOT_FOUND,
        }
    }

    /// A word for programs.
    fn code(&self) -> &'static str {
        match self {
            Self::Desk(error) => desk_code(error),
            Self::AgentToken => "agent_token",
            Self::WrongOrigin => "wrong_origin",
            Self::WrongHost(_) => "wrong_host",
            Self::TooLarge(_) => "too_large",
            Self::Malformed(_) => "malformed",
            Self::CardChanged => "card_changed",
            Self::Unapprovable(_) => "unapprovable",
            Self::NotTogether => "not_together",
            Self::OtherSite => "other_site",
            Self::NoSuchPage => "not_found",
        }
    }

    /// What to do about it.
    const fn hint(&self) -> &'static str {
        match self {
            Self::Desk(DeskError::SignedOut) => "open /sign-in and use your passkey",
            Self::Desk(DeskError::Passkey(_) | DeskError::CeremonyOver) => "begin again",
            Self::AgentToken => "a person decides here, with a passkey; send no token",
            Self::WrongOrigin => "send an Origin header that equals the console's origin",
            Self::WrongHost(_) => "open it under exactly this address",
            Self::CardChanged => "load the card again",
            _ => "",
        }
    }

    /// As JSON: `{"errors":[{"code":…,"detail":…,"hint":…}]}`.
    pub(crate) fn into_json(self) -> Response {
        let error = json!({
            "code": self.code(),
            "detail": self.to_string(),
            "hint": self.hint(),
        });
        (self.status(), Json(json!({"errors": [error]}))).into_response()
    }

    /// As a page; signed out, the way to the sign-in page and back to `path`.
    pub(crate) fn into_page(self, path: &str) -> Response {
        if self == Self::Desk(DeskError::SignedOut) {
            let to = format!("/sign-in?next={}", pages::local_path(path));
            return (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response();
        }
        let body = html! {
            h1 { "Not done" }
            p { (render::line(&self.to_string())) }
            @if !self.hint().is_empty() { p { (self.hint()) } }
            p { a href="/" { "To the holds" } }
        };
        let page = pages::bare("Not done", &body);
        (self.status(), Html(page.into_string())).into_response()
    }
}

const fn desk_status(error: &DeskError) -> StatusCode {
    match error {
        DeskError::SignedOut => StatusCode::UNAUTHORIZED,
        DeskError::EnrolmentClosed | DeskError::Passkey(_) => StatusCode::FORBIDDEN,
        DeskError::CeremonyOver => StatusCode::GONE,
        DeskError::NotFound(_) => StatusCode::NOT_FOUND,
        DeskError::Refused(_) => StatusCode::CONFLICT,
        DeskError::Unrecorded(_) | DeskError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

const fn desk_code(error: &DeskError) -> &'static str {
    match error {
        DeskError::SignedOut => "signed_out",
        DeskError::EnrolmentClosed => "enrolment_closed",
        DeskError::CeremonyOver => "ceremony_over",
        DeskError::Passkey(_) => "passkey",
        DeskError::NotFound(_) => "not_found",
        DeskError::Refused(_) => "refused",
        DeskError::Unrecorded(_) => "unrecorded",
        DeskError::Store(_) => "store",
    }
}

/// A refusal on its way out of an API handler.
pub(crate) struct ApiRefusal(pub(crate) Refusal);

impl<E: Into<Refusal>> From<E> for ApiRefusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ApiRefusal {
    fn into_response(self) -> Response {
        self.0.into_json()
    }
}

/// A refusal on its way out of a page.
pub(crate) struct PageRefusal(pub(crate) Refusal);

impl<E: Into<Refusal>> From<E> for PageRefusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageRefusal {
    fn into_response(self) -> Response {
        self.0.into_page("/")
    }
}
