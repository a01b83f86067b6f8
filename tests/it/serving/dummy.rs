//! A small schema, an authenticator that knows a few tokens, and a server on a free port.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_graphql::{Context, Error, Object, Request, Result, Schema, SimpleObject, Subscription};
use futures_util::{Stream, StreamExt, future::BoxFuture, stream};
use labql::{
    auth::{AuthError, Authenticator, Credential, Viewer, viewer::ViewerUser},
    graphql::{
        engine::{Engine, EngineSettings, ResumeFrom},
        error::{ErrorCode, internal},
    },
    http::{
        Authenticated, HttpSettings, HttpState, NotReady, Readiness, WebSocketSettings, router,
        serve,
    },
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Counts the torrents that have ended.
#[derive(Clone)]
struct Torrents(watch::Sender<usize>);

struct TorrentGuard(Torrents);

impl Drop for TorrentGuard {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count += 1);
    }
}

/// Counts the quiet streams that are open.
#[derive(Clone)]
pub struct Quiet(watch::Sender<usize>);

impl Default for Quiet {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Quiet {
    pub async fn wait_for(&self, open: usize) {
        self.0
            .subscribe()
            .wait_for(|count| *count == open)
            .await
            .unwrap();
    }

    pub fn count(&self) -> usize {
        *self.0.borrow()
    }

    fn enter(&self) -> QuietGuard {
        self.0.send_modify(|count| *count += 1);
        QuietGuard(self.clone())
    }
}

struct QuietGuard(Quiet);

impl Drop for QuietGuard {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

#[derive(SimpleObject, Clone)]
pub struct Item {
    number: i32,
    text: String,
}

#[derive(SimpleObject)]
pub struct ItemEdge {
    cursor: String,
    node: Item,
}

#[derive(SimpleObject)]
pub struct Items {
    edges: Vec<ItemEdge>,
    nodes: Vec<Item>,
}

pub struct Query;

#[Object]
impl Query {
    async fn hello(&self, name: Option<String>) -> String {
        format!("hello {}", name.as_deref().unwrap_or("world"))
    }

    async fn viewer(&self, ctx: &Context<'_>) -> Option<String> {
        let viewer = ctx.data_unchecked::<Arc<Viewer>>();
        viewer.user.as_ref().map(|user| user.username.clone())
    }

    async fn secret(&self) -> Result<i32> {
        Err(ErrorCode::Unauthenticated.error("log in first"))
    }

    async fn maybe_secret(&self) -> Result<Option<i32>> {
        Err(ErrorCode::Unauthenticated.error("log in first"))
    }

    async fn forgotten(&self) -> Result<Option<i32>> {
        Err(Error::new("password=hunter2"))
    }

    async fn converted(&self) -> Result<i32> {
        Ok("hunter2".parse::<i32>()?)
    }

    async fn broken(&self) -> Result<i32> {
        Err(internal("password=hunter2"))
    }

    async fn panic(&self, ctx: &Context<'_>) -> Option<i32> {
        assert!(ctx.path_node.is_none(), "hunter2");
        None
    }

    async fn echo(&self, value: i32) -> i32 {
        value
    }

    /// Never answers.
    async fn stuck(&self, ctx: &Context<'_>) -> i32 {
        let _open = ctx.data_unchecked::<Quiet>().enter();
        std::future::pending().await
    }

    async fn long(&self, characters: usize) -> String {
        "x".repeat(characters)
    }

    async fn items(&self, first: Option<i32>, last: Option<i32>) -> Items {
        let count = first.or(last).unwrap_or(50).clamp(0, 100);
        let nodes: Vec<_> = (0..count).map(item).collect();
        let edges = nodes.iter().map(|node| ItemEdge {
            cursor: node.number.to_string(),
            node: node.clone(),
        });
        Items {
            edges: edges.collect(),
            nodes,
        }
    }

    async fn nested(&self) -> Query {
        Query
    }
}

fn item(number: i32) -> Item {
    Item {
        number,
        text: format!("item {number}"),
    }
}

#[derive(Default)]
pub struct Mutation;

#[Object]
impl Mutation {
    async fn double(&self, value: i32) -> i32 {
        value.saturating_mul(2)
    }
}

#[derive(SimpleObject)]
pub struct Event {
    cursor: String,
    number: i32,
}

pub struct Subscription;

#[Subscription]
impl Subscription {
    /// Goes on after the last event that the client saw.
    async fn count(&self, ctx: &Context<'_>, to: i32) -> impl Stream<Item = Event> {
        let after = ctx.data_opt::<ResumeFrom>().map(|id| id.0.parse::<i32>());
        let from = after.and_then(std::result::Result::ok).unwrap_or(0) + 1;
        stream::iter((from..=to).map(|number| Event {
            cursor: number.to_string(),
            number,
        }))
    }

    /// One event, and then silence.
    async fn quiet(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> {
        let guard = ctx.data_unchecked::<Quiet>().enter();
        stream::iter([0])
            .chain(stream::pending())
            .map(move |number| {
                let _open = &guard;
                number
            })
    }

    /// Events without end.
    async fn flood(&self) -> impl Stream<Item = i32> {
        stream::iter(0..)
    }

    /// Large events without end.
    async fn torrent(&self, ctx: &Context<'_>) -> impl Stream<Item = String> {
        let guard = TorrentGuard(ctx.data_unchecked::<Torrents>().clone());
        stream::repeat_with(move || {
            let _open = &guard;
            "x".repeat(100_000)
        })
    }

    async fn refused(&self) -> Result<impl Stream<Item = i32>> {
        Err::<stream::Pending<i32>, _>(ErrorCode::CursorExpired.error("too old"))
    }

    async fn explosive(&self) -> impl Stream<Item = i32> {
        stream::iter(0..).map(|number| {
            if number < 2 {
                number
            } else {
                panic!("hunter2")
            }
        })
    }
}

pub struct Tokens;

impl Authenticator for Tokens {
    fn authenticate(
        &self,
        credential: Option<Credential>,
    ) -> BoxFuture<'_, Result<Arc<Viewer>, AuthError>> {
        let shown = match &credential {
            None => "anonymous".to_owned(),
            Some(Credential::Bearer(token)) => format!("bearer {}", token.expose()),
            Some(Credential::ApiKey(key)) => format!("key {}", key.expose()),
        };
        let user = |name: &str, milliseconds: Option<i64>| Viewer {
            user: Some(ViewerUser {
                id: None,
                username: name.to_owned(),
                is_admin: false,
            }),
            expires_at: milliseconds
                .map(|left| chrono::Utc::now() + chrono::Duration::milliseconds(left)),
        };
        let answer = match shown.as_str() {
            "anonymous" => Ok(Viewer::anonymous()),
            "bearer good" => Ok(user("alice", None)),
            "bearer brief" => Ok(user("alice", Some(300))),
            "bearer hour" => Ok(user("alice", Some(3_600_000))),
            "key 0123" => Ok(user("robot", None)),
            "bearer down" => Err(AuthError::Unavailable),
            _ => Err(AuthError::Rejected),
        };
        Box::pin(std::future::ready(answer.map(Arc::new)))
    }
}

/// Ready as long as the sender says so.
pub struct Ready(pub watch::Receiver<bool>);

impl Readiness for Ready {
    fn check(&self) -> BoxFuture<'_, Result<(), NotReady>> {
        let ready = *self.0.borrow();
        Box::pin(async move {
            ready.then_some(()).ok_or(NotReady {
                check: "database",
                reason: "does not answer".to_owned(),
            })
        })
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub quiet: Quiet,
    /// How many torrents have ended.
    pub torrents: watch::Receiver<usize>,
    pub ready: watch::Sender<bool>,
    pub shutdown: CancellationToken,
    pub ended: JoinHandle<()>,
}

impl crate::support::Address for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

pub async fn start(http: HttpSettings, engine: EngineSettings) -> Server {
    start_at("127.0.0.1:0", http, engine).await
}

pub async fn start_at(address: &str, http: HttpSettings, settings: EngineSettings) -> Server {
    let quiet = Quiet::default();
    let torrents = Torrents(watch::Sender::new(0));
    let ready = watch::Sender::new(true);
    let shutdown = CancellationToken::new();
    let schema = Schema::build(Query, Mutation, Subscription)
        .data(quiet.clone())
        .data(torrents.clone())
        .limit_recursive_depth(64)
        .finish();
    let sdl = schema.sdl();
    let attach = |viewer: &Arc<Viewer>, request: Request| request.data(Arc::clone(viewer));
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let state = HttpState::builder(Engine::new(schema, attach, settings), Tokens)
        .settings(http)
        .sdl(sdl)
        .readiness(Ready(ready.subscribe()))
        .metrics(metrics.handle())
        .shutdown(shutdown.clone())
        .build()
        .unwrap();
    // Only the first server of a process records; the others show an empty page.
    let _ = metrics::set_global_recorder(metrics);
    let extra = axum::Router::new()
        .route(
            "/whoami",
            axum::routing::get(|Authenticated(viewer): Authenticated| async move {
                viewer
                    .user
                    .as_ref()
                    .map_or_else(String::new, |user| user.username.clone())
            }),
        )
        .route(
            "/panic",
            axum::routing::get(|| async {
                assert!(std::env::args().next().is_none(), "hunter2");
            }),
        )
        .with_state(state.clone());
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let ended = tokio::spawn(serve(listener, router(state.clone(), extra), state));
    Server {
        address,
        quiet,
        torrents: torrents.0.subscribe(),
        ready,
        shutdown,
        ended,
    }
}

/// Short limits, so that tests need not wait.
pub fn quick() -> (HttpSettings, EngineSettings) {
    let http = HttpSettings {
        body_timeout: Duration::from_millis(200),
        body_limit: 64 * 1024,
        shutdown_deadline: Duration::from_secs(5),
        websocket: WebSocketSettings {
            init_timeout: Duration::from_millis(300),
            max_operations: 4,
            max_message_bytes: 32 * 1024,
            ..WebSocketSettings::default()
        },
        ..HttpSettings::default()
    };
    let engine = EngineSettings {
        query_timeout: Duration::from_millis(300),
        ..EngineSettings::default()
    };
    (http, engine)
}
