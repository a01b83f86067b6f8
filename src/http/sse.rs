//! Operations as server-sent events: the "distinct connections" mode of graphql-sse, one event stream
//! an operation.
//!
//! `event: next` carries an answer, `event: complete` ends the operation. An event that has a cursor
//! carries it as its `id:`; a client that reconnects sends the last one as `Last-Event-ID`, and the
//! subscription goes on after it. A stream ends without `complete` when the server ends, so that the
//! client comes back, and with an error of code `UNAUTHENTICATED` when the viewer's credential expires or is
//! not accepted any more, which is checked as often as a silent stream is kept alive.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_graphql::ServerError;
use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use futures_util::{
    StreamExt,
    future::OptionFuture,
    stream::{self, BoxStream},
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::{HttpState, negotiate::Json, respond};
use crate::{
    auth::{Access, Viewer},
    graphql::{answer::Answer, document::Prepared, engine::Caller, error::ErrorCode},
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Longer ids are no cursors.
const MAX_ID_BYTES: usize = 256;

/// The last event that a client saw, if it comes back.
pub(super) fn last_event_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(LAST_EVENT_ID)?.to_str().ok()?;
    is_id(id).then(|| id.to_owned())
}

/// Answers with an event stream; also for what was refused, as clients of this protocol expect.
pub(super) fn open(
    state: &HttpState,
    operation: Result<Prepared, ServerError>,
    caller: Caller,
    json: Json,
) -> Response {
    let Ok(permit) = Arc::clone(&state.event_streams).try_acquire_owned() else {
        let error = ErrorCode::Unavailable.server_error("too many event streams are open");
        return respond::refuse(StatusCode::SERVICE_UNAVAILABLE, error, json);
    };
    let mut stream = Stream::new(state, caller.access.clone());
    let answers = match operation {
        Ok(operation) => state.engine.subscribe(operation, caller),
        Err(error) => stream::once(async { Answer::refused(error) }).boxed(),
    };
    let session = state.sessions.token();
    let events = async_stream::stream! {
        let _held = (permit, session);
        let mut answers = answers;
        loop {
            match stream.next(&mut answers).await {
                Step::Answer(answer) => yield Ok::<_, Infallible>(event(&answer)),
                Step::Silence => yield Ok(Bytes::from_static(b":\n\n")),
                Step::Complete => break,
                Step::Refused(reason) => {
                    let error = ErrorCode::Unauthenticated.server_error(reason);
                    yield Ok(event(&Answer::refused(error)));
                    break;
                }
                Step::Shutdown => return,
            }
        }
        yield Ok(Bytes::from_static(b"event: complete\ndata:\n\n"));
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Asks nginx and its kin not to hold events back.
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(events)).into_response()
}

enum Step {
    Answer(Answer),
    Complete,
    Silence,
    Refused(&'static str),
    Shutdown,
}

/// How long a stream may go on, and when it says that it lives.
struct Stream {
    state: HttpState,
    access: Access,
    checks: Interval,
}

impl Stream {
    fn new(state: &HttpState, access: Access) -> Self {
        let every = state.settings.sse_keep_alive.max(Duration::from_millis(1));
        let mut checks = interval_at(Instant::now() + every, every);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            state: state.clone(),
            access,
            checks,
        }
    }

    async fn next(&mut self, answers: &mut BoxStream<'static, Answer>) -> Step {
        let keep_alive = sleep(self.state.settings.sse_keep_alive);
        tokio::pin!(keep_alive);
        loop {
            let expired = OptionFuture::from(expiry(&self.access.known()).map(sleep_until));
            tokio::select! {
                // Whoever is shown out hears nothing more.
                biased;
                () = self.access.rejected() => {
                    return Step::Refused("the credentials are no longer valid");
                }
                () = self.state.shutdown.cancelled() => return Step::Shutdown,
                Some(()) = expired => return Step::Refused("the credentials have expired"),
                _ = self.checks.tick() => {
                    // While that is impossible, what was found last holds.
                    let _ = self.access.renew().await;
                }
                answer = answers.next() => return answer.map_or(Step::Complete, Step::Answer),
                () = &mut keep_alive => return Step::Silence,
            }
        }
    }
}

/// When a connection of this viewer has to end, on the clock of timers.
pub(super) fn expiry(viewer: &Viewer) -> Option<Instant> {
    let left = viewer.expires_at()? - chrono::Utc::now();
    Instant::now().checked_add(left.to_std().unwrap_or_default())
}

/// One event in the form of the HTML standard, 9.2. axum's own writer leaves out `data:` when there is
/// none, and browsers then drop the event, `complete` too.
fn event(answer: &Answer) -> Bytes {
    let data = answer.json.get();
    let mut text = String::with_capacity(data.len().saturating_add(64));
    text.push_str("event: next\n");
    if let Some(id) = answer.cursor.as_deref().filter(|id| is_id(id)) {
        text.extend(["id: ", id, "\n"]);
    }
    // Raw JSON of a resolver may have line breaks between its tokens.
    for line in data.split(['\n', '\r']) {
        text.extend(["data: ", line, "\n"]);
    }
    text.push('\n');
    Bytes::from(text)
}

/// What stands in one line and in a header.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
