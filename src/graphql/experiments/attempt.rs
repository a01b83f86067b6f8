//! The type `JobAttempt`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::Context;
use chrono::{DateTime, Utc};
use macros::row;

use super::enums::JobStatus;
use super::filter::JobFilter;
use super::log::{LogFile, LogStream};
use crate::database::Database;
use crate::entity::job_attempt;
use crate::experiments::metrics::{self, YearsPerDay};
use crate::experiments::read::jobs::{JobFilter as DomainFilter, PAGE};
use crate::experiments::{read, status};
use crate::failure::Failure;
use crate::graphql::connection::connection;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::int;
use crate::paging::{self, Page, PageArguments, Slice};
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

connection!(
    JobAttemptConnection,
    JobAttemptEdge,
    JobAttempt,
    "A page of attempts, one for each job.",
    "An attempt in a page."
);

/// A page of the jobs of runs, each as its newest attempt in the run left it.
#[derive(Clone, Hash, PartialEq, Eq)]
pub(super) struct RunJobList {
    filter: DomainFilter,
    page: Page,
    speed: bool,
}

impl RunJobList {
    /// Checks what was asked for.
    pub fn new(
        filter: Option<JobFilter>,
        page: &PageArguments,
        speed: bool,
    ) -> Result<Self, Failure> {
        Ok(Self {
            filter: filter.unwrap_or_default().try_into()?,
            page: page.resolve(PAGE, &read::attempts::by_job_name())?,
            speed,
        })
    }

    /// The page of one run on a level.
    pub async fn connection(
        self,
        database: &Database,
        level: &Level,
        run: i64,
        count: bool,
    ) -> async_graphql::Result<JobAttemptConnection> {
        let slice = level.children(database, &self, run).await?;
        let total = if count {
            Some(
                level
                    .children(database, &RunJobTotal(self.filter), run)
                    .await?,
            )
        } else {
            None
        };
        Ok(JobAttemptConnection::new(slice, total, |attempt| {
            let key = read::attempts::key(&attempt.row);
            paging::encode_cursor(&read::attempts::by_job_name(), &key)
        }))
    }
}

impl ChildList for RunJobList {
    type Children = Slice<JobAttempt>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let found =
            read::attempts::of_runs(database, level.parents(), &self.filter, &self.page).await?;
        let speeds = if self.speed {
            let rows = found.values().flat_map(|slice| &slice.rows);
            let rows: Vec<_> = rows.map(|row| (row.id, row.as_ref().clone())).collect();
            read::attempts::speeds(database, &rows).await?
        } else {
            HashMap::new()
        };
        let attempt = |row: Arc<job_attempt::Model>| JobAttempt {
            speed: speeds.get(&row.id).copied().unwrap_or_default(),
            row: Arc::unwrap_or_clone(row),
        };
        Ok(found
            .into_iter()
            .map(|(run, slice)| (run, slice.map(attempt)))
            .collect())
    }
}

/// How many jobs of runs a filter lets through.
#[derive(Clone, Hash, PartialEq, Eq)]
struct RunJobTotal(DomainFilter);

impl ChildList for RunJobTotal {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        read::attempts::count_of_runs(database, level.parents(), &self.0).await
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

    /// The name of the job.
    fn job_name(&self) -> &str {
        &self.row.job_name
    }

    /// The section that the job had.
    fn section(&self) -> Option<&str> {
        self.row.section.as_deref()
    }

    /// The start date that the job belonged to; null when it ran once for all.
    fn date(&self) -> Option<DateTime<Utc>> {
        self.row.date.and_then(from_millis)
    }

    /// The ensemble member that the job belonged to.
    fn member(&self) -> Option<&str> {
        self.row.member.as_deref()
    }

    /// The chunk of simulated time that the job worked on, from 1.
    fn chunk(&self) -> Option<i32> {
        int(self.row.chunk)
    }

    /// Which of the job's splits it was, from 1; null when it was not split or the history does not tell.
    fn split(&self) -> Option<i32> {
        int(self.row.split)
    }

    /// Into how many splits the work was divided; null as with `split`.
    fn splits(&self) -> Option<i32> {
        int(self.row.splits)
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

    /// The file with its standard output, be it compressed since; null when there is no such file any more.
    async fn out_log(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<LogFile>> {
        let name = self.row.out_log.as_deref();
        LogFile::recorded(ctx, self.row.experiment_id, name, LogStream::Out).await
    }

    /// The file with its standard error, as with `outLog`.
    async fn err_log(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<LogFile>> {
        let name = self.row.err_log.as_deref();
        LogFile::recorded(ctx, self.row.experiment_id, name, LogStream::Err).await
    }

    /// The name of the file with its standard output, as the history has it.
    fn out_log_name(&self) -> Option<&str> {
        self.row.out_log.as_deref()
    }

    /// The name of the file with its standard error, as the history has it.
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
