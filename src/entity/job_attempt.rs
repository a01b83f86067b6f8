//! One attempt at a job, from the history database.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// One attempt at a job, from the history database.
#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "job_attempt")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub experiment_id: i64,
    pub job_name: String,
    pub number: i64,
    pub run_number: Option<i64>,
    pub is_last: bool,
    /// 2: a single job; more: the code of the wrapper that it ran in.
    pub row_type: i64,
    /// Autosubmit's status code.
    pub status: Option<i16>,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub submitted_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub started_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub finished_at: Option<i64>,
    pub processors: Option<i64>,
    pub node_count: Option<i64>,
    /// HH:MM
    pub wallclock: Option<String>,
    pub queue: Option<String>,
    pub platform: Option<String>,
    pub energy_joules: Option<f64>,
    pub section: Option<String>,
    /// Milliseconds since 1970-01-01 UTC; the start date that the job belongs to.
    pub date: Option<i64>,
    pub member: Option<String>,
    pub chunk: Option<i64>,
    pub split: Option<i64>,
    pub splits: Option<i64>,
    pub remote_id: Option<i64>,
    pub out_log: Option<String>,
    pub err_log: Option<String>,
    pub workflow_commit: Option<String>,
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
