//! The log of changes as a whole: one row.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// The log of changes as a whole: one row, whose id is 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "event_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The identity of this log, in hexadecimal digits: cursors name it.
    pub log: String,
    /// The position of the newest numbered event; 0 before the first.
    pub head: i64,
    /// When that event was recorded, in milliseconds since 1970-01-01 UTC.
    pub head_recorded_at: i64,
    /// The position of the last event that was cut off; 0: none was.
    pub floor: i64,
    /// When that event was recorded, in milliseconds since 1970-01-01 UTC.
    pub floor_recorded_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
