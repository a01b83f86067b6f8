//! The serving layer: `/graphql` (POST, GET, event streams, WebSockets), the playground, health and
//! metrics. Knows no database: whatever it serves comes in through [`HttpState`].

pub mod credentials;
mod graphql;
mod health;
mod metrics;
mod negotiate;
mod observe;
mod origin;
mod pieces;
mod playground;
mod respond;
mod serve;
mod settings;
mod sse;
mod state;
#[cfg(test)]
mod testing;
mod ws;

use axum::{
    Router,
    body::Body,
    http::{
        Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Version,
        header::{
            ACCEPT_RANGES, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use tower::ServiceBuilder;
use tower_http::compression::{
    CompressionLayer,
    predicate::{NotForContentType, Predicate as _, SizeAbove},
};

use self::observe::RouteMetrics;
pub use self::{
    health::{NotReady, Readiness},
    observe::RequestId,
    pieces::Pieces,
    serve::serve,
    settings::{HttpSettings, SettingsError, WebSocketSettings},
    state::{Authenticated, HttpState, HttpStateBuilder},
};
use crate::failure::Failure;
use crate::graphql::error::{self, ErrorCode};

/// All routes under all layers. `extra` are routes of other rooms, under the same layers.
///
/// From the outside in: security headers; request id, span, metrics and what becomes of a panic; CORS;
/// compression. Limits of size and time stand where a body is read.
pub fn router(state: HttpState, extra: Router) -> Router {
    let cors = state.origins.cors();
    // Event streams must not wait in a compressor.
    let compress = SizeAbove::new(state.settings.compress_above)
        .and(NotForContentType::SSE)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::new("font/"))
        .and(whole);
    let metrics = RouteMetrics::default();
    let observed = move |request, next| observe::observe(metrics.clone(), request, next);
    // One stack: each layer that a router is given by itself is boxed, and copied for each request.
    let layers = ServiceBuilder::new()
        .map_response(secured)
        .layer(middleware::from_fn(observed))
        .option_layer(cors)
        .layer(CompressionLayer::new().compress_when(compress));
    Router::new()
        .route("/graphql", any(graphql::handle))
        .route("/playground", get(playground::enter))
        .route("/playground/", get(playground::index))
        .route("/playground/{*path}", get(playground::asset))
        .route("/schema.graphql", get(playground::schema))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(metrics::show))
        .with_state(state)
        .merge(extra)
        .layer(layers)
}

/// What can be had in ranges is sent as it is stored: its offsets are of those bytes.
fn whole(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    !headers.contains_key(ACCEPT_RANGES)
}

/// The answer to a request that a route of another room refuses, in the form that errors have everywhere.
pub fn refusal(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Response {
    respond::refuse(status, code.server_error(message), negotiate::Json::Legacy)
}

/// As [`refusal`], for a fault of ours: it is told to the log, and the client sees an id that finds it.
pub fn fault(inside: impl std::fmt::Display) -> Response {
    respond::internal(
        &error::internal_server_error(inside),
        negotiate::Json::Legacy,
    )
}

/// As [`refusal`], for what has no place just now; the client may try again after some seconds.
pub fn busy(message: &str) -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let refused = refusal(status, ErrorCode::Unavailable, message);
    ([(RETRY_AFTER, "5")], refused).into_response()
}

/// As [`refusal`], for what the database did not do.
pub fn failed(failure: Failure) -> Response {
    match failure {
        Failure::TooSlow(inside) => {
            tracing::warn!(error = inside, "a statement was stopped");
            busy("the database took too long")
        }
        Failure::Unavailable(inside) | Failure::Unwritable(inside) => {
            tracing::error!(error = inside, "the database cannot be reached");
            let message = "the database cannot be reached just now";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            refusal(status, ErrorCode::Unavailable, message)
        }
        other => fault(other),
    }
}

/// The whole body of a request to a route of another room, within the limits of size and time that hold everywhere.
///
/// # Errors
/// The answer: it is too large, or did not arrive in time.
pub async fn read_body(
    state: &HttpState,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<u8>, Response> {
    let read = graphql::read_in_time(state, headers, body).await;
    read.map_err(|refused| refusal(refused.status, refused.code, refused.message))
}

/// As [`read_body`], for a route whose errors have another form: why not as a status and a message.
pub async fn read_body_or(
    state: &HttpState,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<u8>, (StatusCode, String)> {
    let read = graphql::read_in_time(state, headers, body).await;
    read.map_err(|refused| (refused.status, refused.message))
}

/// What no answer goes without, unless it says something else.
const SECURITY: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

fn secured<B>(mut response: Response<B>) -> Response<B> {
    for (name, value) in SECURITY {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}
