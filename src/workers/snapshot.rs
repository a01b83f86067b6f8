//! A worker as it is shown: to those who ask, and in each event that tells of it.

use serde::{Deserialize, Serialize};

use super::schedule::due_at;
use super::status::{WorkerStatus, status_at};
use super::work::{WorkerKind, WorkerProblem};
use crate::entity::worker::Model;

/// How many problems an event carries.
const PROBLEMS_TOLD: usize = 10;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunOutcome {
    /// Well.
    Succeeded,
    /// With an error.
    Failed,
    /// Broken off because its process was told to end.
    Interrupted,
    /// Its process vanished, or could not reach the database for too long.
    Lost,
}

impl RunOutcome {
    const ALL: [Self; 4] = [Self::Succeeded, Self::Failed, Self::Interrupted, Self::Lost];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Interrupted => "INTERRUPTED",
            Self::Lost => "LOST",
        }
    }

    /// The outcome of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }
}

/// The last run that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub started_at: i64,
    /// When it ended, in milliseconds since 1970-01-01 UTC; none: it was lost.
    pub finished_at: Option<i64>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// How much it changed.
    pub changes: i64,
    /// What it could not do.
    pub problems: Vec<WorkerProblem>,
    /// Why it failed.
    pub error: Option<String>,
}

/// A worker at a moment. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: WorkerKind,
    /// What it does.
    pub status: WorkerStatus,
    /// For people.
    pub schedule: String,
    /// The machine whose process holds it.
    pub host: Option<String>,
    /// When a holder was last heard of.
    pub heartbeat_at: Option<i64>,
    /// When the next run is due; none while one is under way or it is paused.
    pub next_due_at: Option<i64>,
    /// Since when it is paused.
    pub paused_at: Option<i64>,
    /// When somebody asked for a run that has not begun.
    pub requested_at: Option<i64>,
    /// When the run that is under way began.
    pub running_since: Option<i64>,
    /// Failed runs in a row.
    pub failures: i64,
    /// The last run that has ended.
    pub last_run: Option<LastRun>,
}

impl Snapshot {
    /// The worker of this row at a moment; none if a newer labql wrote it, with a kind that is unknown here.
    pub fn of(row: &Model, now: i64) -> Option<Self> {
        let kind = WorkerKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == row.kind)?;
        let waits = row.paused_at.is_none() && row.started_at.is_none();
        Some(Self {
            name: row.name.clone(),
            kind,
            status: status_at(row, now),
            schedule: row.schedule.clone(),
            host: row.host.clone(),
            heartbeat_at: row.heartbeat_at,
            next_due_at: waits.then(|| due_at(row, now)),
            paused_at: row.paused_at,
            requested_at: row.requested_at,
            running_since: row.started_at,
            failures: row.failures,
            last_run: last_run(row),
        })
    }
}

fn last_run(row: &Model) -> Option<LastRun> {
    Some(LastRun {
        started_at: row.last_started_at?,
        finished_at: row.last_finished_at,
        outcome: RunOutcome::parse(row.last_outcome.as_deref()?)?,
        changes: row.last_changes,
        problems: serde_json::from_str(&row.last_problems).unwrap_or_default(),
        error: row.last_error.clone(),
    })
}

/// What an event tells: the worker as the change left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// The worker; of its problems the first ten.
    pub worker: Snapshot,
    /// How much the run changed whose end this is; 0 for anything else.
    pub changes: i64,
}

impl Telling {
    /// The payload of an event. It is kept for long, so it is short.
    pub(super) fn new(mut worker: Snapshot, changes: i64) -> Self {
        if let Some(run) = &mut worker.last_run {
            run.problems.truncate(PROBLEMS_TOLD);
        }
        Self { worker, changes }
    }

    /// The payload of an event, read back; none for one of another form.
    pub fn read(payload: &str) -> Option<Self> {
        serde_json::from_str(payload).ok()
    }
}
