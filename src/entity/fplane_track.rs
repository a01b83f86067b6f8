//! A layer of a slot of the focal plane.

use sea_orm::entity::prelude::*;

/// A layer of a slot of the focal plane, of which something was told.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "fplane_track")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// `MAPPING`, `NOMINAL`, `MEASURED` or `SPECIAL`.
    pub layer: String,
    /// Three digits.
    pub ifuslot: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
