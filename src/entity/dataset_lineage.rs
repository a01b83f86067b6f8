//! By which keys links between datasets are made: one row.

use sea_orm::entity::prelude::*;

/// By which keys links between datasets are made.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dataset_lineage")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// A JSON array of dotted paths.
    pub dependency_keys: String,
    /// Up to this row of `dataset` links have been made anew by these keys; none: all of them have.
    pub rebuilt_to: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
