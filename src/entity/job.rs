//! A job of an experiment, from its job list.

use macros::Narrow;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// A job of an experiment, from its job list.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow, Serialize, Deserialize,
)]
#[serde(default)]
#[sea_orm(table_name = "job")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub experiment_id: i64,
    pub name: String,
    /// Autosubmit's status code.
    pub status: i16,
    pub priority: Option<i64>,
    pub section: Option<String>,
    /// Milliseconds since 1970-01-01 UTC; the start date that the job belongs to.
    pub date: Option<i64>,
    pub member: Option<String>,
    pub chunk: Option<i64>,
    pub split: Option<i64>,
    pub splits: Option<i64>,
    pub platform: Option<String>,
    pub queue: Option<String>,
    pub processors: Option<i64>,
    /// HH:MM
    pub wallclock: Option<String>,
    pub remote_id: Option<i64>,
    pub workflow_commit: Option<String>,
    /// Milliseconds since 1970-01-01 UTC.
    pub submitted_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub started_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub finished_at: Option<i64>,
    pub out_log: Option<String>,
    pub err_log: Option<String>,
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
