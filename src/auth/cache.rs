//! What credentials were found to be.
//!
//! To ask the database on each request would cost more than many a request. An answer holds as long as the feed knows of
//! no change of accounts; a feed that has not been able to read the log lately knows nothing, and then nothing holds. A
//! refusal is never kept: a key that was just made must be let in.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use moka::sync::Cache;
use tokio::time::Instant;

use super::viewer::{Credential, Viewer};
use super::{api_key, authenticator::LAST_USED_STEP};
use crate::events::Feed;

/// How many credentials are remembered.
const MOST: u64 = 10_000;
/// How long an answer holds at most, whatever the feed says: somebody may have changed the tables by hand.
const LONGEST: Duration = LAST_USED_STEP;

/// What stands for a credential in memory: never the secret itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fingerprint {
    Bearer(api_key::Digest),
    ApiKey(api_key::Digest),
}

impl Fingerprint {
    pub fn of(credential: &Credential) -> Self {
        match credential {
            Credential::Bearer(token) => Self::Bearer(api_key::digest(token.expose())),
            Credential::ApiKey(key) => Self::ApiKey(api_key::digest(key.expose())),
        }
    }
}

/// What a credential was found to be.
#[derive(Clone)]
struct Found {
    viewer: Arc<Viewer>,
    /// The version of the accounts of which this was true.
    version: i64,
    until: Instant,
}

/// What credentials were found to be. Clones share everything.
#[derive(Clone)]
pub(super) struct CredentialCache {
    found: Cache<Fingerprint, Found>,
    feed: Feed,
}

impl CredentialCache {
    pub fn new(feed: Feed) -> Self {
        Self {
            found: Cache::new(MOST),
            feed,
        }
    }

    /// Who showed this credential, if that is still true.
    pub fn get(&self, credential: &Fingerprint) -> Option<Arc<Viewer>> {
        let found = self.found.get(credential)?;
        let holds = found.version == self.feed.accounts_changed()
            && found.until > Instant::now()
            && found.viewer.expires_at.is_none_or(|at| at > Utc::now())
            && self.feed.is_current();
        holds.then_some(found.viewer)
    }

    /// Remembers an answer that was given when the accounts had this version, for `time` or less.
    pub fn put(
        &self,
        credential: Fingerprint,
        viewer: &Arc<Viewer>,
        version: i64,
        time: Option<Duration>,
    ) {
        let found = Found {
            viewer: Arc::clone(viewer),
            version,
            until: Instant::now() + time.unwrap_or(LONGEST).min(LONGEST),
        };
        self.found.insert(credential, found);
    }
}
