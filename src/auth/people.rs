//! What users are called, which most lists ask for and which hardly ever changes.

use std::collections::HashMap;
use std::sync::Arc;

use super::accounts;
use super::cache::AccountsCache;
use crate::database::Database;
use crate::entity::user;
use crate::events::Feed;
use crate::failure::Failure;

/// What others may know of users: their names. Clones share what they remember.
#[derive(Clone)]
pub struct People {
    database: Database,
    known: AccountsCache<i64, Arc<user::Model>>,
}

impl People {
    /// The users of this database. The feed tells when they change.
    pub fn new(database: Database, feed: Feed) -> Self {
        Self {
            database,
            known: AccountsCache::new(feed),
        }
    }

    /// The names of these users, by their row ids; see [`accounts::people`].
    ///
    /// # Errors
    /// Those of the database, which is asked for those who are not remembered.
    pub async fn named(
        &self,
        ids: impl Iterator<Item = i64>,
    ) -> Result<HashMap<i64, Arc<user::Model>>, Failure> {
        // Before it is asked: what changes meanwhile has to be asked again.
        let version = self.known.version();
        let mut named = HashMap::new();
        let mut unknown = Vec::new();
        for id in ids {
            if named.contains_key(&id) {
                continue;
            }
            match self.known.get(&id) {
                Some(user) => {
                    named.insert(id, user);
                }
                None => unknown.push(id),
            }
        }
        for (id, user) in accounts::people(&self.database, unknown.into_iter()).await? {
            self.known.put(id, Arc::clone(&user), version, None);
            named.insert(id, user);
        }
        Ok(named)
    }
}
