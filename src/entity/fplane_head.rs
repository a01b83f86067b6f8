//! The one row that every command on focal planes locks first.

use sea_orm::entity::prelude::*;

/// What is known by now.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "fplane_head")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// When something was told last, in microseconds since 1970-01-01 UTC; it never goes back.
    pub known_at: i64,
    /// The latest instant that anything tells of, in microseconds since 1970-01-01 UTC; none: nothing was told.
    pub reaches: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
