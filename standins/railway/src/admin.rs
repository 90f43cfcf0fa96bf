//! The second listener, for tests: what the state is, what was received, what shall go wrong.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::faults::Fault;
use crate::state::State;

const LIMIT_BYTES: usize = 64 * 1024;

/// Accepts connections until it is dropped.
pub(crate) async fn serve(listener: TcpListener, state: State) -> Infallible {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let state = state.clone();
                    let service = service_fn(move |request| answer(request, state.clone()));
                    let io = TokioIo::new(stream);
                    connections.spawn(http1::Builder::new().serve_connection(io, service));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    state: State,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let (status, text) = match (&head.method, head.uri.path()) {
        (&Method::GET, "/inventory") => (StatusCode::OK, state.inventory()),
        (&Method::GET, "/digest") => (StatusCode::OK, state.digest()),
        (&Method::GET, "/requests") => (
            StatusCode::OK,
            serde_json::to_string(&state.requests()).unwrap_or_default(),
        ),
        (&Method::POST, "/fault") => inject(&state, body).await,
        (&Method::POST, "/reset") => {
            state.reset();
            (StatusCode::OK, String::new())
        }
        _ => (StatusCode::NOT_FOUND, "not found".to_owned()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

async fn inject(state: &State, body: Incoming) -> (StatusCode, String) {
    let Ok(body) = Limited::new(body, LIMIT_BYTES).collect().await else {
        return (StatusCode::BAD_REQUEST, "body cannot be read".to_owned());
    };
    match serde_json::from_slice::<Fault>(&body.to_bytes()) {
        Ok(fault) => {
            state.inject(fault);
            (StatusCode::OK, String::new())
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    }
}
