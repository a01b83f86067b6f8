//! Operations as server-sent events: the "distinct connections" mode of graphql-sse, one event stream
//! an operation.
//!
//! `event: next` carries an answer, `event: complete` ends the operation. An event that has a cursor
//! carries it as its `id:`; a client that reconnects sends the last one as `Last-Event-ID`, and the
//! subscription goes on after it. A stream ends without `complete` when the server ends, so that the
//! client comes back, and with an error of code `UNAUTHENTICATED` when the viewer's credential expires or is
//! not accepted any more, which is checked as often as a silent stream is kept alive.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_graphql::{Response as Answer, ServerError, Value};
use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, future::OptionFuture, stream};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::{
    HttpState,
    negotiate::Json,
    respond::{self, Payload},
    state::{EventId, Rejected},
};
use crate::{
    auth::{Credential, Viewer},
    graphql::{
        engine::{Caller, Prepared},
        error::{self, ErrorCode},
    },
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

/// The entry `cursor` of the subscription's field, if the client selected it.
pub(super) fn cursor_of(data: &Value) -> Option<String> {
    let Value::Object(fields) = data else {
        return None;
    };
    let Value::Object(event) = fields.values().next()? else {
        return None;
    };
    match event.get("cursor")? {
        Value::String(cursor) => Some(cursor.clone()),
        Value::Number(cursor) => Some(cursor.to_string()),
        _ => None,
    }
}

/// Answers with an event stream; also for what was refused, as clients of this protocol expect.
pub(super) fn open(
    state: &HttpState,
    operation: Result<Prepared, ServerError>,
    caller: Caller,
    credential: Option<Credential>,
    json: Json,
) -> Response {
    let Ok(permit) = Arc::clone(&state.event_streams).try_acquire_owned() else {
        let error = ErrorCode::Unavailable.server_error("too many event streams are open");
        return respond::refuse(StatusCode::SERVICE_UNAVAILABLE, error, json);
    };
    let mut access = Access::new(state, &caller.viewer, credential);
    let answers = match operation {
        Ok(operation) => state.engine.subscribe(operation, caller),
        Err(error) => stream::once(async { Answer::from_errors(vec![error]) }).boxed(),
    };
    let event_id = state.event_id;
    let session = state.sessions.token();
    let events = async_stream::stream! {
        let _held = (permit, session);
        let mut answers = answers;
        loop {
            match next(&mut answers, &mut access).await {
                Step::Answer(answer) => yield Ok::<_, Infallible>(event(&answer, event_id)),
                Step::Silence => yield Ok(Bytes::from_static(b":\n\n")),
                Step::Complete => break,
                Step::Refused(reason) => {
                    let error = ErrorCode::Unauthenticated.server_error(reason);
                    yield Ok(event(&Answer::from_errors(vec![error]), event_id));
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

#[expect(clippy::large_enum_variant, reason = "lives for one step")]
enum Step {
    Answer(Answer),
    Complete,
    Silence,
    Refused(&'static str),
    Shutdown,
}

/// How long a stream may go on.
struct Access {
    state: HttpState,
    credential: Option<Credential>,
    expiry: Option<Instant>,
    checks: Interval,
}

impl Access {
    fn new(state: &HttpState, viewer: &Viewer, credential: Option<Credential>) -> Self {
        let every = state.settings.sse_keep_alive.max(Duration::from_millis(1));
        let mut checks = interval_at(Instant::now() + every, every);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            state: state.clone(),
            credential,
            expiry: expiry(viewer),
            checks,
        }
    }

    /// Whether the credential is still good, or that cannot be found out at the moment.
    async fn renew(&mut self) -> Result<(), Rejected> {
        if self.credential.is_some()
            && let Some(viewer) = self.state.renewed(self.credential.clone()).await?
        {
            self.expiry = expiry(&viewer);
        }
        Ok(())
    }
}

async fn next(answers: &mut stream::BoxStream<'static, Answer>, access: &mut Access) -> Step {
    let keep_alive = sleep(access.state.settings.sse_keep_alive);
    tokio::pin!(keep_alive);
    loop {
        let expired = OptionFuture::from(access.expiry.map(sleep_until));
        tokio::select! {
            answer = answers.next() => return answer.map_or(Step::Complete, Step::Answer),
            Some(()) = expired => return Step::Refused("the credentials have expired"),
            () = &mut keep_alive => return Step::Silence,
            () = access.state.shutdown.cancelled() => return Step::Shutdown,
            _ = access.checks.tick() => {
                if let Err(Rejected) = access.renew().await {
                    return Step::Refused("the credentials are no longer valid");
                }
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
fn event(answer: &Answer, event_id: EventId) -> Bytes {
    let data = serde_json::to_string(&Payload::from(answer)).unwrap_or_else(|inside| {
        let error = error::internal_server_error(inside);
        serde_json::json!({ "errors": [error] }).to_string()
    });
    let mut text = String::with_capacity(data.len().saturating_add(64));
    text.push_str("event: next\n");
    if let Some(id) = event_id(&answer.data).filter(|id| is_id(id)) {
        text.extend(["id: ", &id, "\n"]);
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
