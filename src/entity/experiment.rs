//! An Autosubmit experiment.

use macros::Narrow;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// An Autosubmit experiment.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow, Serialize, Deserialize,
)]
#[serde(default)]
#[sea_orm(table_name = "experiment")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub source_id: i64,
    pub expid: String,
    /// Its id in the central database of its root.
    pub autosubmit_id: i64,
    pub description: String,
    pub owner: Option<String>,
    pub hpc: Option<String>,
    pub autosubmit_version: Option<String>,
    /// See `experiments::status::ExperimentKind`.
    pub kind: i16,
    /// 1 running, 0 not running.
    pub status: i16,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC; when the job list last changed.
    pub modified_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC; when it was found gone from its root.
    pub archived_at: Option<i64>,
    pub chunk_size: Option<i64>,
    pub chunk_unit: Option<String>,
    pub model: Option<String>,
    pub branch: Option<String>,
    pub workflow_commit: Option<String>,
    /// Jobs by status as a JSON object from status code to count, kept by the writer.
    pub job_counts: String,
    /// Milliseconds since 1970-01-01 UTC; when the central database last said that a run begins.
    pub announced_at: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC; when it falls silent unless a further sign of life comes; none: it does not
    /// run.
    pub active_until: Option<i64>,
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
