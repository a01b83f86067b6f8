//! How the server treats its clients.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the serving layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Bytes of a GraphQL request's body; more is answered 413.
    pub body_limit: usize,
    /// A GraphQL request's body must have arrived in this time, or it is answered 408.
    #[serde(with = "crate::human_duration")]
    pub body_timeout: Duration,
    /// The head of a request must have arrived in this time; idle connections are closed after it.
    #[serde(with = "crate::human_duration")]
    pub header_timeout: Duration,
    /// A client that takes nothing of its answer or of its event stream for so long is given up. On a WebSocket, where
    /// `websocket.write_timeout` is shorter, it is told why first.
    #[serde(with = "crate::human_duration")]
    pub write_timeout: Duration,
    /// Connections open at once; more wait in the system's queue.
    pub max_connections: usize,
    /// Answers of at least this many bytes are compressed when the client can read that.
    pub compress_above: u64,
    /// Other origins whose pages may call the API (`https://host[:port]`). The server's own origin
    /// always may; programs, which send no `Origin`, too.
    pub cors_origins: Vec<String>,
    /// How long running requests, event streams and sockets may take to end at shutdown.
    #[serde(with = "crate::human_duration")]
    pub shutdown_deadline: Duration,
    /// A comment goes out on an event stream that was silent for so long.
    #[serde(with = "crate::human_duration")]
    pub sse_keep_alive: Duration,
    /// Event streams open at once; more are answered 503.
    pub max_event_streams: usize,
    /// Settings of WebSockets.
    pub websocket: WebSocketSettings,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            body_limit: 1024 * 1024,
            body_timeout: Duration::from_secs(15),
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_mins(1),
            max_connections: 20_000,
            compress_above: 1024,
            cors_origins: Vec::new(),
            shutdown_deadline: Duration::from_secs(20),
            sse_keep_alive: Duration::from_secs(15),
            max_event_streams: 5_000,
            websocket: WebSocketSettings::default(),
        }
    }
}

/// Settings of WebSockets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocketSettings {
    /// `connection_init` must have arrived in this time (close code 4408).
    #[serde(with = "crate::human_duration")]
    pub init_timeout: Duration,
    /// The server sends a ping so often.
    #[serde(with = "crate::human_duration")]
    pub ping_interval: Duration,
    /// A client that is silent for this long after a ping is taken for gone.
    #[serde(with = "crate::human_duration")]
    pub pong_timeout: Duration,
    /// A client that does not take a message in this time is taken for gone.
    #[serde(with = "crate::human_duration")]
    pub write_timeout: Duration,
    /// A socket on which no operation is open and none was for so long is closed.
    #[serde(with = "crate::human_duration")]
    pub idle_timeout: Duration,
    /// Operations open at once on one socket; more are answered `RATE_LIMITED`.
    pub max_operations: usize,
    /// Sockets open at once; more are answered 503.
    pub max_sockets: usize,
    /// Bytes of one message of a client (close code 1009).
    pub max_message_bytes: usize,
}

impl Default for WebSocketSettings {
    fn default() -> Self {
        Self {
            init_timeout: Duration::from_secs(3),
            ping_interval: Duration::from_secs(30),
            pong_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(10),
            max_operations: 100,
            max_sockets: 5_000,
            max_message_bytes: 1024 * 1024,
        }
    }
}

/// Settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not the form that browsers send.
    #[error("{0:?} is not an origin: write https://host[:port], without a path")]
    Origin(String),
}
