//! A drawing of a workflow, by what it was made of.

use sea_orm::entity::prelude::*;

/// A drawing of a workflow, by what it was made of.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "graph_layout")]
pub struct Model {
    /// A hash of all that the drawing depends on.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// Who made it.
    pub engine: String,
    /// See `experiments::graph::Drawing`, in JSON.
    pub drawing: Vec<u8>,
    /// Milliseconds since 1970-01-01 UTC.
    pub made_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
