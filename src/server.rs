//! The server: everything put together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::authenticator::Guard;
use crate::auth::token::TokenKeys;
use crate::config::Config;
use crate::database::Database;
use crate::events::Feed;
use crate::experiments::sync::Mirror;
use crate::graphql::context::Services;
use crate::graphql::engine::Engine;
use crate::graphql::schema;
use crate::http::{self, HttpState, NotReady, Readiness};
use crate::telemetry;

/// How long background work may take to end after the last request.
const WORKERS_END: Duration = Duration::from_secs(10);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// labql's own database.
    #[error(transparent)]
    Database(#[from] crate::database::DatabaseError),
    /// The keys of tokens.
    #[error(transparent)]
    Keys(#[from] crate::auth::token::KeyError),
    /// Settings of HTTP.
    #[error(transparent)]
    Settings(#[from] http::SettingsError),
    /// The address.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The recorder of metrics.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The operating system gives no signals.
    #[error("signals: {0}")]
    Signals(std::io::Error),
}

/// A server that is ready to run.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
    config: Config,
    database: Database,
    services: Services,
    stop: CancellationToken,
}

impl Server {
    /// Opens everything and binds the address. `upgrade`: an older database may be upgraded. `ports`: how many further
    /// ports are tried when the first is taken.
    pub async fn bind(config: Config, upgrade: bool, ports: u16) -> Result<Self, ServeError> {
        let database = Database::connect(&config.database).await?;
        database.ensure_schema(upgrade).await?;
        let keys = Arc::new(TokenKeys::load(&config.auth, &config.data_dir)?);
        let listener = listen(config.listen, ports).await?;
        let address = listener
            .local_addr()
            .map_err(|error| ServeError::Listen(config.listen, error))?;
        // From here on somebody may tell the process to end.
        let stop = CancellationToken::new();
        end_on_signal(stop.clone())?;
        let services = Services {
            feed: Feed::new(database.clone()),
            database: database.clone(),
            keys,
            protection: config.auth.protection_level,
        };
        Ok(Self {
            address,
            listener,
            config,
            database,
            services,
            stop,
        })
    }

    /// The services, for what is done before serving.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Serves until the process is told to end (SIGTERM or SIGINT), then finishes what is under way.
    pub async fn run(self) -> Result<(), ServeError> {
        let metrics = telemetry::start_metrics()?;
        let engine = Engine::new(
            schema::schema(self.services.clone()),
            schema::request_context(&self.services),
            self.config.graphql.clone(),
        );
        let guard = Guard::new(self.database.clone(), Arc::clone(&self.services.keys));
        let state = HttpState::builder(engine, guard)
            .settings(self.config.http.clone())
            .sdl(schema::sdl())
            .readiness(DatabaseAnswers(self.database.clone()))
            .metrics(metrics)
            .shutdown(self.stop.clone())
            .build()?;
        let workers = TaskTracker::new();
        self.start_workers(&workers);
        workers.close();

        let router = http::router(state.clone(), axum::Router::new());
        tracing::info!(address = %self.address, "serving");
        http::serve(self.listener, router, state).await;
        self.stop.cancel();
        if tokio::time::timeout(WORKERS_END, workers.wait())
            .await
            .is_err()
        {
            tracing::warn!("background work did not end in time");
        }
        self.database.close().await;
        tracing::info!("ended");
        Ok(())
    }

    fn start_workers(&self, workers: &TaskTracker) {
        let (feed, stop) = (self.services.feed.clone(), self.stop.clone());
        workers.spawn(async move { feed.follow(stop).await });
        let autosubmit = &self.config.autosubmit;
        if let (Some(root), 1..) = (&autosubmit.root, autosubmit.interval_seconds) {
            let interval = Duration::from_secs(autosubmit.interval_seconds);
            let (root, allowed) = (root.clone(), autosubmit.allowed_folders.clone());
            let (stop, max_watches) = (self.stop.clone(), autosubmit.max_watches);
            let (database, feed) = (self.database.clone(), self.services.feed.clone());
            workers.spawn(async move {
                while !stop.is_cancelled() {
                    let (database, feed) = (database.clone(), feed.clone());
                    match Mirror::open(database, feed, &root, &allowed).await {
                        Ok(mirror) => {
                            return mirror.watching(max_watches).follow(interval, stop).await;
                        }
                        Err(error) => tracing::error!(%error, "cannot open the Autosubmit root"),
                    }
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(interval) => {}
                    }
                }
            });
        }
    }
}

/// Binds the address, or the next free port above it.
async fn listen(address: SocketAddr, more_ports: u16) -> Result<TcpListener, ServeError> {
    let mut tried = address;
    loop {
        match TcpListener::bind(tried).await {
            Ok(listener) => return Ok(listener),
            Err(error)
                if error.kind() == std::io::ErrorKind::AddrInUse
                    && tried.port() - address.port() < more_ports
                    && tried.port() < u16::MAX =>
            {
                tried.set_port(tried.port() + 1);
            }
            Err(error) => return Err(ServeError::Listen(tried, error)),
        }
    }
}

fn end_on_signal(stop: CancellationToken) -> Result<(), ServeError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to end: finishing what is under way");
        stop.cancel();
    });
    Ok(())
}

/// The server is ready when its database answers.
struct DatabaseAnswers(Database);

impl Readiness for DatabaseAnswers {
    fn check(&self) -> BoxFuture<'_, Result<(), NotReady>> {
        async move {
            self.0.ping().await.map_err(|error| {
                tracing::warn!(%error, "the database does not answer");
                NotReady {
                    check: "database",
                    reason: "does not answer".to_owned(),
                }
            })
        }
        .boxed()
    }
}
