//! Steps of runs.

use macros::Narrow;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// A step of a run. Times are milliseconds since 1970-01-01 UTC.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow, Serialize, Deserialize,
)]
#[serde(default)]
#[sea_orm(table_name = "flow_step")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: i64,
    /// Its place in the workflow, counted from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub name: String,
    /// See `flows::state::StepState`.
    pub state: String,
    /// How often it was begun.
    pub attempts: i64,
    /// Why its last attempt did not end well.
    pub reason: Option<String>,
    /// The same for people.
    pub message: Option<String>,
    /// Of its last attempt.
    pub exit_code: Option<i64>,
    /// What its last attempt is called where it runs: the number of a job or process.
    pub remote_id: Option<String>,
    /// When it may run again.
    pub not_before: Option<i64>,
    /// When its first attempt began to run.
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    /// Whether the run was not given what it does.
    pub is_left_out: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
