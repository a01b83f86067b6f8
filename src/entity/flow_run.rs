//! Runs of workflows.

use macros::Narrow;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// A run of a workflow. Times are milliseconds since 1970-01-01 UTC.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel, Narrow, Serialize, Deserialize,
)]
#[serde(default)]
#[sea_orm(table_name = "flow_run")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub version_id: i64,
    /// None: it was made of the best runs of all groups.
    pub group_id: Option<i64>,
    /// `RUN` or `POST_PROCESSING`.
    pub kind: String,
    /// See `flows::state::RunState`.
    pub state: String,
    /// Why it did not end well; see `flows::state::Reason`.
    pub reason: Option<String>,
    /// The same for people.
    pub message: Option<String>,
    /// Where it runs, by name.
    pub executor: String,
    /// The largest goes first.
    pub priority: i64,
    /// How long it may take after its start.
    pub timeout_seconds: Option<i64>,
    pub created_at: i64,
    /// When anything of it last changed.
    pub updated_at: i64,
    /// When it left the queue.
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    /// Who started it.
    pub starter_id: Option<i64>,
    /// Their name then; labql's own if nobody did.
    pub starter: String,
    pub cancel_requested_at: Option<i64>,
    /// A username.
    pub cancel_requested_by: Option<String>,
    /// The machine on which its steps run, if they can be reached from there only.
    pub host: Option<String>,
    /// The process that moves it forward until the lease ends.
    pub holder: Option<String>,
    pub lease_until: Option<i64>,
    /// The name of its folder; see `flows::places`.
    pub folder: String,
    /// Whether it has a result that counts.
    pub is_ranked: bool,
    /// Why it has none although it should.
    pub result_problem: Option<String>,
    /// How much its files have together.
    pub files_bytes: i64,
    /// When the folder that it worked in was removed.
    pub cleaned_at: Option<i64>,
    /// How often its steps may run again, if whoever started it said so.
    pub retry_limit: Option<i64>,
    /// What it was given, in JSON: a list of `name` and `value`.
    #[long]
    pub arguments: String,
    /// Of which runs it was made, in JSON: a list of `run` and `group`, best first.
    #[long]
    pub inputs: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
