//! `/metrics`, in Prometheus' text format.

use axum::{
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

use super::HttpState;

pub(super) async fn show(State(state): State<HttpState>) -> Response {
    match &state.metrics {
        Some(handle) => {
            handle.run_upkeep();
            let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            (headers, handle.render()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
