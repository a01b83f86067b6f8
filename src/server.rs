//! The server: everything put together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::DbErr;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::auth::authenticator::Guard;
use crate::auth::people::People;
use crate::auth::token::TokenKeys;
use crate::background::{Background, works};
use crate::config::Config;
use crate::database::Database;
use crate::datasets::lineage;
use crate::datasets::notifications::{Inbox, Webhook, WebhookError};
use crate::downloads;
use crate::events::Feed;
use crate::experiments::actions::{Actions, ProfileError};
use crate::experiments::read::user_metrics::Installation;
use crate::experiments::reports::Reports;
use crate::failure::Failure;
use crate::flows::Flows;
use crate::fplane_route;
use crate::graphql::context::Services;
use crate::graphql::engine::Engine;
use crate::graphql::schema;
use crate::hooks;
use crate::http::{self, HttpState, NotReady, Readiness};
use crate::telemetry;

/// How long a trial of writing to the database holds good.
const WRITE_PROBE: Duration = Duration::from_secs(5);

/// A database that takes longer to answer does not answer: whoever asks whether the server is ready does not wait for as
/// long as a connection is tried for.
const PING: Duration = Duration::from_secs(3);

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
    /// Settings of actions.
    #[error("configuration: {0}")]
    Actions(#[from] ProfileError),
    /// Settings of the webhook.
    #[error("configuration: {0}")]
    Webhook(#[from] WebhookError),
    /// The address.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The recorder of metrics.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The operating system gives no signals.
    #[error("signals: {0}")]
    Signals(std::io::Error),
    /// The event log cannot be read, or what background work there is cannot be found out.
    #[error("cannot start: {0}")]
    Start(#[from] Failure),
}

/// A server that is ready to run.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
    config: Config,
    database: Database,
    services: Services,
    webhook: Option<Webhook>,
    inbox: Inbox,
    stop: CancellationToken,
}

impl Server {
    /// Opens everything and binds the address. `upgrade`: an older database may be upgraded. `ports`: how many further
    /// ports are tried when the first is taken.
    pub async fn bind(config: Config, upgrade: bool, ports: u16) -> Result<Self, ServeError> {
        config.actions.validate()?;
        let webhook = config.datasets.webhook.settle()?;
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
        lineage::rebuild::adopt(&database, &config.datasets.dependency_keys).await?;
        let feed = Feed::open(database.clone()).await?;
        let services = Services {
            reports: Reports::start(&database, &feed),
            actions: Actions::new(&database, &feed, &config.actions, &config.data_dir),
            storage: Arc::new(config.datasets.clone().into()),
            flows: Flows::new(&database, &feed, &config.flows, &config.data_dir),
            fplanes: Arc::new(config.fplanes.clone()),
            people: People::new(database.clone(), feed.clone()),
            feed,
            database: database.clone(),
            keys,
            protection: config.auth.protection_level,
            installation: Installation::of(&config.autosubmit)?,
        };
        Ok(Self {
            address,
            listener,
            config,
            inbox: Inbox::new(database.clone()),
            database,
            services,
            webhook,
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
        )
        .trusting(schema::trusting(self.services.clone()))
        .following(
            schema::updates(self.services.clone()),
            self.services.feed.clone(),
        );
        let guard = Guard::new(
            self.database.clone(),
            Arc::clone(&self.services.keys),
            self.services.feed.clone(),
        );
        let state = HttpState::builder(engine, guard)
            .settings(self.config.http.clone())
            .sdl(schema::sdl())
            .readiness(Ready::new(&self.services))
            .metrics(metrics.clone())
            .shutdown(self.stop.clone())
            .build()?;
        let (database, feed) = (&self.database, &self.services.feed);
        let works = if self.config.workers.enabled {
            let storage = &self.services.storage;
            let flows = &self.services.flows;
            works(&self.config, database, feed, &self.inbox, storage, flows).await?
        } else {
            Vec::new()
        };
        let background = Background::start(&self.config, database, feed, works, &self.stop);
        if self.config.workers.enabled {
            let Services { actions, flows, .. } = &self.services;
            background.keep(&self.config, actions, flows).await?;
        }

        let links = tokio::spawn(rebuild_links(database.clone(), self.stop.clone()));
        tokio::spawn(telemetry::keep_metrics_up(metrics, self.stop.clone()));
        let mut others = downloads::router(state.clone(), self.services.clone());
        others = others.merge(fplane_route::router(state.clone(), self.services.clone()));
        if let Some(webhook) = self.webhook {
            let storage = Arc::clone(&self.services.storage);
            let hooks = hooks::router(state.clone(), webhook, self.inbox.clone(), storage);
            others = others.merge(hooks);
        }
        let router = http::router(state.clone(), others);
        tracing::info!(address = %self.address, "serving");
        http::serve(self.listener, router, state).await;
        self.stop.cancel();
        background.end().await;
        if let Err(error) = links.await {
            tracing::error!(%error, "making links between datasets anew ended");
        }
        self.database.close().await;
        tracing::info!("ended");
        Ok(())
    }
}

/// Makes the links between datasets by the dependency keys in force, where they were made by others.
async fn rebuild_links(database: Database, stop: CancellationToken) {
    // What was not reached is reached when a server starts again.
    if let Err(error) = lineage::rebuild::rebuild(&database, &stop).await {
        tracing::error!(%error, "links between datasets could not be made anew");
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

/// Cancels the token when the process is told to end (SIGTERM or SIGINT).
pub fn end_on_signal(stop: CancellationToken) -> Result<(), ServeError> {
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

/// The server is ready when its database answers, takes what is written, and its event log is being read.
struct Ready {
    services: Services,
    /// When it was last tried to write, and whether it went well: whoever asks often does not write often.
    written: Mutex<Option<(Instant, bool)>>,
}

impl Ready {
    fn new(services: &Services) -> Self {
        Self {
            services: services.clone(),
            written: Mutex::default(),
        }
    }

    async fn takes_writes(&self) -> bool {
        let mut written = self.written.lock().await;
        if let Some((at, well)) = *written
            && at.elapsed() < WRITE_PROBE
        {
            return well;
        }
        let well = match self.services.database.probe_write().await {
            // Somebody else has been writing all the time.
            Ok(()) | Err(DbErr::ConnectionAcquire(_)) => true,
            Err(error) => {
                tracing::warn!(%error, "the database cannot be written");
                false
            }
        };
        *written = Some((Instant::now(), well));
        well
    }
}

impl Readiness for Ready {
    fn check(&self) -> BoxFuture<'_, Result<(), NotReady>> {
        let not_ready = |check, reason: &str| {
            let reason = reason.to_owned();
            Err(NotReady { check, reason })
        };
        async move {
            match timeout(PING, self.services.database.ping()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the database does not answer");
                    return not_ready("database", "does not answer");
                }
                Err(_) => {
                    tracing::warn!("the database does not answer in time");
                    return not_ready("database", "does not answer");
                }
            }
            if !self.takes_writes().await {
                return not_ready("database", "cannot be written");
            }
            if !self.services.feed.is_current() {
                return not_ready("events", "the event log could not be read lately");
            }
            Ok(())
        }
        .boxed()
    }
}
