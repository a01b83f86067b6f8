//! One open socket.
//!
//! A single task selects over the client's frames, the streams of its operations and the clocks, so
//! that none starves another: `select!` begins at a random branch, and [`StreamMap`] at a random
//! stream. A client that does not read holds up its own streams and nothing else; a stream that has no
//! event does not keep the end of a socket from being noticed.

use std::{ops::ControlFlow, pin::Pin, sync::Arc};

use axum::{
    Error,
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use futures_util::{
    FutureExt, SinkExt, StreamExt, future::OptionFuture, stream, stream::BoxStream,
};
use tokio::time::{
    Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep_until, timeout,
};
use tokio_stream::StreamMap;

use super::{
    close, drain,
    message::{ClientMessage, Output, ServerMessage, credential},
};
use crate::{
    auth::{Credential, Viewer},
    graphql::{engine::Caller, error::ErrorCode, request::GraphQlRequest},
    http::{HttpState, sse::expiry, state::Rejected},
};

/// Answers that go out with one flush.
const BATCH: usize = 32;

/// How a session ends.
enum End {
    /// With a close frame.
    Close(u16, String),
    /// The client has closed or is gone.
    Gone,
}

type Flow = ControlFlow<End>;

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
            close(session.socket, code, &reason).await;
        }
        End::Gone => drain(session.socket).await,
    }
}

struct Session {
    socket: WebSocket,
    state: HttpState,
    /// Of the upgrade's headers, and from `connection_init` on the one that counts. It is checked again for each
    /// operation and with each ping: a socket may outlive a key or an account by days.
    credential: Option<Credential>,
    /// Known since `connection_init`; of the last check.
    viewer: Option<Arc<Viewer>>,
    operations: StreamMap<String, BoxStream<'static, Output>>,
    /// The time for `connection_init`, and then the viewer's expiry.
    limit: Option<Pin<Box<Sleep>>>,
    heartbeat: Interval,
    last_heard: Instant,
}

impl Session {
    fn new(socket: WebSocket, state: HttpState, credential: Option<Credential>) -> Self {
        let settings = &state.settings.websocket;
        let now = Instant::now();
        let mut heartbeat = interval_at(now + settings.ping_interval, settings.ping_interval);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            limit: Some(Box::pin(sleep_until(now + settings.init_timeout))),
            socket,
            state,
            credential,
            viewer: None,
            operations: StreamMap::new(),
            heartbeat,
            last_heard: now,
        }
    }

    async fn step(&mut self) -> Flow {
        let limit = OptionFuture::from(self.limit.as_mut());
        tokio::select! {
            () = self.state.shutdown.cancelled() => end(1001, "Going away"),
            Some(()) = limit => match self.viewer {
                None => end(4408, "Connection initialisation timeout"),
                Some(_) => end(4403, "Forbidden: the credentials have expired"),
            },
            _ = self.heartbeat.tick() => self.beat().await,
            frame = self.socket.recv() => self.receive(frame).await,
            Some((id, output)) = self.operations.next(), if !self.operations.is_empty() => {
                self.deliver(id, output).await
            }
        }
    }

    async fn beat(&mut self) -> Flow {
        let settings = &self.state.settings.websocket;
        if self.last_heard.elapsed() > settings.ping_interval + settings.pong_timeout {
            return end(1008, "No answer to a ping");
        }
        if self.viewer.is_some() {
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
                if self.viewer.is_some() {
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
                if self.viewer.is_some() {
                    self.renew().await?;
                }
                self.subscribe(id, payload).await
            }
            ClientMessage::Complete { id } => {
                // An operation that has just ended is no fault of the client.
                self.operations.remove(&id);
                ControlFlow::Continue(())
            }
        }
    }

    /// A credential in the message goes before one in the headers of the upgrade.
    async fn initialise(&mut self, shown: Option<Credential>) -> Flow {
        self.credential = shown.or(self.credential.take());
        match self.state.renewed(self.credential.clone()).await {
            Ok(Some(viewer)) => self.admit(viewer),
            Ok(None) => return end(1011, "Credentials cannot be checked at the moment"),
            Err(Rejected) => return end(4403, "Forbidden"),
        }
        self.send(ServerMessage::ConnectionAck.encode()).await
    }

    /// Checks the credential again. While that is impossible, what was found last holds.
    async fn renew(&mut self) -> Flow {
        match self.state.renewed(self.credential.clone()).await {
            Ok(Some(viewer)) => self.admit(viewer),
            Ok(None) => tracing::debug!("a socket's credential could not be checked again"),
            Err(Rejected) => return end(4403, "Forbidden: the credentials are no longer valid"),
        }
        ControlFlow::Continue(())
    }

    fn admit(&mut self, viewer: Arc<Viewer>) {
        self.limit = expiry(&viewer).map(|instant| Box::pin(sleep_until(instant)));
        self.viewer = Some(viewer);
    }

    async fn subscribe(&mut self, id: String, payload: serde_json::Value) -> Flow {
        let Some(viewer) = self.viewer.clone() else {
            return end(4401, "Unauthorized");
        };
        if self.operations.contains_key(&id) {
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
                let answers = self.state.engine.subscribe(operation, Caller::from(viewer));
                let outputs = answers
                    .map(Output::Answer)
                    .chain(stream::once(async { Output::Complete }));
                self.operations.insert(id, outputs.boxed());
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
    async fn deliver(&mut self, mut id: String, mut output: Output) -> Flow {
        let limit = self.state.settings.websocket.write_timeout;
        for _ in 0..BATCH {
            let (message, last) = output.message(&id);
            match timeout(limit, self.socket.feed(message.encode())).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return ControlFlow::Break(End::Gone),
                Err(_) => return end(1008, "The client does not read"),
            }
            if last {
                self.operations.remove(&id);
            }
            match self.operations.next().now_or_never() {
                Some(Some(ready)) => (id, output) = ready,
                Some(None) | None => break,
            }
        }
        match timeout(limit, self.socket.flush()).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) => ControlFlow::Break(End::Gone),
            Err(_) => end(1008, "The client does not read"),
        }
    }

    async fn send(&mut self, message: Message) -> Flow {
        let limit = self.state.settings.websocket.write_timeout;
        match timeout(limit, self.socket.send(message)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) => ControlFlow::Break(End::Gone),
            Err(_) => end(1008, "The client does not read"),
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
