//! What was found out about accounts: what credentials are, and what users are called.
//!
//! To ask the database on each request would cost more than many a request. An answer holds as long as the feed knows of
//! no change of accounts; a feed that has not been able to read the log lately knows nothing, and then nothing holds. A
//! refusal is never kept: a key that was just made must be let in.

use std::hash::Hash;
use std::time::Duration;

use moka::sync::Cache;
use tokio::time::Instant;

use super::viewer::Credential;
use super::{api_key, authenticator::LAST_USED_STEP};
use crate::events::Feed;

/// How many answers of a kind are remembered.
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

/// An answer.
#[derive(Clone)]
struct Found<V> {
    value: V,
    /// The version of the accounts of which this was true.
    version: i64,
    until: Instant,
}

/// Answers that hold while accounts are what they were. Clones share everything.
#[derive(Clone)]
pub(super) struct AccountsCache<K, V> {
    found: Cache<K, Found<V>>,
    feed: Feed,
}

impl<K, V> AccountsCache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub fn new(feed: Feed) -> Self {
        Self {
            found: Cache::new(MOST),
            feed,
        }
    }

    /// The version of the accounts: what is asked of the database afterwards is true of this one or a later one.
    pub fn version(&self) -> i64 {
        self.feed.accounts_changed()
    }

    /// The answer, if it still holds.
    pub fn get(&self, key: &K) -> Option<V> {
        let found = self.found.get(key)?;
        let holds = found.version == self.version()
            && found.until > Instant::now()
            && self.feed.is_current();
        holds.then_some(found.value)
    }

    /// Remembers an answer that was given when the accounts had this version, for `time` or less.
    pub fn put(&self, key: K, value: V, version: i64, time: Option<Duration>) {
        let found = Found {
            value,
            version,
            until: Instant::now() + time.unwrap_or(LONGEST).min(LONGEST),
        };
        self.found.insert(key, found);
    }
}
