//! Single objects by row id, batched over all fields of an operation that ask for one.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};

use super::context::failed;
use crate::auth::accounts;
use crate::database::Database;
use crate::entity::{action_right, api_key, user};
use crate::experiments::actions::rights;
use crate::experiments::read::{self, logs::RootFolders};
use crate::experiments::readers::SourceError;
use crate::failure::Failure;

/// The loaders of one operation. They are never shared between operations, so nothing is stale or foreign.
/// Each is made when it is first asked for: few operations need any.
pub struct Loaders {
    database: Database,
    roots: OnceLock<DataLoader<RootOfExperiment, HashMapCache>>,
    own_logs: OnceLock<DataLoader<OwnLogs, HashMapCache>>,
    users: OnceLock<DataLoader<Users, HashMapCache>>,
}

impl Loaders {
    /// Fresh loaders over this database.
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            roots: OnceLock::new(),
            own_logs: OnceLock::new(),
            users: OnceLock::new(),
        }
    }

    /// Where the logs of experiments are.
    pub fn roots(&self) -> &DataLoader<RootOfExperiment, HashMapCache> {
        let make = || loader(RootOfExperiment(self.database.clone()));
        self.roots.get_or_init(make)
    }

    /// The names of Autosubmit's own logs of experiments.
    pub fn own_logs(&self) -> &DataLoader<OwnLogs, HashMapCache> {
        self.own_logs.get_or_init(|| loader(OwnLogs))
    }

    /// Users, their keys and their grants.
    pub fn users(&self) -> &DataLoader<Users, HashMapCache> {
        let make = || loader(Users(self.database.clone()));
        self.users.get_or_init(make)
    }
}

fn loader<L>(loader: L) -> DataLoader<L, HashMapCache> {
    DataLoader::with_cache(loader, tokio::spawn, HashMapCache::default())
}

/// A loader's error, shared by all who wait for the batch.
#[derive(Clone, Debug)]
pub struct LoadError(Arc<Failure>);

impl From<LoadError> for async_graphql::Error {
    fn from(error: LoadError) -> Self {
        failed(error.0.as_ref().clone())
    }
}

impl From<Failure> for LoadError {
    fn from(failure: Failure) -> Self {
        Self(Arc::new(failure))
    }
}

/// The folders of sources by the row ids of their experiments.
pub struct RootOfExperiment(Database);

impl Loader<i64> for RootOfExperiment {
    type Value = Arc<read::logs::RootFolders>;
    type Error = LoadError;

    async fn load(&self, experiments: &[i64]) -> Result<HashMap<i64, Self::Value>, LoadError> {
        let roots = read::logs::roots_of(&self.0, experiments).await?;
        let shared = |(experiment, root)| (experiment, Arc::new(root));
        Ok(roots.into_iter().map(shared).collect())
    }
}

/// Where the logs of the experiment with this row id are. The id alone tells it apart.
#[derive(Clone)]
pub struct RootOf(pub i64, pub Arc<RootFolders>);

impl PartialEq for RootOf {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for RootOf {}

impl Hash for RootOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// The names of Autosubmit's own logs, by where they are.
pub struct OwnLogs;

impl Loader<RootOf> for OwnLogs {
    type Value = Result<read::own_logs::Names, Arc<SourceError>>;
    type Error = LoadError;

    async fn load(&self, roots: &[RootOf]) -> Result<HashMap<RootOf, Self::Value>, LoadError> {
        let mut found = HashMap::new();
        for of in roots {
            let names = read::own_logs::names(of.1.as_ref().clone()).await;
            found.insert(of.clone(), names.map_err(Arc::new));
        }
        Ok(found)
    }
}

/// Users and what belongs to them.
pub struct Users(Database);

/// The API keys of the user with this row id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeysOf(pub i64);

/// The grants of the user with this row id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrantsOf(pub i64);

/// The rights to act of the user with this row id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RightsOf(pub i64);

impl Loader<i64> for Users {
    type Value = user::Model;
    type Error = LoadError;

    async fn load(&self, ids: &[i64]) -> Result<HashMap<i64, Self::Value>, LoadError> {
        let rows = accounts::users_by_id(&self.0, ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

impl Loader<KeysOf> for Users {
    type Value = Vec<api_key::Model>;
    type Error = LoadError;

    async fn load(&self, users: &[KeysOf]) -> Result<HashMap<KeysOf, Self::Value>, LoadError> {
        let users: Vec<i64> = users.iter().map(|user| user.0).collect();
        let rows = accounts::api_keys(&self.0, &users).await?;
        Ok(grouped(rows, |row| KeysOf(row.user_id)))
    }
}

impl Loader<GrantsOf> for Users {
    type Value = Vec<accounts::Grant>;
    type Error = LoadError;

    async fn load(&self, users: &[GrantsOf]) -> Result<HashMap<GrantsOf, Self::Value>, LoadError> {
        let users: Vec<i64> = users.iter().map(|user| user.0).collect();
        let rows = accounts::grants(&self.0, &users).await?;
        Ok(grouped(rows, |row| GrantsOf(row.user_id)))
    }
}

impl Loader<RightsOf> for Users {
    type Value = Vec<action_right::Model>;
    type Error = LoadError;

    async fn load(&self, users: &[RightsOf]) -> Result<HashMap<RightsOf, Self::Value>, LoadError> {
        let users: Vec<i64> = users.iter().map(|user| user.0).collect();
        let rows = rights::of_users(&self.0, &users).await?;
        Ok(grouped(rows, |row| RightsOf(row.user_id)))
    }
}

fn grouped<K: Hash + Eq, M>(rows: Vec<M>, key: impl Fn(&M) -> K) -> HashMap<K, Vec<M>> {
    let mut groups: HashMap<K, Vec<M>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}
