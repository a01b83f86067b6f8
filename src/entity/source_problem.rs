//! Something in a source that could not be read.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// Something in a source that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "source_problem")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub source_id: i64,
    /// The expid that the file belongs to; empty for central files.
    pub owner: String,
    /// Relative to the source.
    pub path: String,
    pub message: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub first_seen_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::source::Entity",
        from = "Column::SourceId",
        to = "super::source::Column::Id"
    )]
    Source,
}

impl Related<super::source::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Source.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
