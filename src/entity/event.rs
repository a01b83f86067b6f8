//! A change that somebody may want to hear of.

use sea_orm::entity::prelude::*;

/// A change that somebody may want to hear of.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// Milliseconds since 1970-01-01 UTC.
    pub recorded_at: i64,
    pub topic: String,
    pub subject: String,
    pub kind: String,
    /// JSON.
    pub payload: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
