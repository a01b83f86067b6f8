//! Datasets of which storage has told that something changed.

use sea_orm::entity::prelude::*;

/// A dataset of which storage has told that something changed, and that has not been read since.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dataset_notification")]
pub struct Model {
    /// Where the dataset is, or was.
    #[sea_orm(primary_key, auto_increment = false)]
    pub uri: String,
    /// The base URI that it lies in.
    pub base_uri_id: i64,
    /// How often it was told of.
    pub notifications: i64,
    /// Milliseconds since 1970-01-01 UTC; when it was told of last.
    pub notified_at: i64,
    /// Milliseconds since 1970-01-01 UTC; when it is to be read. 0: at once.
    pub due_at: i64,
    /// How often it could not be read.
    pub attempts: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
