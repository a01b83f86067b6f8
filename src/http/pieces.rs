//! Bodies that are taken piece by piece, for routes of other rooms that take more than a request of GraphQL has.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::header::EXPECT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::{HttpState, graphql, refusal};
use crate::graphql::error::ErrorCode;

/// A body that is on its way.
pub struct Pieces {
    chunks: BodyDataStream,
    /// How long a piece is waited for.
    patience: Duration,
    /// Whether the client waits to be asked for it.
    is_held: bool,
}

impl Pieces {
    /// The body of a request with these headers.
    pub fn of(state: &HttpState, headers: &HeaderMap, body: Body) -> Self {
        Self {
            chunks: body.into_data_stream(),
            patience: state.settings.body_timeout,
            is_held: headers.contains_key(EXPECT),
        }
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// The answer: it broke off, or nothing came for too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Response> {
        self.is_held = false;
        let refused = |status, message| refusal(status, ErrorCode::BadInput, message);
        match timeout(self.patience, self.chunks.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(Some(Err(_))) => {
                let message = "the request body broke off";
                Err(refused(StatusCode::BAD_REQUEST, message))
            }
            Err(_) => {
                let message = "the request body stopped arriving";
                Err(refused(StatusCode::REQUEST_TIMEOUT, message))
            }
        }
    }

    /// Takes the rest of a body that is refused, within bounds, so that the client reads why.
    pub async fn drain(self) {
        // Who asks first whether to send it has not begun.
        if !self.is_held {
            graphql::drain(self.chunks).await;
        }
    }
}
