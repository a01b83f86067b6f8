//! The id, the span and the metrics of each request, and what becomes of one that panics.
//!
//! | metric | labels |
//! | --- | --- |
//! | `labql_http_requests_total` | `method`, `route`, `status` (`2xx` …) |
//! | `labql_http_request_duration_seconds` | `method`, `route` |
//!
//! `route` is the template that matched, never the path that was sent.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;
use metrics::{Counter, Histogram};
use tracing::Instrument;
use uuid::Builder;

use super::{negotiate::Json, respond};
use crate::{graphql::error, telemetry::PerLabels};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names a request in logs; a client or a proxy may bring its own name.
#[derive(Clone, Debug)]
pub struct RequestId(pub HeaderValue);

impl RequestId {
    /// Short, and nothing that could break a log line or a header.
    fn is_sane(&self) -> bool {
        let id = self.0.as_bytes();
        let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
        (1..=128).contains(&id.len()) && id.iter().all(harmless)
    }

    /// It only has to differ from others: the generator of the thread will do, where the system's would be a call of
    /// the system each time.
    fn random() -> Self {
        let id = Builder::from_random_bytes(rand::random()).into_uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = id.hyphenated().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none")))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The metrics of the routes: by the template of the route, and then by method and class of status.
#[derive(Clone, Default)]
pub(super) struct RouteMetrics(Arc<PerLabels<String, Route>>);

type Route = Arc<PerLabels<(&'static str, &'static str), (Counter, Histogram)>>;

impl RouteMetrics {
    fn get(&self, method: &'static str, route: &str, status: &'static str) -> (Counter, Histogram) {
        let metrics = self.0.get(route, Route::default);
        metrics.get(&(method, status), || {
            let requests = metrics::counter!(
                "labql_http_requests_total",
                "method" => method, "route" => route.to_owned(), "status" => status
            );
            let duration = metrics::histogram!(
                "labql_http_request_duration_seconds",
                "method" => method, "route" => route.to_owned()
            );
            (requests, duration)
        })
    }
}

/// Outermost layer of a route. A panic becomes a 500 in the shape of GraphQL.
pub(super) async fn observe(metrics: RouteMetrics, mut request: Request, next: Next) -> Response {
    let sent = request.headers().get(X_REQUEST_ID).cloned().map(RequestId);
    let id = sent
        .filter(RequestId::is_sane)
        .unwrap_or_else(RequestId::random);
    let method = method_label(request.method());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let route = path.as_ref().map_or("unmatched", MatchedPath::as_str);
    // What stands in a span is formatted for each request, whether anything is logged or not: no more than is needed to
    // find one.
    let span = tracing::info_span!("http", request.id = id.as_str());
    request.extensions_mut().insert(id.clone());
    let since = Instant::now();
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answer = run.instrument(span.clone()).await;
    let mut response = answer.unwrap_or_else(|panic| span.in_scope(|| panicked(&*panic)));
    let elapsed = since.elapsed().as_secs_f64();
    let status = response.status();
    let duration_ms = elapsed * 1e3;
    let code = status.as_u16();
    tracing::debug!(parent: &span, method, route, status = code, duration_ms, "request ended");
    let (requests, duration) = metrics.get(method, route, class(status));
    requests.increment(1);
    duration.record(elapsed);
    response.headers_mut().insert(X_REQUEST_ID, id.0);
    response
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    respond::internal(&error::panicked("a handler", panic), Json::Legacy)
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
