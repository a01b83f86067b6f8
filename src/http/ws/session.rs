//! One open socket.
//!
//! A single task looks at the client's frames, the streams of its operations and the clocks, in turn, so that none
//! starves another; [`StreamMap`] begins at a random stream. A client that does not read holds up its own streams and nothing else; a stream that has no
//! event does not keep the end of a socket from being noticed.

use std::{
    future::poll_fn,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Error,
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use futures_util::{FutureExt, SinkExt, StreamExt, future::BoxFuture, stream, stream::BoxStream};
use tokio::time::{
    Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep_until, timeout, timeout_at,
};
use tokio_stream::StreamMap;

use super::{
    CLOSING, close, drain,
    message::{ClientMessage, Operation, Output, ServerMessage, credential},
};
use crate::{
    auth::{Access, AuthError, Credential, Viewer},
    graphql::{engine::Caller, error::ErrorCode, request::GraphQlRequest},
    http::{HttpState, sse::expiry},
};

/// Answers that go out with one flush.
const BATCH: usize = 32;

/// Codes 1012 and 1013 tell clients to come back; those of GraphQL do so by themselves.
const GOODBYE: &str = "The server restarts: connect again and go on from your last cursor";
const NOT_READING: &str = "The client does not read: connect again and go on from your last cursor";
const NO_LONGER_VALID: &str = "Forbidden: the credentials are no longer valid";

/// How a session ends.
enum End {
    /// With a close frame.
    Close(u16, String),
    /// The client does not read. It is told so if it begins to within the time that it had for reading.
    NotReading,
    /// The client has closed or is gone.
    Gone,
}

type Flow = ControlFlow<End>;

/// What a session waits for.
enum Happening {
    /// The server ends.
    Shutdown,
    /// The credential is good no more.
    Rejected,
    /// The time for `connection_init`, or that of the credential, is over.
    Limit,
    /// It is time for a ping.
    Beat,
    /// The client has said something, or is gone.
    Frame(Option<Result<Message, Error>>),
    /// An operation has something to say.
    Output(Arc<str>, Output),
}

/// Serves a socket until it ends. `credential` is that of the upgrade's headers.
pub(super) async fn run(socket: WebSocket, state: HttpState, credential: Option<Credential>) {
    let mut session = Session::new(socket, state, credential);
    let end = loop {
        if let ControlFlow::Break(end) = session.step().await {
            break end;
        }
    };
    // The streams end before the socket does: nothing may be sent after a close frame.
    drop(session.operations);
    match end {
        End::Close(code, reason) => {
            tracing::debug!(code, reason, "closes a socket");
            close(session.socket, code, &reason, CLOSING).await;
        }
        End::NotReading => {
            metrics::counter!("labql_websockets_not_reading_total").increment(1);
            let patience = session.state.settings.websocket.write_timeout;
            close(session.socket, 1013, NOT_READING, patience).await;
        }
        End::Gone => drain(session.socket).await,
    }
}

struct Session {
    socket: WebSocket,
    state: HttpState,
    /// Of the upgrade's headers, until `connection_init`.
    credential: Option<Credential>,
    /// Known since `connection_init`. It is asked again for each operation, before each event that follows a change of
    /// accounts, and with each ping: a socket may outlive a key or an account by days.
    access: Option<Access>,
    /// Ends with the server. It waits for as long as the socket, and is not set up anew for each event; nor is the next.
    shutdown: BoxFuture<'static, ()>,
    /// Ends when the credential is found to be good no more.
    rejected: Option<BoxFuture<'static, ()>>,
    operations: StreamMap<Arc<str>, BoxStream<'static, Output>>,
    /// Whether the last that happened was an output.
    delivered: bool,
    /// The time for `connection_init`, and then the viewer's expiry.
    limit: Option<Pin<Box<Sleep>>>,
    heartbeat: Interval,
    last_heard: Instant,
    /// When an operation began or had something to say.
    last_used: Instant,
}

impl Session {
    fn new(socket: WebSocket, state: HttpState, credential: Option<Credential>) -> Self {
        let settings = &state.settings.websocket;
        let now = Instant::now();
        let mut heartbeat = interval_at(now + settings.ping_interval, settings.ping_interval);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            limit: Some(Box::pin(sleep_until(now + settings.init_timeout))),
            shutdown: state.shutdown.clone().cancelled_owned().boxed(),
            socket,
            state,
            credential,
            access: None,
            rejected: None,
            operations: StreamMap::new(),
            delivered: false,
            heartbeat,
            last_heard: now,
            last_used: now,
        }
    }

    async fn step(&mut self) -> Flow {
        match poll_fn(|context| self.poll(context)).await {
            Happening::Shutdown => end(1012, GOODBYE),
            Happening::Rejected => end(4403, NO_LONGER_VALID),
            Happening::Limit => match self.access {
                None => end(4408, "Connection initialisation timeout"),
                Some(_) => end(4403, "Forbidden: the credentials have expired"),
            },
            Happening::Beat => self.beat().await,
            Happening::Frame(frame) => self.receive(frame).await,
            Happening::Output(id, output) => self.deliver(id, output).await,
        }
    }

    /// Looks at each source once. Answers come first, since they are what mostly wakes a socket; when some have just
    /// been sent, all others come before them.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Happening> {
        let delivered = std::mem::take(&mut self.delivered);
        if !delivered && let Some(output) = self.poll_output(context) {
            return Poll::Ready(output);
        }
        if self.shutdown.poll_unpin(context).is_ready() {
            return Poll::Ready(Happening::Shutdown);
        }
        if let Some(rejected) = &mut self.rejected
            && rejected.poll_unpin(context).is_ready()
        {
            return Poll::Ready(Happening::Rejected);
        }
        if let Some(limit) = &mut self.limit
            && limit.poll_unpin(context).is_ready()
        {
            return Poll::Ready(Happening::Limit);
        }
        if self.heartbeat.poll_tick(context).is_ready() {
            return Poll::Ready(Happening::Beat);
        }
        if let Poll::Ready(frame) = self.socket.poll_next_unpin(context) {
            return Poll::Ready(Happening::Frame(frame));
        }
        if delivered && let Some(output) = self.poll_output(context) {
            return Poll::Ready(output);
        }
        Poll::Pending
    }

    fn poll_output(&mut self, context: &mut Context<'_>) -> Option<Happening> {
        let Poll::Ready(Some((id, output))) = self.operations.poll_next_unpin(context) else {
            return None;
        };
        self.delivered = true;
        Some(Happening::Output(id, output))
    }

    async fn beat(&mut self) -> Flow {
        let settings = &self.state.settings.websocket;
        if self.last_heard.elapsed() > settings.ping_interval + settings.pong_timeout {
            // The answer may have come while something was sent.
            if let Some(frame) = self.socket.recv().now_or_never() {
                return self.receive(frame).await;
            }
            return end(1013, "No answer to a ping: connect again");
        }
        if self.operations.is_empty() && self.last_used.elapsed() > settings.idle_timeout {
            return end(1001, "Idle: connect again when there is something to ask");
        }
        if self.access.is_some() {
            self.renew().await?;
        }
        self.send(Message::Ping(Bytes::new())).await
    }

    async fn receive(&mut self, frame: Option<Result<Message, Error>>) -> Flow {
        self.last_heard = Instant::now();
        match frame {
            Some(Ok(Message::Text(text))) => match ClientMessage::parse(&text) {
                Ok(message) => self.answer(message).await,
                Err(reason) => end(4400, reason),
            },
            Some(Ok(Message::Binary(_))) => end(4400, "Messages are text"),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => ControlFlow::Continue(()),
            Some(Err(error)) if is_too_large(&error) => end(1009, "Message too large"),
            Some(Ok(Message::Close(_)) | Err(_)) | None => ControlFlow::Break(End::Gone),
        }
    }

    async fn answer(&mut self, message: ClientMessage) -> Flow {
        match message {
            ClientMessage::ConnectionInit(payload) => {
                if self.access.is_some() {
                    return end(4429, "Too many initialisation requests");
                }
                let Ok(shown) = credential(&payload) else {
                    return end(4403, "Forbidden");
                };
                self.initialise(shown).await
            }
            ClientMessage::Ping(payload) => {
                self.send(ServerMessage::Pong { payload }.encode()).await
            }
            ClientMessage::Pong => ControlFlow::Continue(()),
            ClientMessage::Subscribe { id, payload } => {
                if self.access.is_some() {
                    self.renew().await?;
                }
                self.last_used = Instant::now();
                self.subscribe(id, payload).await
            }
            ClientMessage::Complete { id } => {
                // An operation that has just ended is no fault of the client.
                self.operations.remove(id.as_str());
                ControlFlow::Continue(())
            }
        }
    }

    /// A credential in the message goes before one in the headers of the upgrade.
    async fn initialise(&mut self, shown: Option<Credential>) -> Flow {
        let credential = shown.or(self.credential.take());
        match self.state.access(credential).await {
            Ok(access) => {
                self.admit(&access.known());
                let watched = access.clone();
                self.rejected = Some(async move { watched.rejected().await }.boxed());
                self.access = Some(access);
            }
            Err(AuthError::Unavailable) => {
                return end(
                    1013,
                    "Credentials cannot be checked at the moment: try again later",
                );
            }
            Err(AuthError::Rejected) => return end(4403, "Forbidden"),
        }
        self.send(ServerMessage::ConnectionAck.encode()).await
    }

    /// Checks the credential again. While that is impossible, what was found last holds.
    async fn renew(&mut self) -> Flow {
        let Some(access) = &self.access else {
            return ControlFlow::Continue(());
        };
        match access.renew().await {
            Ok(viewer) => self.admit(&viewer),
            Err(AuthError::Unavailable) => {
                tracing::debug!("a socket's credential could not be checked again");
            }
            Err(AuthError::Rejected) => return end(4403, NO_LONGER_VALID),
        }
        ControlFlow::Continue(())
    }

    fn admit(&mut self, viewer: &Viewer) {
        self.limit = expiry(viewer).map(|instant| Box::pin(sleep_until(instant)));
    }

    async fn subscribe(&mut self, id: String, payload: serde_json::Value) -> Flow {
        let Some(access) = self.access.clone() else {
            return end(4401, "Unauthorized");
        };
        if self.operations.contains_key(id.as_str()) {
            return end(4409, format!("Subscriber for {id} already exists"));
        }
        let request = match GraphQlRequest::from_json(payload) {
            Ok(request) => request,
            Err(error) => return end(4400, error.to_string()),
        };
        let prepared = if self.operations.len() >= self.state.settings.websocket.max_operations {
            Err(ErrorCode::RateLimited.server_error("too many operations are open on this socket"))
        } else {
            self.state.engine.prepare(request)
        };
        match prepared {
            Ok(operation) => {
                let answers = self.state.engine.subscribe(operation, Caller::from(access));
                let operation = Arc::new(Operation::new(&id));
                let telling = Arc::clone(&operation);
                let outputs = answers
                    .map(move |answer| telling.tell(&answer))
                    .chain(stream::once(async move { operation.complete() }));
                self.operations.insert(id.into(), outputs.boxed());
                ControlFlow::Continue(())
            }
            Err(error) => {
                let payload = &[error];
                self.send(ServerMessage::Error { id: &id, payload }.encode())
                    .await
            }
        }
    }

    /// Sends what is ready, and flushes once.
    async fn deliver(&mut self, id: Arc<str>, output: Output) -> Flow {
        self.last_used = Instant::now();
        // For all of it together: meanwhile nothing else is seen of the client.
        let limit = self.last_used + self.state.settings.websocket.write_timeout;
        match timeout_at(limit, self.send_ready(id, output)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) => ControlFlow::Break(End::Gone),
            Err(_) => ControlFlow::Break(End::NotReading),
        }
    }

    async fn send_ready(&mut self, mut id: Arc<str>, mut output: Output) -> Result<(), Error> {
        for sent in 1..=BATCH {
            self.socket.feed(output.message).await?;
            if output.last {
                self.operations.remove(&id);
            }
            // What is taken has to be sent: it does not come again.
            if sent == BATCH {
                break;
            }
            match self.operations.next().now_or_never() {
                Some(Some(ready)) => (id, output) = ready,
                Some(None) | None => break,
            }
        }
        self.socket.flush().await
    }

    async fn send(&mut self, message: Message) -> Flow {
        let limit = self.state.settings.websocket.write_timeout;
        match timeout(limit, self.socket.send(message)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) => ControlFlow::Break(End::Gone),
            Err(_) => ControlFlow::Break(End::NotReading),
        }
    }
}

fn end(code: u16, reason: impl Into<String>) -> Flow {
    ControlFlow::Break(End::Close(code, reason.into()))
}

/// axum wraps the error of the WebSocket library, whose types it does not show.
fn is_too_large(error: &Error) -> bool {
    error.to_string().contains("too long")
}

#[cfg(test)]
mod tests;
