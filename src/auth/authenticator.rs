//! The guard's front door: credentials against the database and the keys.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::cache::{AccountsCache, Fingerprint};
use super::token::TokenKeys;
use super::viewer::{AuthError, Authenticator, Credential, Viewer, ViewerUser};
use super::{accounts, api_key};
use crate::database::Database;
use crate::entity::{api_key as key_table, user};
use crate::events::Feed;
use crate::time::{self, Millis};

/// `last_used_at` of a key is kept to this step, so that reading does not become writing.
pub(super) const LAST_USED_STEP: Duration = Duration::from_mins(1);

/// Checks credentials against the users, their keys and the token keys.
#[derive(Clone)]
pub struct Guard {
    database: Database,
    keys: Arc<TokenKeys>,
    cache: AccountsCache<Fingerprint, Arc<Viewer>>,
}

/// Who shows a credential, and how long that may be remembered if nothing happens.
struct Checked {
    viewer: Viewer,
    hold: Option<Duration>,
}

impl Guard {
    /// A guard over these users and keys. The feed tells when they change.
    pub fn new(database: Database, keys: Arc<TokenKeys>, feed: Feed) -> Self {
        Self {
            database,
            keys,
            cache: AccountsCache::new(feed),
        }
    }

    async fn check(&self, credential: Credential) -> Result<Arc<Viewer>, AuthError> {
        let fingerprint = Fingerprint::of(&credential);
        if let Some(viewer) = self.cache.get(&fingerprint)
            && viewer.expires_at.is_none_or(|at| at > Utc::now())
        {
            return Ok(viewer);
        }
        // Before it is asked: what changes meanwhile has to be asked again.
        let version = self.cache.version();
        let Checked { viewer, hold } = match credential {
            Credential::Bearer(token) => self.bearer(token.expose()).await?,
            Credential::ApiKey(key) => self.api_key(key.expose()).await?,
        };
        let viewer = Arc::new(viewer);
        self.cache
            .put(fingerprint, Arc::clone(&viewer), version, hold);
        Ok(viewer)
    }

    async fn bearer(&self, token: &str) -> Result<Checked, AuthError> {
        let verified = self.keys.verify(token).map_err(|reason| {
            tracing::warn!(%reason, "token refused");
            AuthError::Rejected
        })?;
        if verified.username.is_empty() {
            tracing::warn!(reason = "it names nobody", "token refused");
            return Err(AuthError::Rejected);
        }
        let account = if verified.for_account {
            accounts::user_by_name(self.database.read(), &verified.username)
                .await
                .map_err(unavailable)?
        } else {
            None
        };
        let user = match account {
            Some(account) => enabled(account)?,
            // Another issuer vouches for people who need no account here; labql itself issues tokens to users only.
            None if !verified.own => ViewerUser {
                id: None,
                username: verified.username,
                is_admin: false,
            },
            None => {
                tracing::warn!(reason = "its user is gone", "token refused");
                return Err(AuthError::Rejected);
            }
        };
        let viewer = Viewer {
            user: Some(user),
            expires_at: Some(verified.expires_at),
        };
        Ok(Checked { viewer, hold: None })
    }

    async fn api_key(&self, key: &str) -> Result<Checked, AuthError> {
        let found = key_table::Entity::find()
            .filter(key_table::Column::SecretHash.eq(api_key::hash(key)))
            .find_also_related(user::Entity)
            .one(self.database.read())
            .await
            .map_err(unavailable)?;
        let refuse = |reason| {
            tracing::warn!(reason, "API key refused");
            Err(AuthError::Rejected)
        };
        let Some((key, Some(account))) = found else {
            return refuse("it is unknown");
        };
        let now = Utc::now();
        if key.revoked_at.is_some() {
            return refuse("it is revoked");
        }
        let expires_at = key.expires_at.and_then(time::from_millis);
        if expires_at.is_some_and(|at| at <= now) {
            return refuse("it has expired");
        }
        let user = enabled(account)?;
        let hold = Some(self.touch(&key, now));
        let viewer = Viewer {
            user: Some(user),
            expires_at,
        };
        Ok(Checked { viewer, hold })
    }

    /// Notes beside the request that the key was used. Gives the time until this has to be done again.
    fn touch(&self, key: &key_table::Model, now: DateTime<Utc>) -> Duration {
        let now = now.millis();
        let since = key.last_used_at.map(|at| now.saturating_sub(at));
        let since = since.map(|since| Duration::from_millis(u64::try_from(since).unwrap_or(0)));
        if let Some(left) = since.and_then(|since| LAST_USED_STEP.checked_sub(since))
            && !left.is_zero()
        {
            return left;
        }
        let (database, id) = (self.database.clone(), key.id);
        tokio::spawn(async move {
            if let Err(error) = accounts::note_key_use(&database, id, now).await {
                tracing::warn!(%error, "the last use of an API key was not noted");
            }
        });
        LAST_USED_STEP
    }
}

impl Authenticator for Guard {
    fn authenticate(
        &self,
        credential: Option<Credential>,
    ) -> BoxFuture<'_, Result<Arc<Viewer>, AuthError>> {
        async move {
            match credential {
                None => Ok(Arc::default()),
                Some(credential) => self.check(credential).await,
            }
        }
        .boxed()
    }

    fn version(&self) -> i64 {
        self.cache.version()
    }
}

fn enabled(account: user::Model) -> Result<ViewerUser, AuthError> {
    if account.disabled_at.is_some() {
        tracing::warn!(reason = "its user is disabled", "credential refused");
        return Err(AuthError::Rejected);
    }
    Ok(ViewerUser {
        id: Some(account.id),
        username: account.username,
        is_admin: account.is_admin,
    })
}

fn unavailable(error: impl std::fmt::Display) -> AuthError {
    tracing::error!(%error, "a credential could not be checked");
    AuthError::Unavailable
}
