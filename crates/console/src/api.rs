//! What is read and done over JSON, besides ceremonies.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tagout_core::card::Hold;
use tagout_core::desk::{DeskError, SignedIn, Standing};
use tagout_core::ids::{FreezeId, HoldId};
use tagout_core::proposal::Proposal;
use tagout_core::untrusted::Untrusted;

use crate::ceremony::json_of;
use crate::refusal::ApiRefusal;
use crate::session::{cookie, person_of, secret_of};
use crate::{Console, watch};

/// What an open page watches: the holds on its card, separated by commas; without any, the lists.
#[derive(Deserialize)]
pub(crate) struct Watched {
    holds: Option<String>,
}

/// The most holds on one card: more than a person judges at once.
pub(crate) const MOST_ON_ONE_CARD: usize = 50;

/// The id in a path.
pub(crate) fn hold_id(text: &str) -> Result<HoldId, DeskError> {
    text.parse().map_err(|_| DeskError::NotFound("hold"))
}

/// How the gateway stands; for signed-in people also a mark that changes when what they see does.
/// Others are told no names.
pub(crate) async fn standing(
    State(console): State<Console>,
    Query(watched): Query<Watched>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiRefusal> {
    let mut standing = console.desk.standing().await;
    if person_of(&console, &headers).is_none() {
        if let Some((_, _, by)) = &mut standing.frozen {
            *by = Untrusted::default();
        }
        return Ok(Json(with(&standing, json!({"signed_in": false}))));
    }
    let mark = mark(&console, watched.holds.as_deref()).await?;
    Ok(Json(with(
        &standing,
        json!({"signed_in": true, "mark": mark}),
    )))
}

/// The standing with a few more members.
fn with(standing: &Standing, more: Value) -> Value {
    let mut said = json!(standing);
    if let (Value::Object(said), Value::Object(more)) = (&mut said, more) {
        said.extend(more);
    }
    said
}

async fn mark(console: &Console, card: Option<&str>) -> Result<String, DeskError> {
    if let Some(ids) = card {
        return Ok(watch::of_card(&holds_of(console, ids).await?));
    }
    let holds = console.desk.holds().await?;
    let proposals = console.desk.proposals().await?;
    Ok(watch::of_inbox(&holds, &proposals))
}

/// The holds with these ids, separated by commas; none twice.
pub(crate) async fn holds_of(console: &Console, ids: &str) -> Result<Vec<Hold>, DeskError> {
    let mut holds: Vec<Hold> = Vec::new();
    for id in ids.split(',').take(MOST_ON_ONE_CARD) {
        let hold = console.desk.hold(&hold_id(id)?).await?;
        if holds.iter().all(|other| other.id != hold.id) {
            holds.push(hold);
        }
    }
    Ok(holds)
}

pub(crate) async fn holds(State(console): State<Console>) -> Result<Json<Vec<Hold>>, ApiRefusal> {
    Ok(Json(console.desk.holds().await?))
}

pub(crate) async fn hold(
    State(console): State<Console>,
    Path(id): Path<String>,
) -> Result<Json<Hold>, ApiRefusal> {
    Ok(Json(console.desk.hold(&hold_id(&id)?).await?))
}

pub(crate) async fn proposals(
    State(console): State<Console>,
) -> Result<Json<Vec<Proposal>>, ApiRefusal> {
    Ok(Json(console.desk.proposals().await?))
}

/// Cancels what is scheduled.
pub(crate) async fn cancel(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiRefusal> {
    let id = hold_id(&id)?;
    console.desk.cancel(&person, &id).await?;
    Ok(Json(json!({"hold": id, "state": "cancelled"})))
}

/// Why everything is stopped, if somebody says why.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    #[serde(default)]
    pub(crate) reason: Untrusted,
}

/// Stops everything. The body may be left out: nothing may stand in the way.
pub(crate) async fn freeze(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiRefusal> {
    let Reason { reason } = match body.is_empty() {
        true => Reason::default(),
        false => json_of(&headers, &body)?,
    };
    let freeze = console.desk.freeze(&person, reason).await?;
    Ok(Json(json!({"freeze": freeze})))
}

/// Makes an invitation for one new person.
pub(crate) async fn invite(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
) -> Result<Json<Value>, ApiRefusal> {
    let code = console.desk.invite(&person)?;
    Ok(Json(
        json!({"link": format!("{}/join?code={code}", console.site.origin)}),
    ))
}

/// Which freeze should end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thaw {
    pub(crate) freeze: FreezeId,
}

/// Proposes the end of a freeze.
pub(crate) async fn thaw(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiRefusal> {
    let Thaw { freeze } = json_of(&headers, &body)?;
    let proposal = console.desk.propose_thaw(&person, &freeze).await?;
    Ok(Json(json!({"proposal": proposal})))
}

/// Ends the session.
pub(crate) async fn sign_out(State(console): State<Console>, headers: HeaderMap) -> Response {
    if let Some(secret) = secret_of(&console.site, &headers) {
        console.desk.sign_out(secret);
    }
    let forget = cookie(&console.site, "", 0).map(|cookie| [(SET_COOKIE, cookie)]);
    (forget, Json(json!({"signed_in": false}))).into_response()
}
