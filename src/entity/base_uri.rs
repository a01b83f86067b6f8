//! What datasets lie in: a folder or a bucket.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// What datasets lie in: a folder or a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "base_uri")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Without a slash at the end.
    pub uri: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
    /// Milliseconds since 1970-01-01 UTC; when it was last read as a whole.
    pub indexed_at: Option<i64>,
    /// How many datasets are registered there, kept by the writer.
    pub dataset_count: i64,
    /// How it was read last, as JSON; what it says is told by `datasets::sync`.
    pub last_index: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
