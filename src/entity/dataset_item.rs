//! A file of a dataset, as its manifest lists it.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// A file of a dataset, as its manifest lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "dataset_item")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub dataset_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub identifier: String,
    pub relpath: String,
    pub hash: String,
    pub size_bytes: i64,
    /// Microseconds since 1970-01-01 UTC.
    pub modified_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
