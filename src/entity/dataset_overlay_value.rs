//! What an overlay says of an item.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// What an overlay says of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "dataset_overlay_value")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub overlay_id: i64,
    /// Of the item.
    #[sea_orm(primary_key, auto_increment = false)]
    pub identifier: String,
    /// JSON.
    pub value: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
