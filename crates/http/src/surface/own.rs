//! The gateway's own addresses on an agent listener, below `/.tagout/`: how a hold stands, and whether
//! we are here. Nothing below it changes anything, and nothing below it goes upstream.

use http::{Method, StatusCode};
use serde_json::json;
use tagout_core::ids::HoldId;
use tagout_core::pipeline::{Caller, Pipeline};
use tagout_core::refusal::{Refusal, RefusalKind};

use crate::refused::{Shape, json_reply, refusal_reply};
use crate::reply::Reply;

/// What every address of ours begins with.
pub(crate) const PREFIX: &str = "/.tagout/";

/// Where anybody may ask whether we are here.
const HEALTH: &str = "/.tagout/health";

/// Where a hold's address begins.
const HOLDS: &str = "/.tagout/holds/";

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

fn nothing_here(origin: &str) -> Reply {
    let what = "there is nothing at this address; holds are at `GET /.tagout/holds/<id>`.";
    let mut reply = refusal_reply(
        &Refusal::new(RefusalKind::Denied, what),
        Shape::Http,
        Some(origin),
    );
    reply.status = StatusCode::NOT_FOUND;
    reply
}
