//! Background work by name: its schedule, who holds it, and how its last run ended.

use sea_orm::entity::prelude::*;

/// Background work by name. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "worker")]
pub struct Model {
    /// Row id.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub kind: String,
    /// The status when the row was last written; time alone may have changed it since.
    pub status: String,
    /// For people, such as `every 10s`.
    pub schedule: String,
    /// Milliseconds from the end of a run to the next one.
    pub interval_ms: i64,
    pub next_due_at: i64,
    pub paused_at: Option<i64>,
    /// A username.
    pub paused_by: Option<String>,
    /// Somebody asked for a run that has not begun.
    pub requested_at: Option<i64>,
    /// A username.
    pub requested_by: Option<String>,
    /// The one process that may run the work until the lease ends; none: nobody does.
    pub holder: Option<String>,
    pub host: Option<String>,
    /// How long a lease is, in milliseconds.
    pub lease_ms: i64,
    pub lease_until: Option<i64>,
    /// When a holder last renewed its lease.
    pub heartbeat_at: Option<i64>,
    /// When the run that is under way began; none: none is.
    pub started_at: Option<i64>,
    /// Failed runs in a row.
    pub failures: i64,
    pub last_started_at: Option<i64>,
    /// None: the run was lost.
    pub last_finished_at: Option<i64>,
    pub last_outcome: Option<String>,
    pub last_changes: i64,
    /// A JSON array.
    pub last_problems: String,
    pub last_error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
