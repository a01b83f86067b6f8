//! The state in which the files of a part of a source were last read.

use sea_orm::entity::prelude::*;

/// The state in which the files of a part of a source were last read.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "source_state")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub source_id: i64,
    /// The expid that the files belong to; empty for the central files.
    pub owner: String,
    /// A hash over names, sizes and times of the files; another one (or an empty one) means: read again.
    pub fingerprint: String,
    /// Files that belong to this owner beyond those that every one has, as a JSON array of paths.
    pub extra_paths: String,
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
