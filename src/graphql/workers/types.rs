//! The types of background work.

use async_graphql::{Enum, ID, SimpleObject};
use chrono::{DateTime, Utc};
use macros::row;

use crate::graphql::id::GlobalId;
use crate::graphql::json::json_enums;
use crate::graphql::number::count;
use crate::time::from_millis;
use crate::workers;

/// What a worker is doing.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "workers::WorkerStatus")]
pub enum WorkerStatus {
    /// Waits for its next run; the last one went well, or there was none.
    Idle,
    /// A run is under way.
    Running,
    /// The last run failed. The next one comes later than usual, the later the more have failed in a row.
    Failing,
    /// Nobody does this work although somebody should: the process that ran it is gone, or none has begun in time.
    Lost,
    /// An administrator said that it shall not run.
    Paused,
}

/// The kinds of background work.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "workers::WorkerKind")]
pub enum WorkerKind {
    /// Follows an Autosubmit root.
    AutosubmitMirror,
    /// Cuts old events off the log of changes.
    EventRetention,
    /// Reads datasets of which storage has told that they have changed.
    DatasetNotifications,
    /// Removes runs of workflows that are kept no longer, and files that nothing names.
    FlowRetention,
    /// Starts the post-processing of workflows whose best runs have changed.
    FlowPostProcessing,
}

json_enums!(WorkerStatus, WorkerKind);

/// How a run of a worker ended.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "workers::RunOutcome")]
pub enum WorkerRunOutcome {
    /// Well.
    Succeeded,
    /// With an error.
    Failed,
    /// It was broken off because its process was told to end. The next process does it again.
    Interrupted,
    /// Its process vanished, or could not reach the database for too long.
    Lost,
}

/// Something that a run could not do, although it went on.
#[derive(Clone, Debug, SimpleObject)]
pub struct WorkerProblem {
    /// With what, such as a file.
    source: String,
    /// What is wrong with it.
    message: String,
}

/// A run of a worker that has ended.
#[derive(Clone, Debug, SimpleObject)]
pub struct WorkerRun {
    /// When it began.
    started_at: Option<DateTime<Utc>>,
    /// When it ended; null: it was lost.
    finished_at: Option<DateTime<Utc>>,
    /// How it ended.
    outcome: WorkerRunOutcome,
    /// How much it changed, such as rows.
    changes: i32,
    /// What it could not do: the first 100, and in an update the first 10.
    problems: Vec<WorkerProblem>,
    /// Why it failed; null: it did not.
    error: Option<String>,
}

impl From<workers::LastRun> for WorkerRun {
    fn from(run: workers::LastRun) -> Self {
        let problem = |problem: workers::WorkerProblem| WorkerProblem {
            source: problem.source,
            message: problem.message,
        };
        Self {
            started_at: from_millis(run.started_at),
            finished_at: run.finished_at.and_then(from_millis),
            outcome: run.outcome.into(),
            changes: count(run.changes),
            problems: run.problems.into_iter().map(problem).collect(),
            error: run.error,
        }
    }
}

/// Background work by name. One process of all that share the database does it at a time.
#[derive(Clone, Debug)]
pub struct Worker(pub workers::Snapshot);

/// Background work by name. One process of all that share the database does it at a time.
#[row]
impl Worker {
    /// The global id.
    pub fn id(&self) -> ID {
        GlobalId::Worker(self.0.name.clone()).encode()
    }

    /// The name, such as `autosubmit-mirror-1`.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Of which kind it is.
    fn kind(&self) -> WorkerKind {
        self.0.kind.into()
    }

    /// What it is doing.
    fn status(&self) -> WorkerStatus {
        self.0.status.into()
    }

    /// How often it runs, for people, such as `every 10s`.
    fn schedule(&self) -> &str {
        &self.0.schedule
    }

    /// The machine whose process does the work, or did it last if that process is gone; null: it was given back.
    fn host(&self) -> Option<&str> {
        self.0.host.as_deref()
    }

    /// When a process last said that it does this work; null: none has yet.
    fn heartbeat_at(&self) -> Option<DateTime<Utc>> {
        self.0.heartbeat_at.and_then(from_millis)
    }

    /// When the next run is due; null while a run is under way or the worker is paused.
    fn next_due_at(&self) -> Option<DateTime<Utc>> {
        self.0.next_due_at.and_then(from_millis)
    }

    /// Since when it is paused; null: it is not. A run that was under way then still comes to its end.
    fn paused_at(&self) -> Option<DateTime<Utc>> {
        self.0.paused_at.and_then(from_millis)
    }

    /// When somebody asked for a run that has not begun yet; null: nobody did.
    fn requested_at(&self) -> Option<DateTime<Utc>> {
        self.0.requested_at.and_then(from_millis)
    }

    /// When the run that is under way began; null: none is.
    fn running_since(&self) -> Option<DateTime<Utc>> {
        self.0.running_since.and_then(from_millis)
    }

    /// How many runs have failed in a row.
    fn failures(&self) -> i32 {
        count(self.0.failures)
    }

    /// The last run that has ended; null: none has yet.
    async fn last_run(&self) -> Option<WorkerRun> {
        self.0.last_run.clone().map(Into::into)
    }
}
