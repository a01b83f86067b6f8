//! What the tests of connections share: a small schema, and an authenticator whose only key can be revoked.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, EmptyMutation, Object, Request, Schema, Subscription};
use futures_util::{FutureExt, Stream, future::BoxFuture, stream};
use tokio::sync::watch;

use super::{HttpSettings, HttpState, WebSocketSettings};
use crate::auth::{AuthError, Authenticator, Credential, Viewer, viewer::ViewerUser};
use crate::graphql::engine::{Engine, EngineSettings};

/// The only key.
pub(super) const KEY: &str = "key";

/// What becomes of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Good,
    Revoked,
    Unknown,
}

/// Sets what becomes of the key, and counts how often it was asked for.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) key: watch::Sender<Key>,
    pub(super) checks: watch::Sender<usize>,
}

impl Authenticator for Door {
    fn authenticate(
        &self,
        credential: Option<Credential>,
    ) -> BoxFuture<'_, Result<Arc<Viewer>, AuthError>> {
        self.checks.send_modify(|count| *count += 1);
        let known = matches!(&credential, Some(Credential::ApiKey(key)) if key.expose() == KEY);
        let answer = match *self.key.borrow() {
            _ if credential.is_none() => Ok(Viewer::anonymous()),
            Key::Good if known => Ok(Viewer {
                user: Some(ViewerUser {
                    id: None,
                    username: "ann".to_owned(),
                    is_admin: false,
                }),
                expires_at: None,
            }),
            Key::Unknown => Err(AuthError::Unavailable),
            _ => Err(AuthError::Rejected),
        };
        std::future::ready(answer.map(Arc::new)).boxed()
    }
}

struct Query;

#[Object]
impl Query {
    async fn me(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<Arc<Viewer>>().name().to_owned()
    }
}

struct Silence;

#[Subscription]
impl Silence {
    async fn silence(&self) -> impl Stream<Item = i32> {
        stream::pending()
    }

    async fn flood(&self) -> impl Stream<Item = i32> {
        stream::repeat(1)
    }
}

/// A state whose connections check so often.
pub(super) fn state(every: Duration) -> (HttpState, Door) {
    let schema = Schema::new(Query, EmptyMutation, Silence);
    let attach = |viewer: &Arc<Viewer>, request: Request| request.data(Arc::clone(viewer));
    let engine = Engine::new(schema, attach, EngineSettings::default());
    let door = Door {
        key: watch::Sender::new(Key::Good),
        checks: watch::Sender::new(0),
    };
    let settings = HttpSettings {
        sse_keep_alive: every,
        websocket: WebSocketSettings {
            ping_interval: every,
            ..WebSocketSettings::default()
        },
        ..HttpSettings::default()
    };
    let state = HttpState::builder(engine, door.clone()).settings(settings);
    (state.build().unwrap(), door)
}
