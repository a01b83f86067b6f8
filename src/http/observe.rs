//! The id, the span and the metrics of each request.
//!
//! | metric | labels |
//! | --- | --- |
//! | `labql_http_requests_total` | `method`, `route`, `status` (`2xx` …) |
//! | `labql_http_request_duration_seconds` | `method`, `route` |
//!
//! `route` is the template that matched, never the path that was sent.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, field};
use uuid::Uuid;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names a request in logs; a client or a proxy may bring its own name.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Outermost layer of a route.
pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(X_REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| is_sane(id))
        .map_or_else(|| Uuid::new_v4().to_string(), ToOwned::to_owned);
    let method = method_label(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "http",
        request.id = %id,
        method,
        route,
        status = field::Empty,
        duration_ms = field::Empty,
    );
    request.extensions_mut().insert(RequestId(id.clone()));
    let since = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let elapsed = since.elapsed().as_secs_f64();
    let status = response.status();
    span.record("status", status.as_u16());
    span.record("duration_ms", elapsed * 1e3);
    span.in_scope(|| tracing::debug!("request ended"));
    metrics::counter!(
        "labql_http_requests_total",
        "method" => method, "route" => route.clone(), "status" => class(status)
    )
    .increment(1);
    metrics::histogram!(
        "labql_http_request_duration_seconds", "method" => method, "route" => route
    )
    .record(elapsed);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    response
}

/// Short, and nothing that could break a log line or a header.
fn is_sane(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte))
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}
