//! The type `Job`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_graphql::{Context, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::attempt::{AttemptList, JobAttempt};
use super::enums::JobStatus;
use super::experiment::Experiment;
use super::filter::{JobFilter, JobOrder};
use super::log::{LogFile, LogStream};
use super::performance::{OwnQueueList, SpeedList};
use crate::database::Database;
use crate::entity::{experiment, job};
use crate::experiments::performance::times::JobTimes;
use crate::experiments::read::jobs::{self as jobs_read};
use crate::experiments::read::neighbours::{self, Direction, KnownJobs};
use crate::experiments::{chunks, metrics, read, status};
use crate::failure::Failure;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::int;
use crate::graphql::rows::{Rows, columns};
use crate::narrow::Columns;
use crate::paging::{self, Page, PageArguments, Slice};
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
    pub fn new(row: Arc<job::Model>, expid: &Arc<str>, level: &Arc<Level>) -> Self {
        Self {
            row,
            expid: Arc::clone(expid),
            level: Arc::clone(level),
        }
    }

    /// The job of this name in the experiment of this expid.
    pub async fn find(database: &Database, expid: &str, name: &str) -> Result<Option<Self>> {
        let experiment = read::experiments::by_expid(database, expid, Columns::of(&[])).await;
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
        Self::new(Arc::new(row), &Arc::from(expid), &level)
    }

    /// The row ids of its experiment and its own.
    fn ids(&self) -> (i64, i64) {
        (self.row.experiment_id, self.row.id)
    }

    fn status(&self) -> status::JobStatus {
        status::JobStatus::from_code(self.row.status.into()).unwrap_or(status::JobStatus::Unknown)
    }

    async fn chunk_bounds(
        jobs: &[Self],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Self) -> Option<(DateTime<Utc>, DateTime<Utc>)>> {
        use experiment::Column;
        let list = ExperimentOfJob(Columns::of(&[Column::ChunkSize, Column::ChunkUnit]));
        let found = Level::children_of_rows(levels(jobs), ctx.database()?, &list).await?;
        Ok(move |job: &Self| {
            let experiment = &found.of(job.row.experiment_id)?.as_ref()?.row;
            let start = from_millis(job.row.date?)?;
            let unit = experiment.chunk_unit.as_deref()?;
            chunks::bounds(start, job.row.chunk?, unit, experiment.chunk_size?)
        })
    }

    async fn neighbours(
        jobs: &[Self],
        ctx: &Context<'_>,
        direction: Direction,
    ) -> Result<impl Fn(&Self) -> Rows<Self>> {
        let columns = columns::<Self, _>([ctx.field()]);
        let list = NeighbourList { direction, columns };
        let found = Level::children_of_rows(levels(jobs), ctx.database()?, &list).await?;
        let count = |job: &Self| found.of(job.row.id).map_or(0, |(rows, _)| rows.len());
        ctx.charge(jobs.iter().map(count).sum())?;
        Ok(move |job: &Self| match found.of(job.row.id) {
            Some((rows, level)) => {
                let neighbour = |row| Self::new(Arc::clone(row), &job.expid, level);
                rows.iter().map(neighbour).collect()
            }
            None => Rows::default(),
        })
    }
}

fn levels(jobs: &[Job]) -> impl Iterator<Item = &Arc<Level>> {
    jobs.iter().map(|job| &job.level)
}

/// A job of an experiment: one task in its workflow.
#[row(columns = job::Column)]
impl Job {
    /// The global id.
    #[reads(Name)]
    pub fn id(&self) -> ID {
        GlobalId::Job(self.expid.to_string(), self.row.name.clone()).encode()
    }

    /// The name: expid, start date, member, chunk, split and section, as far as the job has them.
    #[reads(Name)]
    fn name(&self) -> &str {
        &self.row.name
    }

    /// The status.
    #[graphql(name = "status")]
    #[reads(Status)]
    fn job_status(&self) -> JobStatus {
        self.status().into()
    }

    /// What kind of task it is, such as `SIM` or `POST`: the section of the configuration that defines it.
    #[reads(Section)]
    fn section(&self) -> Option<&str> {
        self.row.section.as_deref()
    }

    /// The start date that the job belongs to; null when it runs once for all.
    #[reads(Date)]
    fn date(&self) -> Option<DateTime<Utc>> {
        self.row.date.and_then(from_millis)
    }

    /// The ensemble member that the job belongs to.
    #[reads(Member)]
    fn member(&self) -> Option<&str> {
        self.row.member.as_deref()
    }

    /// The chunk of simulated time that the job works on, from 1.
    #[reads(Chunk)]
    fn chunk(&self) -> Option<i32> {
        int(self.row.chunk)
    }

    /// The first moment of simulated time that its chunk covers, as the experiment is configured now; null without a chunk.
    #[reads(Date, Chunk)]
    async fn chunk_start(
        jobs: &[Job],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Job) -> Option<DateTime<Utc>>> {
        let bounds = Self::chunk_bounds(jobs, ctx).await?;
        Ok(move |job: &Job| Some(bounds(job)?.0))
    }

    /// The moment of simulated time at which its chunk ends, and the next begins; null without a chunk.
    #[reads(Date, Chunk)]
    async fn chunk_end(
        jobs: &[Job],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Job) -> Option<DateTime<Utc>>> {
        let bounds = Self::chunk_bounds(jobs, ctx).await?;
        Ok(move |job: &Job| Some(bounds(job)?.1))
    }

    /// Which of the job's splits this is, from 1; null when it is not split.
    #[reads(Split)]
    fn split(&self) -> Option<i32> {
        int(self.row.split)
    }

    /// Into how many splits the work is divided; null when it is not.
    #[reads(Splits)]
    fn splits(&self) -> Option<i32> {
        int(self.row.splits)
    }

    /// The lower, the earlier among jobs that are ready.
    #[reads(Priority)]
    fn priority(&self) -> Option<i32> {
        int(self.row.priority)
    }

    /// The platform that it runs on, from the configuration, else from the newest attempt.
    #[reads(Platform)]
    fn platform(&self) -> Option<&str> {
        self.row.platform.as_deref()
    }

    /// The scheduler's queue, from the configuration, else from the newest attempt.
    #[reads(Queue)]
    fn queue(&self) -> Option<&str> {
        self.row.queue.as_deref()
    }

    /// Processors asked for, from the configuration, else those that the newest attempt used.
    #[reads(Processors)]
    fn processors(&self) -> Option<i32> {
        int(self.row.processors)
    }

    /// The longest time it may run, `HH:MM`.
    #[reads(Wallclock)]
    fn wallclock(&self) -> Option<&str> {
        self.row.wallclock.as_deref()
    }

    /// The scheduler's id of the newest attempt.
    #[reads(RemoteId)]
    fn remote_id(&self) -> Option<i32> {
        int(self.row.remote_id)
    }

    /// The git commit of the workflow at the newest attempt.
    #[reads(WorkflowCommit)]
    fn workflow_commit(&self) -> Option<&str> {
        self.row.workflow_commit.as_deref()
    }

    /// When it was submitted to reach its present status; null when the history knows of no attempt in this status.
    #[reads(SubmittedAt)]
    fn submitted_at(&self) -> Option<DateTime<Utc>> {
        self.row.submitted_at.and_then(from_millis)
    }

    /// When it started; null as with `submittedAt`.
    #[reads(StartedAt)]
    fn started_at(&self) -> Option<DateTime<Utc>> {
        self.row.started_at.and_then(from_millis)
    }

    /// When it ended; null as with `submittedAt`.
    #[reads(FinishedAt)]
    fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.row.finished_at.and_then(from_millis)
    }

    /// Seconds from submission to start.
    #[reads(SubmittedAt, StartedAt)]
    fn queue_seconds(&self) -> Option<i32> {
        int(metrics::queue_seconds(
            self.row.submitted_at,
            self.row.started_at,
        ))
    }

    /// Seconds in the queue of its own: as `queueSeconds`, but inside a wrapper without what it waited for others of it; of a
    /// job that waits in the queue to now.
    #[reads(SubmittedAt, StartedAt, FinishedAt, Status)]
    async fn own_queue_seconds(
        jobs: &[Job],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Job) -> Option<i32>> {
        let found = Level::children_of_rows(levels(jobs), ctx.database()?, &OwnQueueList).await?;
        let now = Utc::now().millis();
        Ok(move |job: &Job| {
            job.row.submitted_at?;
            let wrapped = found.of(job.row.id).copied().flatten();
            int(Some(
                wrapped.unwrap_or_else(|| JobTimes::of(&job.row, now).queue),
            ))
        })
    }

    /// Seconds from start to end; of a running job to now.
    #[reads(StartedAt, FinishedAt, Status)]
    fn run_seconds(&self) -> Option<i32> {
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
    #[reads(below)]
    async fn parents(jobs: &[Job], ctx: &Context<'_>) -> Result<impl Fn(&Job) -> Rows<Job>> {
        Self::neighbours(jobs, ctx, Direction::Parents).await
    }

    /// The jobs that wait for it, by name.
    #[reads(below)]
    async fn children(jobs: &[Job], ctx: &Context<'_>) -> Result<impl Fn(&Job) -> Rows<Job>> {
        Self::neighbours(jobs, ctx, Direction::Children).await
    }

    /// The attempts at it, the newest first, as the history database recorded them.
    #[reads()]
    async fn attempts(
        jobs: &[Job],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Job) -> Rows<JobAttempt>> {
        let ahead = ctx.look_ahead();
        let list = AttemptList {
            speed: ahead.field("sypd").exists() || ahead.field("asypd").exists(),
        };
        let found = Level::children_of_rows(levels(jobs), ctx.database()?, &list).await?;
        Ok(move |job: &Job| {
            let attempts = found.of(job.row.id).cloned();
            attempts.unwrap_or_default().into()
        })
    }

    /// Simulated years per day of a completed job with a chunk: years of the chunk · 86400 / (splits · run).
    #[reads()]
    async fn sypd(jobs: &[Job], ctx: &Context<'_>) -> Result<impl Fn(&Job) -> Option<f64>> {
        let found = Level::children_of_rows(levels(jobs), ctx.database()?, &SpeedList).await?;
        Ok(move |job: &Job| found.of(job.row.id)?.sypd)
    }

    /// Actual simulated years per day of a completed job with a chunk: as `sypd`, with its time in the queue and the mean
    /// time of the completed jobs of the section POST added to the run. Inside a wrapper what it waited for others of it does
    /// not count.
    #[reads()]
    async fn asypd(jobs: &[Job], ctx: &Context<'_>) -> Result<impl Fn(&Job) -> Option<f64>> {
        let found = Level::children_of_rows(levels(jobs), ctx.database()?, &SpeedList).await?;
        Ok(move |job: &Job| found.of(job.row.id)?.asypd)
    }

    /// The name that the job list has for its standard output. There may be no such file any more, or not yet: the newest one
    /// that there is is `outLog`.
    #[reads(OutLog)]
    fn out_log_name(&self) -> Option<&str> {
        self.row.out_log.as_deref()
    }

    /// The name that the job list has for its standard error; see `outLogName`.
    #[reads(ErrLog)]
    fn err_log_name(&self) -> Option<&str> {
        self.row.err_log.as_deref()
    }

    /// The newest standard output whose name has the time of its attempt; null when there is no such file. Autosubmit
    /// fetches the logs of an attempt when it has ended: while one goes on, this is that of the attempt before. All are in
    /// `logs`.
    #[reads()]
    async fn out_log(&self, ctx: &Context<'_>) -> Result<Option<LogFile>> {
        LogFile::newest(ctx, &self.level, self.ids(), LogStream::Out).await
    }

    /// The newest standard error, as with `outLog`.
    #[reads()]
    async fn err_log(&self, ctx: &Context<'_>) -> Result<Option<LogFile>> {
        LogFile::newest(ctx, &self.level, self.ids(), LogStream::Err).await
    }

    /// All its logs that are kept, of all attempts, a thousand at most: those of an attempt that goes on first, then the newest
    /// first. Logs of attempts that the history does not know are among them.
    #[reads()]
    async fn logs(&self, ctx: &Context<'_>) -> Result<Rows<LogFile>> {
        LogFile::all(ctx, &self.level, self.ids()).await
    }

    /// The experiment that it belongs to.
    #[reads()]
    async fn experiment(
        jobs: &[Job],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Job) -> Option<Experiment>> {
        let list = ExperimentOfJob(columns::<Experiment, _>([ctx.field()]));
        let found = Level::children_of_rows(levels(jobs), ctx.database()?, &list).await?;
        Ok(move |job: &Job| found.of(job.row.experiment_id).cloned().flatten())
    }
}

/// A page of the jobs of experiments.
#[derive(Clone, Hash, PartialEq, Eq)]
pub(super) struct JobList {
    filter: jobs_read::JobFilter,
    order: jobs_read::JobOrder,
    page: Page,
    columns: Columns<job::Model>,
}

impl JobList {
    /// Checks what was asked for.
    pub fn new(
        filter: Option<JobFilter>,
        order: Option<JobOrder>,
        page: &PageArguments,
        columns: Columns<job::Model>,
    ) -> Result<Self, Failure> {
        let order: jobs_read::JobOrder = order.map(Into::into).unwrap_or_default();
        Ok(Self {
            filter: filter.unwrap_or_default().try_into()?,
            page: page.resolve(jobs_read::PAGE, &order.ordering())?,
            order,
            columns,
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
        let slice = slice.map(|row| Job::new(row, &expid, &jobs));
        let (order, ordering) = (self.order, self.order.ordering());
        Ok(JobConnection::new(slice, total, move |job| {
            paging::encode_cursor(&ordering, &order.key(&job.row))
        }))
    }
}

impl ChildList for JobList {
    type Children = (Slice<Arc<job::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let slices = jobs_read::of_experiments(
            database,
            level.parents(),
            &self.filter,
            self.order,
            &self.page,
            self.columns,
        );
        let slices = slices.await?;
        let rows = slices.values().flat_map(|slice| &slice.rows);
        let jobs = job_level(rows, level.experiments(), self.columns);
        Ok(slices
            .into_iter()
            .map(|(experiment, slice)| (experiment, (slice, Arc::clone(&jobs))))
            .collect())
    }
}

/// The rows of the jobs of a level, which are often each other's neighbours.
struct JobRows {
    columns: Columns<job::Model>,
    rows: Vec<Arc<job::Model>>,
    by_id: OnceLock<KnownJobs>,
}

impl JobRows {
    /// The rows by their ids, if they have these columns.
    fn with(&self, columns: Columns<job::Model>) -> Option<&KnownJobs> {
        let by_id = |row: &Arc<job::Model>| (row.id, Arc::clone(row));
        self.columns.contain(columns).then(|| {
            self.by_id
                .get_or_init(|| self.rows.iter().map(by_id).collect())
        })
    }
}

/// The level of jobs that were read together, with these columns.
pub(super) fn job_level<'a>(
    rows: impl Iterator<Item = &'a Arc<job::Model>>,
    experiments: &[i64],
    columns: Columns<job::Model>,
) -> Arc<Level> {
    let rows = JobRows {
        columns,
        rows: rows.cloned().collect(),
        by_id: OnceLock::new(),
    };
    let jobs = rows.rows.iter().map(|row| row.id).collect();
    Level::with_rows(jobs, experiments.to_vec(), rows)
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
struct ExperimentOfJob(Columns<experiment::Model>);

impl ChildList for ExperimentOfJob {
    type Children = Option<Experiment>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let rows = read::experiments::by_ids(database, level.experiments(), self.0).await?;
        let next = Experiment::level(&rows);
        let experiment =
            |row: Arc<experiment::Model>| (row.id, Some(Experiment::on_level(row, &next)));
        Ok(rows.into_iter().map(experiment).collect())
    }
}

/// The neighbours of jobs.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct NeighbourList {
    direction: Direction,
    columns: Columns<job::Model>,
}

impl ChildList for NeighbourList {
    type Children = (Vec<Arc<job::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (experiments, columns) = (level.experiments(), self.columns);
        let known = level.rows::<JobRows>().and_then(|rows| rows.with(columns));
        let found = neighbours::of_jobs(
            database,
            experiments,
            level.parents(),
            self.direction,
            known,
            columns,
        );
        let found = found.await?;
        let distinct: HashMap<i64, &Arc<job::Model>> =
            found.values().flatten().map(|row| (row.id, row)).collect();
        let next = job_level(distinct.into_values(), experiments, columns);
        Ok(found
            .into_iter()
            .map(|(job, rows)| (job, (rows, Arc::clone(&next))))
            .collect())
    }
}
