//! What is said of each item of a dataset, under a name.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// What is said of each item of a dataset, under a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "dataset_overlay")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub dataset_id: i64,
    pub name: String,
    /// How many rows of `dataset_overlay_value` there are.
    pub value_count: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
