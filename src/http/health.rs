//! `/health`: the process lives. `/ready`: it can serve.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use serde_json::json;

use super::HttpState;

/// A part that is needed and fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    /// The name of the check, such as `database`.
    pub check: &'static str,
    /// What is wrong. Anybody can read it: no addresses, no secrets.
    pub reason: String,
}

/// Whether the server can do its work.
pub trait Readiness: Send + Sync + 'static {
    /// The first check that fails.
    fn check(&self) -> BoxFuture<'_, Result<(), NotReady>>;
}

/// Nothing to wait for.
pub(super) struct AlwaysReady;

impl Readiness for AlwaysReady {
    fn check(&self) -> BoxFuture<'_, Result<(), NotReady>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

pub(super) async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

pub(super) async fn ready(State(state): State<HttpState>) -> Response {
    let result = if state.shutdown.is_cancelled() {
        Err(NotReady {
            check: "shutdown",
            reason: "the server is ending".to_owned(),
        })
    } else {
        state.readiness.check().await
    };
    match result {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(NotReady { check, reason }) => {
            let body = json!({ "status": "not ready", "check": check, "reason": reason });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}
