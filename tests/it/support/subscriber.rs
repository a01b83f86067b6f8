//! Clients of the live feed that remember nothing but their last cursor, and come back with it.

use std::{net::SocketAddr, sync::Arc};

use futures_util::{SinkExt, StreamExt};
use rand::{RngExt, rngs::StdRng};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::client::{EVENTS, PATIENCE};

/// What event ends a test: its subject, and the name of its job.
pub const LAST: &str = "last";
/// What a client wants that comes for the first time and has no cursor.
pub const BEGINNING: &str = "beginning";

/// The close code of a server that is too busy at the moment.
const TRY_AGAIN: u16 = 1013;

/// What is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `events` of these topics.
    Events(&'static [&'static str]),
    /// `jobUpdates`.
    Jobs,
    /// `jobUpdates` with a list that only the database knows, so that each answer has to ask it.
    JobsWithParents,
}

impl Field {
    const fn name(self) -> &'static str {
        match self {
            Self::Events(_) => "events",
            Self::Jobs | Self::JobsWithParents => "jobUpdates",
        }
    }

    /// The topics that it tells of.
    pub const fn topics(self) -> &'static [&'static str] {
        match self {
            Self::Events(topics) => topics,
            Self::Jobs | Self::JobsWithParents => &["JOB"],
        }
    }

    fn request(self, after: &str) -> Value {
        let query = match self {
            Self::Events(_) => {
                "subscription($after: String, $topics: [EventTopic!]) {
                    events(after: $after, topics: $topics) { cursor kind subject }
                }"
            }
            Self::Jobs => {
                "subscription($after: String) {
                    jobUpdates(after: $after) { cursor kind job { name } }
                }"
            }
            Self::JobsWithParents => {
                "subscription($after: String) {
                    jobUpdates(after: $after) { cursor kind job { name parents { name } } }
                }"
            }
        };
        let mut variables = json!({ "after": after });
        if let Self::Events(topics) = self {
            variables["topics"] = json!(topics);
        }
        json!({ "query": query, "variables": variables })
    }
}

/// How a client listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    WebSocket,
    ServerSentEvents,
}

/// What a client was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub cursor: String,
    pub kind: String,
    /// What of; in updates of jobs the name of the job.
    pub subject: String,
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        (&self.cursor, &self.kind) == (&other.cursor, &other.kind)
    }
}

/// A client that comes and goes.
pub struct Subscriber {
    field: Field,
    transport: Transport,
    token: String,
    /// The last cursor.
    after: String,
    told: Vec<Told>,
    received: watch::Sender<usize>,
}

/// What of a client a test can look at while it follows.
#[derive(Clone)]
pub struct Progress(watch::Receiver<usize>);

impl Progress {
    /// Waits until the client was told of so many further events.
    pub async fn further(&mut self, events: usize) {
        let goal = *self.0.borrow_and_update() + events;
        let reached = self.0.wait_for(|received| *received >= goal);
        let reached = timeout(PATIENCE, reached).await.expect("further events");
        reached.expect("a client that follows");
    }
}

/// Where servers are at this moment, for clients that look for one.
pub type Servers = watch::Receiver<Arc<[SocketAddr]>>;

/// The connection has ended, or could not be made.
#[derive(Debug)]
enum End {
    /// The server is not there any more.
    Gone,
    /// It says itself that it cannot do this at the moment.
    Busy,
}

impl Subscriber {
    /// `after`: what its first subscription asks for.
    pub fn new(field: Field, transport: Transport, token: &str, after: &str) -> Self {
        Self {
            field,
            transport,
            token: token.to_owned(),
            after: after.to_owned(),
            told: Vec::new(),
            received: watch::Sender::new(0),
        }
    }

    pub fn progress(&self) -> Progress {
        Progress(self.received.subscribe())
    }

    /// Follows whatever server is there, leaves when it likes to, and comes back to any, until the last event; gives
    /// what it was told.
    pub async fn come_and_go(mut self, mut servers: Servers, mut random: StdRng) -> Vec<Told> {
        loop {
            let address = {
                let there = servers.wait_for(|servers| !servers.is_empty()).await;
                let there = there.expect("a test that goes on");
                there[random.random_range(0..there.len())]
            };
            let mut connection = match self.connect(address).await {
                Ok(connection) => connection,
                Err(End::Gone) => {
                    // Those who start and kill servers have said so, or are about to.
                    let _ = servers.changed().await;
                    continue;
                }
                Err(End::Busy) => continue,
            };
            for _ in 0..random.random_range(1..60) {
                match self.hear(&mut connection).await {
                    Ok(true) => return self.told,
                    Ok(false) => {}
                    Err(_) => break,
                }
            }
        }
    }

    /// Follows one server on one connection until the last event; gives what it was told.
    pub async fn stay(mut self, address: SocketAddr) -> Vec<Told> {
        let mut connection = self.connect(address).await.expect("a connection");
        while !self.hear(&mut connection).await.expect("the connection") {}
        self.told
    }

    async fn connect(&self, address: SocketAddr) -> Result<Connection, End> {
        let request = self.field.request(&self.after);
        let connected = async {
            match self.transport {
                Transport::WebSocket => socket(address, &self.token, request).await,
                Transport::ServerSentEvents => {
                    stream(address, &self.token, request, &self.after).await
                }
            }
        };
        timeout(PATIENCE, connected).await.expect("a connection")
    }

    /// Hears of the next event; says whether it was the last.
    async fn hear(&mut self, connection: &mut Connection) -> Result<bool, End> {
        let (id, mut answer) = connection.next().await?;
        if answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE" {
            return Err(End::Busy);
        }
        assert!(answer.get("errors").is_none(), "{answer}");
        let update = answer["data"][self.field.name()].take();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (subject, cursor) = match self.field {
            Field::Events(_) => (text(&update["subject"]), text(&update["cursor"])),
            Field::Jobs | Field::JobsWithParents => {
                (text(&update["job"]["name"]), text(&update["cursor"]))
            }
        };
        assert!(id.is_none_or(|id| id == cursor), "{update}");
        self.after.clone_from(&cursor);
        let kind = text(&update["kind"]).to_lowercase();
        let is_last = subject == LAST;
        self.told.push(Told {
            cursor,
            kind,
            subject,
        });
        self.received.send_modify(|received| *received += 1);
        Ok(is_last)
    }
}

enum Connection {
    Socket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Stream { response: Response, text: String },
}

impl Connection {
    /// The next answer, and the id that the transport gives it.
    async fn next(&mut self) -> Result<(Option<String>, Value), End> {
        match self {
            Self::Socket(socket) => {
                let mut message = message(socket).await?;
                let payload = message["payload"].take();
                match message["type"].as_str() {
                    Some("next") => Ok((None, payload)),
                    Some("error") => Ok((None, json!({ "errors": payload }))),
                    _ => panic!("{message}"),
                }
            }
            Self::Stream { response, text } => {
                let line = |event: &str, name| {
                    let mut lines = event.lines();
                    lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
                };
                loop {
                    let event = next_event(response, text).await?;
                    if event.starts_with(':') {
                        continue;
                    }
                    assert!(event.starts_with("event: next"), "{event}");
                    let data = line(&event, "data: ").expect("data");
                    let data = serde_json::from_str(&data).expect("JSON");
                    return Ok((line(&event, "id: "), data));
                }
            }
        }
    }
}

/// The next event that has come as a whole.
async fn next_event(response: &mut Response, text: &mut String) -> Result<String, End> {
    loop {
        if let Some((event, rest)) = text.split_once("\n\n") {
            let (event, rest) = (event.to_owned(), rest.to_owned());
            *text = rest;
            return Ok(event);
        }
        match response.chunk().await {
            Ok(Some(chunk)) => text.push_str(std::str::from_utf8(&chunk).expect("ASCII")),
            Ok(None) | Err(_) => return Err(End::Gone),
        }
    }
}

async fn stream(
    address: SocketAddr,
    token: &str,
    request: Value,
    after: &str,
) -> Result<Connection, End> {
    let mut post = super::client::http()
        .post(format!("http://{address}/graphql"))
        .header("accept", EVENTS)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(request.to_string());
    if after != BEGINNING {
        post = post.header("last-event-id", after);
    }
    let response = post.send().await.map_err(|_| End::Gone)?;
    if response.status() == 503 {
        return Err(End::Busy);
    }
    assert_eq!(response.status(), 200);
    let text = String::new();
    Ok(Connection::Stream { response, text })
}

async fn socket(address: SocketAddr, token: &str, request: Value) -> Result<Connection, End> {
    let url = format!("ws://{address}/graphql");
    let mut upgrade = url.into_client_request().expect("a URL");
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    upgrade
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let (socket, _) = connect_async(upgrade).await.map_err(|_| End::Gone)?;
    let mut socket = Box::new(socket);
    let payload = json!({ "Authorization": format!("Bearer {token}") });
    let init = json!({ "type": "connection_init", "payload": payload });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": request });
    socket
        .send(Message::text(init.to_string()))
        .await
        .map_err(|_| End::Gone)?;
    let acknowledged = message(&mut socket).await?;
    assert_eq!(acknowledged["type"], "connection_ack", "{acknowledged}");
    socket
        .send(Message::text(subscribe.to_string()))
        .await
        .map_err(|_| End::Gone)?;
    Ok(Connection::Socket(socket))
}

/// The next message. A server that closes with a word would have been told to.
async fn message(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Result<Value, End> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return Ok(serde_json::from_str(&text).expect("JSON"));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == TRY_AGAIN => {
                return Err(End::Busy);
            }
            Some(Ok(other)) => panic!("expected a message, got {other:?}"),
            Some(Err(_)) | None => return Err(End::Gone),
        }
    }
}
