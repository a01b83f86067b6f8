//! The type `Job`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};

use super::attempt::{AttemptList, JobAttempt};
use super::enums::JobStatus;
use super::experiment::Experiment;
use super::filter::{JobFilter, JobOrder};
use super::log::LogFile;
use crate::database::Database;
use crate::entity::{experiment, job};
use crate::experiments::read::jobs::{self as jobs_read};
use crate::experiments::read::neighbours::{self, Direction};
use crate::experiments::readers::LogStream;
use crate::experiments::{metrics, read, status};
use crate::failure::Failure;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::int;
use crate::paging::{self, Ordering, Page, PageArguments, Slice};
use crate::time::{Millis, from_millis};

/// A job of an experiment: one task in its workflow.
#[derive(Clone)]
pub struct Job {
    pub(super) row: Arc<job::Model>,
    pub(super) expid: Arc<str>,
    level: Arc<Level>,
}

connection!(
    JobConnection,
    JobEdge,
    Job,
    "A page of jobs.",
    "A job in a page."
);

impl Job {
    /// A job on the level of all that were loaded with it.
    pub fn new(row: job::Model, expid: &Arc<str>, level: &Arc<Level>) -> Self {
        Self {
            row: Arc::new(row),
            expid: Arc::clone(expid),
            level: Arc::clone(level),
        }
    }

    /// The job of this name in the experiment of this expid.
    pub async fn find(database: &Database, expid: &str, name: &str) -> Result<Option<Self>> {
        let experiment = read::experiments::by_expid(database, expid).await;
        match experiment.map_err(failed)? {
            Some(experiment) => Self::of_experiment(database, &experiment, name).await,
            None => Ok(None),
        }
    }

    /// The job of this name in this experiment.
    pub async fn of_experiment(
        database: &Database,
        experiment: &experiment::Model,
        name: &str,
    ) -> Result<Option<Self>> {
        if name.contains('\0') {
            return Ok(None);
        }
        let row = jobs_read::by_name(database, experiment.id, name).await;
        let row = row.map_err(failed)?;
        Ok(row.map(|row| Self::single(row, &experiment.expid)))
    }

    /// A job that was asked for alone.
    pub fn single(row: job::Model, expid: &str) -> Self {
        let level = Level::new(vec![row.id], vec![row.experiment_id]);
        Self::new(row, &Arc::from(expid), &level)
    }

    fn status(&self) -> status::JobStatus {
        status::JobStatus::from_code(self.row.status.into()).unwrap_or(status::JobStatus::Unknown)
    }

    async fn neighbours(&self, ctx: &Context<'_>, direction: Direction) -> Result<Vec<Self>> {
        let list = NeighbourList(direction);
        let (rows, level) = self
            .level
            .children(ctx.database()?, &list, self.row.id)
            .await?;
        ctx.charge(rows.len())?;
        let jobs = rows.iter().map(|row| Self {
            row: Arc::clone(row),
            expid: Arc::clone(&self.expid),
            level: Arc::clone(&level),
        });
        Ok(jobs.collect())
    }
}

/// A job of an experiment: one task in its workflow.
#[Object]
impl Job {
    /// The global id.
    pub async fn id(&self) -> ID {
        GlobalId::Job(self.expid.to_string(), self.row.name.clone()).encode()
    }

    /// The name: expid, start date, member, chunk, split and section, as far as the job has them.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// The status.
    #[graphql(name = "status")]
    async fn job_status(&self) -> JobStatus {
        self.status().into()
    }

    /// What kind of task it is, such as `SIM` or `POST`: the section of the configuration that defines it.
    async fn section(&self) -> Option<&str> {
        self.row.section.as_deref()
    }

    /// The start date that the job belongs to; null when it runs once for all.
    async fn date(&self) -> Option<DateTime<Utc>> {
        self.row.date.and_then(from_millis)
    }

    /// The ensemble member that the job belongs to.
    async fn member(&self) -> Option<&str> {
        self.row.member.as_deref()
    }

    /// The chunk of simulated time that the job works on, from 1.
    async fn chunk(&self) -> Option<i32> {
        int(self.row.chunk)
    }

    /// Which of the job's splits this is, from 1; null when it is not split.
    async fn split(&self) -> Option<i32> {
        int(self.row.split)
    }

    /// Into how many splits the work is divided; null when it is not.
    async fn splits(&self) -> Option<i32> {
        int(self.row.splits)
    }

    /// The lower, the earlier among jobs that are ready.
    async fn priority(&self) -> Option<i32> {
        int(self.row.priority)
    }

    /// The platform that it runs on, from the configuration, else from the newest attempt.
    async fn platform(&self) -> Option<&str> {
        self.row.platform.as_deref()
    }

    /// The scheduler's queue, from the configuration, else from the newest attempt.
    async fn queue(&self) -> Option<&str> {
        self.row.queue.as_deref()
    }

    /// Processors asked for, from the configuration, else those that the newest attempt used.
    async fn processors(&self) -> Option<i32> {
        int(self.row.processors)
    }

    /// The longest time it may run, `HH:MM`.
    async fn wallclock(&self) -> Option<&str> {
        self.row.wallclock.as_deref()
    }

    /// The scheduler's id of the newest attempt.
    async fn remote_id(&self) -> Option<i32> {
        int(self.row.remote_id)
    }

    /// The git commit of the workflow at the newest attempt.
    async fn workflow_commit(&self) -> Option<&str> {
        self.row.workflow_commit.as_deref()
    }

    /// When it was submitted to reach its present status; null when the history knows of no attempt in this status.
    async fn submitted_at(&self) -> Option<DateTime<Utc>> {
        self.row.submitted_at.and_then(from_millis)
    }

    /// When it started; null as with `submittedAt`.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.row.started_at.and_then(from_millis)
    }

    /// When it ended; null as with `submittedAt`.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.row.finished_at.and_then(from_millis)
    }

    /// Seconds from submission to start.
    async fn queue_seconds(&self) -> Option<i32> {
        int(metrics::queue_seconds(
            self.row.submitted_at,
            self.row.started_at,
        ))
    }

    /// Seconds from start to end; of a running job to now.
    async fn run_seconds(&self) -> Option<i32> {
        let row = &self.row;
        let now = Utc::now().millis();
        int(metrics::run_seconds(
            row.started_at,
            row.finished_at,
            Some(self.status()),
            now,
        ))
    }

    /// The jobs that it waits for, by name.
    async fn parents(&self, ctx: &Context<'_>) -> Result<Vec<Job>> {
        self.neighbours(ctx, Direction::Parents).await
    }

    /// The jobs that wait for it, by name.
    async fn children(&self, ctx: &Context<'_>) -> Result<Vec<Job>> {
        self.neighbours(ctx, Direction::Children).await
    }

    /// The attempts at it, the newest first, as the history database recorded them.
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<JobAttempt>> {
        let ahead = ctx.look_ahead();
        let list = AttemptList {
            speed: ahead.field("sypd").exists() || ahead.field("asypd").exists(),
        };
        self.level
            .children(ctx.database()?, &list, self.row.id)
            .await
    }

    /// The standard output of the newest attempt; null when there is no such file.
    async fn out_log(&self, ctx: &Context<'_>) -> Result<Option<LogFile>> {
        LogFile::newest(ctx, &self.row, &self.expid, LogStream::Out).await
    }

    /// The standard error of the newest attempt; null when there is no such file.
    async fn err_log(&self, ctx: &Context<'_>) -> Result<Option<LogFile>> {
        LogFile::newest(ctx, &self.row, &self.expid, LogStream::Err).await
    }

    /// The experiment that it belongs to.
    async fn experiment(&self, ctx: &Context<'_>) -> Result<Option<Experiment>> {
        self.level
            .children(ctx.database()?, &ExperimentOfJob, self.row.experiment_id)
            .await
    }
}

/// A page of the jobs of experiments.
#[derive(Clone, Hash, PartialEq, Eq)]
pub(super) struct JobList {
    filter: jobs_read::JobFilter,
    order: jobs_read::JobOrder,
    ordering: Ordering,
    page: Page,
}

impl JobList {
    /// Checks what was asked for.
    pub fn new(
        filter: Option<JobFilter>,
        order: Option<JobOrder>,
        page: &PageArguments,
    ) -> Result<Self, Failure> {
        let order = order.map(Into::into).unwrap_or_default();
        let ordering = jobs_read::JobOrder::ordering(order);
        Ok(Self {
            filter: filter.unwrap_or_default().try_into()?,
            page: page.resolve(jobs_read::PAGE, &ordering)?,
            order,
            ordering,
        })
    }

    /// The page of one experiment on a level.
    pub async fn connection(
        &self,
        database: &Database,
        level: &Arc<Level>,
        experiment: &experiment::Model,
        count: bool,
    ) -> Result<JobConnection> {
        let (slice, jobs) = level.children(database, self, experiment.id).await?;
        let total = match count {
            false => None,
            true if self.filter.is_empty() => Some(
                jobs_read::kept_counts(&experiment.job_counts)
                    .values()
                    .sum(),
            ),
            true => {
                let list = JobTotal(self.filter.clone());
                Some(level.children(database, &list, experiment.id).await?)
            }
        };
        let expid = Arc::from(experiment.expid.as_str());
        Ok(JobConnection::new(
            slice,
            total,
            |row| paging::encode_cursor(&self.ordering, &self.order.key(row)),
            |row| Job::new(row, &expid, &jobs),
        ))
    }
}

impl ChildList for JobList {
    type Children = (Slice<job::Model>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let slices = jobs_read::of_experiments(
            database,
            level.parents(),
            &self.filter,
            &self.ordering,
            &self.page,
        )
        .await?;
        let jobs = slices
            .values()
            .flat_map(|slice| &slice.rows)
            .map(|row| row.id);
        let jobs = Level::new(jobs.collect(), level.experiments().to_vec());
        Ok(slices
            .into_iter()
            .map(|(experiment, slice)| (experiment, (slice, Arc::clone(&jobs))))
            .collect())
    }
}

/// How many jobs of experiments a filter lets through.
#[derive(Clone, Hash, PartialEq, Eq)]
struct JobTotal(jobs_read::JobFilter);

impl ChildList for JobTotal {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        jobs_read::count_of_experiments(database, level.parents(), &self.0).await
    }
}

/// The experiments of the jobs of a level, by their own row ids.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct ExperimentOfJob;

impl ChildList for ExperimentOfJob {
    type Children = Option<Experiment>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let rows = read::experiments::by_ids(database, level.experiments()).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let next = Level::new(ids.clone(), ids);
        let experiment = |row: experiment::Model| (row.id, Some(Experiment::on_level(row, &next)));
        Ok(rows.into_iter().map(experiment).collect())
    }
}

/// The neighbours of jobs.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct NeighbourList(Direction);

impl ChildList for NeighbourList {
    type Children = (Vec<Arc<job::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let found =
            neighbours::of_jobs(database, level.experiments(), level.parents(), self.0).await?;
        let mut ids: Vec<i64> = found.values().flatten().map(|row| row.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let next = Level::new(ids, level.experiments().to_vec());
        Ok(found
            .into_iter()
            .map(|(job, rows)| {
                let rows = rows.into_iter().map(Arc::new).collect();
                (job, (rows, Arc::clone(&next)))
            })
            .collect())
    }
}
