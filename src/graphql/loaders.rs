//! Single objects by row id, batched over all fields of an operation that ask for one.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};

use super::error::internal;
use crate::auth::accounts;
use crate::database::Database;
use crate::entity::{experiment, user};
use crate::experiments::read;
use crate::failure::Failure;

/// The loaders of one operation. They are never shared between operations, so nothing is stale or foreign.
pub struct Loaders {
    /// Experiments.
    pub experiments: DataLoader<ExperimentById, HashMapCache>,
    /// Users.
    pub users: DataLoader<UserById, HashMapCache>,
}

impl Loaders {
    /// Fresh loaders over this database.
    pub fn new(database: &Database) -> Self {
        Self {
            experiments: DataLoader::with_cache(
                ExperimentById(database.clone()),
                tokio::spawn,
                HashMapCache::default(),
            ),
            users: DataLoader::with_cache(
                UserById(database.clone()),
                tokio::spawn,
                HashMapCache::default(),
            ),
        }
    }
}

/// A loader's error, shared by all who wait for the batch.
#[derive(Clone, Debug)]
pub struct LoadError(Arc<Failure>);

impl From<LoadError> for async_graphql::Error {
    fn from(error: LoadError) -> Self {
        internal(error.0)
    }
}

impl From<Failure> for LoadError {
    fn from(failure: Failure) -> Self {
        Self(Arc::new(failure))
    }
}

/// Experiments by row id.
pub struct ExperimentById(Database);

impl Loader<i64> for ExperimentById {
    type Value = experiment::Model;
    type Error = LoadError;

    async fn load(&self, ids: &[i64]) -> Result<HashMap<i64, Self::Value>, LoadError> {
        let rows = read::experiments::by_ids(&self.0, ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

/// Users by row id.
pub struct UserById(Database);

impl Loader<i64> for UserById {
    type Value = user::Model;
    type Error = LoadError;

    async fn load(&self, ids: &[i64]) -> Result<HashMap<i64, Self::Value>, LoadError> {
        let rows = accounts::users_by_id(&self.0, ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}
