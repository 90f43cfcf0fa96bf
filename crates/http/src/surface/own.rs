//! The gateway's own addresses on an agent listener, below `/.tagout/`: how a hold stands, asking for
//! rights, and whether we are here. Nothing below it widens anything, and nothing below it goes upstream.

use http::{Method, StatusCode};
use serde_json::json;
use tagout_core::ids::HoldId;
use tagout_core::pipeline::{Caller, GrantRequest, Pipeline};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::untrusted::Untrusted;

use crate::refused::{Shape, json_reply, refusal_reply};
use crate::reply::Reply;

/// What every address of ours begins with.
pub(crate) const PREFIX: &str = "/.tagout/";

/// Where anybody may ask whether we are here.
const HEALTH: &str = "/.tagout/health";

/// Where a hold's address begins.
const HOLDS: &str = "/.tagout/holds/";

/// Where an agent asks for rights for one task.
const GRANTS: &str = "/.tagout/grants";

/// Whether a path is ours. `/.tagout` alone and odd spellings are not forwarded either.
pub(crate) fn is_ours(path: &str) -> bool {
    path == "/.tagout" || path.starts_with(PREFIX)
}

/// The answer that needs no token, if this is such a request.
pub(crate) fn health(method: &Method, path: &str) -> Option<Reply> {
    let asked = *method == Method::GET && path == HEALTH;
    asked.then(|| json_reply(StatusCode::OK, "application/json", &json!({"status": "ok"})))
}

/// The answer to an agent whose token was checked.
pub(crate) async fn answer(
    pipeline: &dyn Pipeline<Reply>,
    caller: &Caller,
    method: &Method,
    path: &str,
    origin: &str,
) -> Reply {
    let hold = path
        .strip_prefix(HOLDS)
        .and_then(|id| id.parse::<HoldId>().ok());
    let Some(hold) = hold.filter(|_| *method == Method::GET) else {
        return nothing_here(origin);
    };
    match pipeline.status(caller, &hold).await {
        Ok(status) => json_reply(StatusCode::OK, "application/json", &json!(status)),
        Err(refusal) => refusal_reply(&refusal, Shape::Http, Some(origin)),
    }
}

/// Whether an agent asks for rights for one task.
pub(crate) fn asks_for_a_grant(method: &Method, path: &str) -> bool {
    *method == Method::POST && path == GRANTS
}

/// Puts an agent's wish for rights before a person. Nothing is in force until that person accepts it.
pub(crate) async fn grant(
    pipeline: &dyn Pipeline<Reply>,
    caller: &Caller,
    body: &[u8],
    origin: &str,
) -> Reply {
    let request: GrantRequest = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return not_understood(&error.to_string(), origin),
    };
    match pipeline.request_grant(caller, request).await {
        Ok(proposal) => {
            let advice = "A person was asked. Go on with other work; once it is accepted, the rights are there without a new token.";
            let body = json!({"proposal": proposal, "state": "open", "advice": advice});
            json_reply(StatusCode::ACCEPTED, "application/json", &body)
        }
        Err(refusal) => refusal_reply(&refusal, Shape::Http, Some(origin)),
    }
}

fn not_understood(why: &str, origin: &str) -> Reply {
    let what = format!(
        "this is not a request for a grant ({}). Send JSON with `task` and `rights`, a list of clauses of `upstreams`, `effects`, `resources` and `environments`.",
        Untrusted::from(why).cut(200)
    );
    let refusal = Refusal::new(RefusalKind::Denied, &what);
    let mut reply = refusal_reply(&refusal, Shape::Http, Some(origin));
    reply.status = StatusCode::BAD_REQUEST;
    reply
}

fn nothing_here(origin: &str) -> Reply {
    let what = "there is nothing at this address; holds are at `GET /.tagout/holds/<id>`, grants are asked for at `POST /.tagout/grants`.";
    let mut reply = refusal_reply(
        &Refusal::new(RefusalKind::Denied, what),
        Shape::Http,
        Some(origin),
    );
    reply.status = StatusCode::NOT_FOUND;
    reply
}
