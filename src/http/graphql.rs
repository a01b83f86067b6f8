//! `/graphql`: GraphQL over HTTP, and the door to event streams and WebSockets.
//!
//! Follows the working draft of GraphQL over HTTP. The points that matter for safety: a POST needs
//! `Content-Type: application/json`, which no HTML form can send, and a GET runs queries only, so that
//! no page can make a browser change anything.

use std::time::Duration;

use async_graphql::{ServerError, parser::types::OperationType};
use axum::{
    body::{Body, BodyDataStream},
    extract::{FromRequestParts, Query, Request, State, ws::WebSocketUpgrade},
    http::{
        HeaderMap, Method, StatusCode, Uri,
        header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, UPGRADE},
        request::Parts,
    },
    response::{IntoResponse, Redirect, Response},
};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::{
    HttpState, credentials,
    negotiate::{Accepted, Json},
    respond, sse, ws,
};
use crate::{
    auth::AuthError,
    graphql::{
        document::Prepared,
        engine::Caller,
        error::ErrorCode,
        request::{GraphQlRequest, MalformedRequest},
    },
};

/// How much of a body that is too large is still taken before the answer, in bytes and in time.
const MOST_DRAINED: usize = 64 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(10);

const METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// Any method on `/graphql`.
pub(super) async fn handle(State(state): State<HttpState>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    if wants_socket(&parts) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &state).await {
            Ok(upgrade) => ws::open(&state, upgrade, &parts),
            Err(rejection) => rejection.into_response(),
        };
    }
    let accepted = Accepted::of(&parts.headers);
    let is_get = matches!(parts.method, Method::GET | Method::HEAD);
    if is_get && accepted.html && !has_query(&parts.uri) {
        return Redirect::to("/playground").into_response();
    }
    if parts.method == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, [(ALLOW, METHODS)]).into_response();
    }
    let json = accepted.json.unwrap_or(Json::Legacy);
    if !is_get && parts.method != Method::POST {
        return not_allowed("use GET or POST", METHODS, json);
    }
    if accepted.json.is_none() && !accepted.events {
        return respond::refuse(
            StatusCode::NOT_ACCEPTABLE,
            bad_input(
                "use Accept: application/graphql-response+json, application/json or \
                 text/event-stream",
            ),
            json,
        );
    }
    match serve(&state, &parts, body, accepted, is_get).await {
        Ok(response) | Err(response) => response,
    }
}

/// Over HTTP/1.1, or over HTTP/2 (RFC 8441). Some clients offer `Upgrade: h2c` with any request: that
/// is not for us, and to be ignored.
fn wants_socket(parts: &Parts) -> bool {
    parts.method == Method::CONNECT
        || parts
            .headers
            .get(UPGRADE)
            .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

async fn serve(
    state: &HttpState,
    parts: &Parts,
    body: Body,
    accepted: Accepted,
    is_get: bool,
) -> Result<Response, Response> {
    let json = accepted.json.unwrap_or(Json::Legacy);
    let refused = |error| respond::not_authenticated(error, json);
    let credential = credentials::from_headers(&parts.headers)
        .map_err(|_malformed| refused(AuthError::Rejected))?;
    let access = state.access(credential).await.map_err(refused)?;
    let parameters = if is_get {
        from_query_string(&parts.uri)
    } else {
        from_body(state, &parts.headers, body).await
    };
    let request = parameters.map_err(|refusal| {
        respond::refuse(
            refusal.status,
            refusal.code.server_error(refusal.message),
            json,
        )
    })?;
    let caller = Caller {
        access,
        resume_from: sse::last_event_id(&parts.headers),
    };
    match state.engine.prepare(request) {
        Ok(operation) => {
            if is_get && operation.kind() == OperationType::Mutation {
                return Err(not_allowed("mutations need POST", "POST", json));
            }
            if wants_events(&operation, accepted) {
                return Ok(sse::open(state, Ok(operation), caller, json));
            }
            if operation.kind() == OperationType::Subscription {
                let error = bad_input("subscriptions need a WebSocket or text/event-stream");
                return Ok(respond::answered(&failed(error), json));
            }
            let response = state.engine.execute(operation, caller).await;
            Ok(respond::answered(&response, json))
        }
        Err(error) if accepted.prefers_events => Ok(sse::open(state, Err(error), caller, json)),
        Err(error) => Ok(respond::answered(&failed(error), json)),
    }
}

/// A client that names several forms gets events for subscriptions alone.
fn wants_events(operation: &Prepared, accepted: Accepted) -> bool {
    accepted.prefers_events || (accepted.events && operation.kind() == OperationType::Subscription)
}

/// Why a request has no parameters.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: ErrorCode,
    pub(super) message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code: ErrorCode::BadInput,
            message: message.into(),
        }
    }

    fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<MalformedRequest> for Refusal {
    fn from(error: MalformedRequest) -> Self {
        Self::malformed(error.to_string())
    }
}

async fn from_body(
    state: &HttpState,
    headers: &HeaderMap,
    body: Body,
) -> Result<GraphQlRequest, Refusal> {
    if !is_json(headers) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the request body must be application/json in UTF-8",
        ));
    }
    let bytes = read_in_time(state, headers, body).await?;
    Ok(GraphQlRequest::from_slice(&bytes)?)
}

/// A whole body, within the limits of size and time.
pub(super) async fn read_in_time(
    state: &HttpState,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<u8>, Refusal> {
    let limit = state.settings.body_limit;
    let read = timeout(state.settings.body_timeout, read(headers, body, limit));
    read.await.map_err(|_elapsed| {
        Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "the request body did not arrive in time",
        )
    })?
}

async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Vec<u8>, Refusal> {
    let too_large = || Refusal {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: ErrorCode::TooComplex,
        message: format!("the request body has more than {limit} bytes"),
    };
    let announced: usize = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    let mut chunks = body.into_data_stream();
    if announced > limit {
        // Who asks first whether to send it has not begun.
        if !headers.contains_key(EXPECT) {
            drain(chunks).await;
        }
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(announced);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::malformed("the request body broke off"))?;
        if bytes.len().saturating_add(chunk.len()) > limit {
            drain(chunks).await;
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Takes the rest of a body that is refused, and forgets it: many clients read no answer before they have sent all, and
/// would be told of a broken connection instead of the reason. Bounded in bytes and time.
pub(super) async fn drain(mut chunks: BodyDataStream) {
    let mut left = MOST_DRAINED;
    let all = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    let _ = timeout(DRAIN_TIME, all).await;
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return false;
    };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

fn from_query_string(uri: &Uri) -> Result<GraphQlRequest, Refusal> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| Refusal::malformed("the query string cannot be read"))?;
    let mut fields = Map::new();
    for (name, text) in pairs {
        let value = match name.as_str() {
            "query" | "operationName" => Value::String(text),
            "variables" | "extensions" => serde_json::from_str(&text).map_err(|error| {
                Refusal::malformed(format!("the parameter \"{name}\" is not JSON: {error}"))
            })?,
            _ => continue,
        };
        if fields.insert(name, value).is_some() {
            return Err(Refusal::malformed("a parameter occurs twice"));
        }
    }
    Ok(GraphQlRequest::from_json(Value::Object(fields))?)
}

fn has_query(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some("query"))
    })
}

fn not_allowed(message: &str, allow: &'static str, json: Json) -> Response {
    let refusal = respond::refuse(StatusCode::METHOD_NOT_ALLOWED, bad_input(message), json);
    ([(ALLOW, allow)], refusal).into_response()
}

fn failed(error: ServerError) -> async_graphql::Response {
    async_graphql::Response::from_errors(vec![error])
}

fn bad_input(message: impl Into<String>) -> ServerError {
    ErrorCode::BadInput.server_error(message)
}
