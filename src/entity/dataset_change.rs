//! What somebody changed of a dataset that is registered.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// What somebody changed of a dataset that is registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "dataset_change")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub dataset_id: i64,
    /// `tags`, `annotations` or `readme`.
    pub what: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub changed_at: i64,
    /// The user who did it; none: labql itself.
    pub changed_by: Option<i64>,
    /// As it was: JSON, but for the README, which is as it was written.
    #[long]
    pub before: String,
    /// As it became.
    #[long]
    pub after: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
