//! Attempts at steps.

use macros::Narrow;
use sea_orm::entity::prelude::*;

/// An attempt at a step. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow)]
#[sea_orm(table_name = "flow_attempt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: i64,
    /// The place of the step.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// Counts from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// Its name, which no other has; see `engine::Ticket`.
    pub ticket: String,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub remote_id: Option<String>,
    pub exit_code: Option<i64>,
    /// Why it did not end well.
    pub reason: Option<String>,
    /// The same for people.
    pub message: Option<String>,
    /// How long it ran, in milliseconds.
    pub wall_ms: Option<i64>,
    /// How long processors were busy with it, in milliseconds.
    pub user_ms: Option<i64>,
    /// How long they were busy for it in the system, in milliseconds.
    pub system_ms: Option<i64>,
    pub peak_memory_bytes: Option<i64>,
    /// Up to where its standard output is in the log.
    pub output_bytes: i64,
    /// Up to where its standard error is in the log.
    pub errors_bytes: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
