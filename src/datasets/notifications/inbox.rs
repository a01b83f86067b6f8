//! The datasets that are to be read anew, in the database: nothing that was accepted is lost with the process.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::Utc;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};
use tokio::sync::Notify;

use crate::database::{Database, is_one_of_texts};
use crate::datasets::readers::{BaseUri, DatasetUri};
use crate::entity::base_uri;
use crate::entity::dataset_notification::{ActiveModel, Column, Entity, Model};
use crate::failure::Failure;
use crate::time::Millis;

/// How many rows one statement inserts or selects.
const BATCH: usize = 100;

/// Where datasets wait to be read anew. A clone is the same inbox.
#[derive(Clone, Debug)]
pub struct Inbox {
    database: Database,
    /// Rung when something has come, in this process.
    bell: Arc<Notify>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// All is noted but what lies in these buckets, which are no registered base URIs.
    All {
        /// Buckets of which datasets were told.
        unknown: BTreeSet<BaseUri>,
    },
    /// Nothing is noted: too many datasets wait.
    Full,
}

impl Inbox {
    /// The inbox of a database.
    pub fn new(database: Database) -> Self {
        let bell = Arc::default();
        Self { database, bell }
    }

    /// Notes that datasets are to be read anew, in one transaction. `most`: how many may wait in all.
    pub async fn note(&self, datasets: &BTreeSet<DatasetUri>, most: u64) -> Result<Noted, Failure> {
        let buckets: BTreeSet<&BaseUri> = datasets.iter().map(DatasetUri::base).collect();
        let texts: Vec<String> = buckets.iter().map(ToString::to_string).collect();
        let transaction = self.database.begin().await?;
        let known: Vec<(String, i64)> = base_uri::Entity::find()
            .select_only()
            .columns([base_uri::Column::Uri, base_uri::Column::Id])
            .filter(is_one_of_texts(
                &self.database,
                base_uri::Column::Uri,
                &texts,
            ))
            .into_tuple()
            .all(&transaction)
            .await?;
        let known: HashMap<String, i64> = known.into_iter().collect();
        let now = Utc::now().millis();
        let row = |uri: &DatasetUri| {
            let base_uri = *known.get(uri.base().as_str())?;
            Some(ActiveModel {
                uri: Set(uri.to_string()),
                base_uri_id: Set(base_uri),
                notifications: Set(1),
                notified_at: Set(now),
                due_at: Set(0),
                attempts: Set(0),
            })
        };
        // In one order, so that no two transactions wait for each other.
        let rows: Vec<ActiveModel> = datasets.iter().filter_map(row).collect();
        if !rows.is_empty() {
            if self.waiting_in(&transaction).await? >= most {
                return Ok(Noted::Full);
            }
            let mut again = OnConflict::column(Column::Uri);
            let once_more = Expr::col((Entity, Column::Notifications)).add(1);
            again
                .value(Column::Notifications, once_more)
                .value(Column::NotifiedAt, now)
                .value(Column::DueAt, 0)
                .value(Column::Attempts, 0);
            for rows in rows.chunks(BATCH) {
                Entity::insert_many(rows.to_vec())
                    .on_conflict(again.clone())
                    .exec_without_returning(&transaction)
                    .await?;
            }
            transaction.commit().await?;
            self.bell.notify_one();
        }
        let is_unknown = |bucket: &&BaseUri| !known.contains_key(bucket.as_str());
        let unknown = buckets.into_iter().filter(is_unknown).cloned().collect();
        Ok(Noted::All { unknown })
    }

    async fn waiting_in(&self, connection: &impl sea_orm::ConnectionTrait) -> Result<u64, DbErr> {
        Entity::find().count(connection).await
    }

    /// Waits until something has come in this process since it was last waited for.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// The next datasets after this URI that are due.
    pub(super) async fn due(&self, after: &str, now: i64) -> Result<Vec<Model>, Failure> {
        let rows = Entity::find()
            .filter(Column::Uri.gt(after))
            .filter(Column::DueAt.lte(now))
            .order_by_asc(Column::Uri)
            .limit(BATCH as u64);
        Ok(rows.all(self.database.read()).await?)
    }

    /// Takes a dataset out, unless it was told of since.
    pub(super) async fn done(&self, row: &Model) -> Result<(), Failure> {
        Entity::delete_many()
            .filter(Column::Uri.eq(&row.uri))
            .filter(Column::Notifications.eq(row.notifications))
            .exec(self.database.write())
            .await?;
        Ok(())
    }

    /// Puts off a dataset that could not be read, unless it was told of since.
    pub(super) async fn put_off(&self, row: &Model, due_at: i64) -> Result<(), Failure> {
        Entity::update_many()
            .col_expr(Column::DueAt, due_at.into())
            .col_expr(Column::Attempts, row.attempts.saturating_add(1).into())
            .filter(Column::Uri.eq(&row.uri))
            .filter(Column::Notifications.eq(row.notifications))
            .exec(self.database.write())
            .await?;
        Ok(())
    }

    /// How many datasets could not be read so far.
    pub(super) async fn failing(&self) -> Result<u64, Failure> {
        let failing = Entity::find().filter(Column::Attempts.gt(0));
        Ok(failing.count(self.database.read()).await?)
    }
}
