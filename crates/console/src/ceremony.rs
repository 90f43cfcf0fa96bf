//! Passkey ceremonies over the API: begin one with a wish, finish it with the authenticator's answer.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tagout_core::approval::Decision;
use tagout_core::card::Hold;
use tagout_core::desk::{Ceremony, DeskError, PasskeyAnswer, Settled, Wish};
use tagout_core::digest::ApprovalDigest;
use tagout_core::ids::{CeremonyId, HoldId};

use crate::Console;
use crate::api::MOST_ON_ONE_CARD;
use crate::judging::{approvable, together};
use crate::refusal::{ApiRefusal, Refusal};
use crate::session::{cookie, person_of};

/// A wish, and what the page showed of it.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(flatten)]
    wish: Wish,
    /// The digest of each choice as the page showed it, in the order of the holds. Pages always send
    /// it, so that a card that changed in between is looked at again.
    #[serde(default)]
    shown: Option<Vec<ApprovalDigest>>,
}

/// Begins a ceremony.
pub(crate) async fn begin(
    State(console): State<Console>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Ceremony>, ApiRefusal> {
    let asked: Asked = json_of(&headers, &body)?;
    let person = person_of(&console, &headers);
    if needs_session(&asked.wish) && person.is_none() {
        return Err(DeskError::SignedOut.into());
    }
    if let Wish::Judge {
        holds, decision, ..
    } = &asked.wish
    {
        check_card(&console, holds, *decision, asked.shown.as_deref()).await?;
    }
    let ceremony = console.desk.begin(person.as_ref(), asked.wish).await?;
    if ceremony.rp_id != console.site.rp_id {
        return Err(Refusal::OtherSite.into());
    }
    Ok(Json(ceremony))
}

const fn needs_session(wish: &Wish) -> bool {
    !matches!(wish, Wish::Enrol { .. } | Wish::Join { .. } | Wish::SignIn)
}

/// Refuses what no card of ours could have asked for. The engine checks again what it signs off.
async fn check_card(
    console: &Console,
    judged: &[(HoldId, usize)],
    decision: Decision,
    shown: Option<&[ApprovalDigest]>,
) -> Result<(), Refusal> {
    let mut holds: Vec<Hold> = Vec::new();
    for (id, _) in judged.iter().take(MOST_ON_ONE_CARD + 1) {
        if holds.iter().any(|hold| hold.id == *id) {
            return Err(Refusal::NotTogether);
        }
        holds.push(console.desk.hold(id).await?);
    }
    if holds.len() > MOST_ON_ONE_CARD {
        return Err(Refusal::NotTogether);
    }
    let first = holds.first().ok_or(Refusal::Malformed("list of holds"))?;
    if !holds.iter().skip(1).all(|hold| together(first, hold)) {
        return Err(Refusal::NotTogether);
    }
    if decision == Decision::Deny {
        return Ok(());
    }
    let mut digests = Vec::new();
    for (hold, (_, index)) in holds.iter().zip(judged) {
        digests.push(approvable(hold, *index)?.document.digest());
    }
    match shown {
        Some(shown) if shown != digests => Err(Refusal::CardChanged),
        _ => Ok(()),
    }
}

/// Finishes a ceremony. A session's secret leaves in the cookie only.
pub(crate) async fn finish(
    State(console): State<Console>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiRefusal> {
    let id: CeremonyId = id.parse().map_err(|_| DeskError::NotFound("ceremony"))?;
    let answer: PasskeyAnswer = json_of(&headers, &body)?;
    let settled = console.desk.finish(&id, answer).await?;
    let Settled::Session {
        secret,
        person,
        expires,
    } = settled
    else {
        return Ok(Json(settled).into_response());
    };
    let now = console.desk.standing().await.now;
    let life_s = expires.since_ms(now) / 1000;
    let cookie = cookie(&console.site, &secret, life_s).ok_or(Refusal::Malformed("session"))?;
    let said = json!({"session": {"person": person, "expires": expires}});
    Ok(([(SET_COOKIE, cookie)], Json(said)).into_response())
}

/// A JSON body that says it is one: forms of other sites can't send that type unasked.
pub(crate) fn json_of<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/json")) {
        return Err(Refusal::Malformed("content type; send `application/json`"));
    }
    serde_json::from_slice(body).map_err(|_| Refusal::Malformed("body"))
}
