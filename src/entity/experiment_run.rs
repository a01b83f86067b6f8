//! One run of an experiment, as the history database records it.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// One run of an experiment, as the history database records it.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "experiment_run")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub experiment_id: i64,
    pub number: i64,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub modified_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub started_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub finished_at: Option<i64>,
    pub chunk_unit: Option<String>,
    pub chunk_size: Option<i64>,
    pub completed: i64,
    pub total: i64,
    pub failed: i64,
    pub queuing: i64,
    pub running: i64,
    pub submitted: i64,
    pub suspended: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::experiment::Entity",
        from = "Column::ExperimentId",
        to = "super::experiment::Column::Id"
    )]
    Experiment,
}

impl Related<super::experiment::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Experiment.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
