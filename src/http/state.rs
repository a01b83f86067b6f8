//! What the handlers share.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, request::Parts},
    response::Response,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    credentials,
    health::{AlwaysReady, Readiness},
    negotiate::{Accepted, Json},
    origin::Origins,
    respond,
    settings::{HttpSettings, SettingsError},
};
use crate::{
    auth::{Access, AuthError, Authenticator, Credential, Viewer},
    graphql::engine::Engine,
};

/// What the handlers share. Clones share everything.
#[derive(Clone)]
pub struct HttpState(Arc<Shared>);

/// Behind [`HttpState`]; only this room sees its fields.
pub struct Shared {
    pub(super) engine: Engine,
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) readiness: Box<dyn Readiness>,
    pub(super) settings: HttpSettings,
    pub(super) origins: Origins,
    pub(super) sdl: Option<String>,
    pub(super) metrics: Option<PrometheusHandle>,
    pub(super) sockets: Arc<Semaphore>,
    pub(super) event_streams: Arc<Semaphore>,
    /// Cancelled when the server is to end.
    pub(super) shutdown: CancellationToken,
    /// WebSockets and event streams, which the HTTP server does not wait for by itself.
    pub(super) sessions: TaskTracker,
}

impl HttpState {
    /// Everything but these two has a default.
    pub fn builder(engine: Engine, authenticator: impl Authenticator) -> HttpStateBuilder {
        HttpStateBuilder {
            engine,
            authenticator: Arc::new(authenticator),
            readiness: Box::new(AlwaysReady),
            settings: HttpSettings::default(),
            sdl: None,
            metrics: None,
            shutdown: CancellationToken::new(),
        }
    }

    /// Cancelled when the server is to end.
    pub fn shutdown_token(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// Who sent a request with these headers.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Viewer>, AuthError> {
        let credential =
            credentials::from_headers(headers).map_err(|_malformed| AuthError::Rejected)?;
        self.viewer(credential).await
    }

    pub(super) async fn viewer(
        &self,
        credential: Option<Credential>,
    ) -> Result<Arc<Viewer>, AuthError> {
        self.0.authenticator.authenticate(credential).await
    }

    /// Who shows a credential, on a connection that stays open.
    pub(super) async fn access(&self, credential: Option<Credential>) -> Result<Access, AuthError> {
        Access::open(Arc::clone(&self.0.authenticator), credential).await
    }
}

impl std::ops::Deref for HttpState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Builds a [`HttpState`].
pub struct HttpStateBuilder {
    engine: Engine,
    authenticator: Arc<dyn Authenticator>,
    readiness: Box<dyn Readiness>,
    settings: HttpSettings,
    sdl: Option<String>,
    metrics: Option<PrometheusHandle>,
    shutdown: CancellationToken,
}

impl HttpStateBuilder {
    /// Limits, timeouts, origins.
    #[must_use]
    pub fn settings(mut self, settings: HttpSettings) -> Self {
        self.settings = settings;
        self
    }

    /// The schema as `GET /schema.graphql` shows it; without it the path is not found.
    #[must_use]
    pub fn sdl(mut self, sdl: impl Into<String>) -> Self {
        self.sdl = Some(sdl.into());
        self
    }

    /// What `GET /ready` asks.
    #[must_use]
    pub fn readiness(mut self, readiness: impl Readiness) -> Self {
        self.readiness = Box::new(readiness);
        self
    }

    /// What `GET /metrics` shows; without it the path is not found.
    #[must_use]
    pub fn metrics(mut self, metrics: PrometheusHandle) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Ends the server when it is cancelled.
    #[must_use]
    pub fn shutdown(mut self, token: CancellationToken) -> Self {
        self.shutdown = token;
        self
    }

    /// Refuses origins that no browser would send.
    pub fn build(self) -> Result<HttpState, SettingsError> {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Ok(HttpState(Arc::new(Shared {
            origins: Origins::parse(&self.settings.cors_origins)?,
            sockets: permits(self.settings.websocket.max_sockets),
            event_streams: permits(self.settings.max_event_streams),
            engine: self.engine,
            authenticator: self.authenticator,
            readiness: self.readiness,
            settings: self.settings,
            sdl: self.sdl,
            metrics: self.metrics,
            shutdown: self.shutdown,
            sessions: TaskTracker::new(),
        })))
    }
}

/// The viewer of a request, for handlers of other rooms: answers 401 or 503 in their place.
pub struct Authenticated(pub Arc<Viewer>);

impl<S> FromRequestParts<S> for Authenticated
where
    HttpState: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let json = Accepted::of(&parts.headers).json.unwrap_or(Json::Legacy);
        HttpState::from_ref(state)
            .authenticate(&parts.headers)
            .await
            .map(Self)
            .map_err(|error| respond::not_authenticated(error, json))
    }
}
