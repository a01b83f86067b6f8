//! WebSockets with the protocol `graphql-transport-ws`.
//!
//! The door: which pages may open a socket, how many are open, which sub-protocol is spoken. What
//! happens on an open socket stands in [`session`].

mod message;
mod session;

use std::sync::Arc;

use async_graphql::http::WebSocketProtocols;
use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    http::{HeaderValue, StatusCode, request::Parts},
    response::Response,
};
use tokio::time::{Duration, timeout};

use super::{HttpState, credentials, negotiate::Json, respond};
use crate::{auth::AuthError, graphql::error::ErrorCode};

/// Messages are small: the default of 128 KiB a socket is mostly memory, and slower.
const READ_BUFFER: usize = 2 * 1024;
const WRITE_BUFFER: usize = 4 * 1024;

/// Answers a request to upgrade.
pub(super) fn open(state: &HttpState, upgrade: WebSocketUpgrade, parts: &Parts) -> Response {
    let refuse = |status, error| respond::refuse(status, error, Json::Legacy);
    if !state.origins.allow(&parts.headers, &parts.uri) {
        let error = ErrorCode::Forbidden.server_error("pages of this origin may not connect");
        return refuse(StatusCode::FORBIDDEN, error);
    }
    let Ok(credential) = credentials::from_headers(&parts.headers) else {
        return respond::not_authenticated(AuthError::Rejected, Json::Legacy);
    };
    let Ok(permit) = Arc::clone(&state.sockets).try_acquire_owned() else {
        let error = ErrorCode::Unavailable.server_error("too many sockets are open");
        return refuse(StatusCode::SERVICE_UNAVAILABLE, error);
    };
    if state.shutdown.is_cancelled() {
        let error = ErrorCode::Unavailable.server_error("the server is ending");
        return refuse(StatusCode::SERVICE_UNAVAILABLE, error);
    }
    let (upgrade, spoken) = choose_protocol(upgrade);
    let limit = state.settings.websocket.max_message_bytes;
    let tracker = state.sessions.clone();
    let state = state.clone();
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |socket| {
            tracker.track_future(async move {
                let _permit = permit;
                metrics::gauge!("labql_websockets").increment(1.0);
                if spoken {
                    session::run(socket, state, credential).await;
                } else {
                    close(socket, 4406, "Subprotocol not acceptable", CLOSING).await;
                }
                metrics::gauge!("labql_websockets").decrement(1.0);
            })
        })
}

/// A client that speaks another protocol gets its own one confirmed and is closed with 4406 at once:
/// browsers show a close code to the page only after a handshake that they accept.
fn choose_protocol(mut upgrade: WebSocketUpgrade) -> (WebSocketUpgrade, bool) {
    let ours = WebSocketProtocols::GraphQLWS.sec_websocket_protocol();
    let asked: Vec<HeaderValue> = upgrade.requested_protocols().cloned().collect();
    if asked.iter().any(|protocol| protocol == ours) {
        upgrade.set_selected_protocol(HeaderValue::from_static(ours));
        return (upgrade, true);
    }
    if let Some(first) = asked.into_iter().next() {
        upgrade.set_selected_protocol(first);
    }
    (upgrade, false)
}

/// A close frame carries two bytes of code and at most 123 of reason (RFC 6455, 5.5).
const MAX_REASON: usize = 123;
/// How long a client may take to answer a close frame.
const CLOSING: Duration = Duration::from_secs(3);

/// Sends a close frame, for which the client may take so long to read what comes before, and waits for its answer.
async fn close(mut socket: WebSocket, code: u16, reason: &str, patience: Duration) {
    let reason = reason.get(..reason.floor_char_boundary(MAX_REASON));
    let frame = CloseFrame {
        code,
        reason: reason.unwrap_or_default().into(),
    };
    let sent = timeout(patience, socket.send(Message::Close(Some(frame)))).await;
    if matches!(sent, Ok(Ok(()))) {
        drain(socket).await;
    }
}

/// Reads a socket to its end: a close frame is only flushed while somebody polls, and without it the
/// client would see 1006.
async fn drain(mut socket: WebSocket) {
    let drained = timeout(CLOSING, async {
        while let Some(Ok(_)) = socket.recv().await {}
    });
    if drained.await.is_err() {
        tracing::debug!("a client did not close its socket");
    }
}
