//! The type `JobAttempt`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use macros::row;

use super::enums::JobStatus;
use crate::database::Database;
use crate::entity::job_attempt;
use crate::experiments::metrics::{self, YearsPerDay};
use crate::experiments::{read, status};
use crate::failure::Failure;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::int;
use crate::time::{Millis, from_millis};

/// One attempt at a job.
#[derive(Clone)]
pub struct JobAttempt {
    row: job_attempt::Model,
    speed: YearsPerDay,
}

/// The attempts at jobs, the newest first; `speed`: with simulated years per day.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct AttemptList {
    pub speed: bool,
}

impl ChildList for AttemptList {
    type Children = Vec<JobAttempt>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let rows = read::attempts::of_jobs(database, level.parents()).await?;
        let speeds = if self.speed {
            read::attempts::speeds(database, &rows).await?
        } else {
            HashMap::new()
        };
        let mut found: HashMap<i64, Self::Children> = HashMap::new();
        for (job, row) in rows {
            let speed = speeds.get(&row.id).copied().unwrap_or_default();
            found
                .entry(job)
                .or_default()
                .push(JobAttempt { row, speed });
        }
        Ok(found)
    }
}

impl JobAttempt {
    fn status(&self) -> Option<status::JobStatus> {
        status::JobStatus::from_code(self.row.status?.into())
    }
}

/// One attempt at a job.
#[row]
impl JobAttempt {
    /// Counts the attempts at a job; the first is 0 or 1, by the version of Autosubmit.
    fn number(&self) -> Option<i32> {
        int(Some(self.row.number))
    }

    /// How it ended, or how it stands; null when the history holds no known status.
    #[graphql(name = "status")]
    fn attempt_status(&self) -> Option<JobStatus> {
        self.status().map(Into::into)
    }

    /// The number of the run that it belongs to.
    fn run_number(&self) -> Option<i32> {
        int(self.row.run_number)
    }

    /// When it was recorded.
    fn created_at(&self) -> Option<DateTime<Utc>> {
        self.row.created_at.and_then(from_millis)
    }

    /// When it was submitted.
    fn submitted_at(&self) -> Option<DateTime<Utc>> {
        self.row.submitted_at.and_then(from_millis)
    }

    /// When it started.
    fn started_at(&self) -> Option<DateTime<Utc>> {
        self.row.started_at.and_then(from_millis)
    }

    /// When it ended.
    fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.row.finished_at.and_then(from_millis)
    }

    /// Seconds from submission to start.
    fn queue_seconds(&self) -> Option<i32> {
        int(metrics::queue_seconds(
            self.row.submitted_at,
            self.row.started_at,
        ))
    }

    /// Seconds from start to end; of a running attempt to now.
    fn run_seconds(&self) -> Option<i32> {
        let row = &self.row;
        int(metrics::run_seconds(
            row.started_at,
            row.finished_at,
            self.status(),
            Utc::now().millis(),
        ))
    }

    /// Energy that the scheduler accounted for, in joules.
    fn energy_joules(&self) -> Option<f64> {
        self.row.energy_joules
    }

    /// Nodes that it ran on, as the scheduler accounted; 0 where there is no accounting.
    fn node_count(&self) -> Option<i32> {
        int(self.row.node_count)
    }

    /// Processors that it ran on, as the scheduler accounted; 0 where there is no accounting.
    fn processors(&self) -> Option<i32> {
        int(self.row.processors)
    }

    /// The longest time it might have run, `HH:MM`.
    fn wallclock(&self) -> Option<&str> {
        self.row.wallclock.as_deref()
    }

    /// The platform that it ran on.
    fn platform(&self) -> Option<&str> {
        self.row.platform.as_deref()
    }

    /// The scheduler's queue.
    fn queue(&self) -> Option<&str> {
        self.row.queue.as_deref()
    }

    /// The scheduler's id.
    fn remote_id(&self) -> Option<i32> {
        int(self.row.remote_id)
    }

    /// The git commit of the workflow.
    fn workflow_commit(&self) -> Option<&str> {
        self.row.workflow_commit.as_deref()
    }

    /// The name of the file with its standard output.
    fn out_log_name(&self) -> Option<&str> {
        self.row.out_log.as_deref()
    }

    /// The name of the file with its standard error.
    fn err_log_name(&self) -> Option<&str> {
        self.row.err_log.as_deref()
    }

    /// Simulated years per day: years of the chunk · 86400 / run seconds; a split counts with the whole chunk. Null
    /// unless it is a completed attempt at a job with a chunk.
    fn sypd(&self) -> Option<f64> {
        self.speed.sypd
    }

    /// Actual simulated years per day: as `sypd`, with the time in the queue and the mean time of the run's completed
    /// POST jobs counted in.
    fn asypd(&self) -> Option<f64> {
        self.speed.asypd
    }
}
