//! Answers of GraphQL over HTTP.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_graphql::{ServerError, Value};
use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::negotiate::Json;
use crate::{
    auth::AuthError,
    graphql::{
        answer,
        error::{self, ErrorCode},
    },
};

/// What a client showed does not tell who it is. Why is not told.
pub(super) fn not_authenticated(error: AuthError, json: Json) -> Response {
    match error {
        AuthError::Rejected => refuse(
            StatusCode::UNAUTHORIZED,
            ErrorCode::Unauthenticated.server_error("the credentials are not valid"),
            json,
        ),
        AuthError::Unavailable => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unavailable.server_error("credentials cannot be checked at the moment"),
            json,
        ),
    }
}

/// A request that did not come as far as its document: the status holds for both forms of JSON.
pub(super) fn refuse(status: StatusCode, error: ServerError, json: Json) -> Response {
    let response = async_graphql::Response::from_errors(vec![error]);
    write(status, &response, json)
}

/// An answer of the executor, or of the checks before it.
pub(super) fn answered(response: &async_graphql::Response, json: Json) -> Response {
    let status = match json {
        Json::Legacy => StatusCode::OK,
        Json::GraphQl => status(response),
    };
    write(status, response, json)
}

/// Data, even in part, is 200. The specification leaves open which 4xx or 5xx a failure is.
fn status(response: &async_graphql::Response) -> StatusCode {
    let code = response.errors.first().and_then(error::code_of);
    if response.data != Value::Null {
        return StatusCode::OK;
    }
    let unauthenticated = |error| error::code_of(error) == Some("UNAUTHENTICATED");
    if !response.errors.is_empty() && response.errors.iter().all(unauthenticated) {
        return StatusCode::UNAUTHORIZED;
    }
    if !error::is_request_error(response) {
        return StatusCode::OK;
    }
    match code {
        Some("RATE_LIMITED") => StatusCode::TOO_MANY_REQUESTS,
        Some("UNAVAILABLE") => StatusCode::SERVICE_UNAVAILABLE,
        Some("INTERNAL") => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn write(status: StatusCode, response: &async_graphql::Response, json: Json) -> Response {
    let body = match answer::pieces(response) {
        Ok(pieces) => Body::new(Pieces(pieces.into())),
        Err(error) => {
            let error = error::internal_server_error(error);
            return internal(&error, json);
        }
    };
    finish(body.into_response(), status, json)
}

/// A body of several pieces whose length is known.
struct Pieces(VecDeque<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let bytes = self.0.iter().map(|piece| piece.len() as u64).sum();
        SizeHint::with_exact(bytes)
    }
}

fn finish(mut answer: Response, status: StatusCode, json: Json) -> Response {
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, json.content_type());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// A fault outside of the executor.
pub(super) fn internal(error: &ServerError, json: Json) -> Response {
    let body = serde_json::json!({ "errors": [error] }).to_string();
    let headers = [(CONTENT_TYPE, json.content_type())];
    (StatusCode::INTERNAL_SERVER_ERROR, headers, body).into_response()
}
