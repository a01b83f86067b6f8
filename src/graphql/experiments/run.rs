//! The type `ExperimentRun`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::attempt::{JobAttemptConnection, RunJobList};
use super::configuration;
use super::enums::{JobCount, JobStatus, OrderDirection};
use super::filter::JobFilter;
use super::performance::{RunPerformance, RunPerformanceList};
use crate::database::Database;
use crate::entity::{experiment, experiment_run};
use crate::experiments::read::runs as runs_read;
use crate::failure::Failure;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::json_text::JsonText;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::{count, int};
use crate::narrow::Columns;
use crate::paging::{self, Ordering, PAGE, Page, PageArguments, Slice};
use crate::time::from_millis;

/// A run of an experiment, from one `create` or restart to the next, as the history database recorded it.
#[derive(Clone)]
pub struct ExperimentRun {
    row: Arc<experiment_run::Model>,
    expid: Arc<str>,
    level: Arc<Level>,
}

connection!(
    ExperimentRunConnection,
    ExperimentRunEdge,
    ExperimentRun,
    "A page of the runs of an experiment.",
    "A run in a page."
);

impl ExperimentRun {
    /// A run that was asked for alone, of the experiment of this expid.
    pub fn single(row: Arc<experiment_run::Model>, expid: &str) -> Self {
        let level = Level::new(vec![row.id], vec![row.experiment_id]);
        Self::on_level(row, &Arc::from(expid), &level)
    }

    /// A run on the level of all that were loaded with it.
    pub fn on_level(row: Arc<experiment_run::Model>, expid: &Arc<str>, level: &Arc<Level>) -> Self {
        Self {
            row,
            expid: Arc::clone(expid),
            level: Arc::clone(level),
        }
    }
}

/// A run of an experiment, from one `create` or restart to the next, as the history database recorded it.
#[row(columns = experiment_run::Column)]
impl ExperimentRun {
    /// The global id.
    #[reads(Number)]
    pub fn id(&self) -> ID {
        GlobalId::ExperimentRun(self.expid.to_string(), self.row.number).encode()
    }

    /// Counts the runs of an experiment from 1.
    #[reads(Number)]
    fn number(&self) -> Option<i32> {
        int(Some(self.row.number))
    }

    /// When it was opened.
    #[reads(CreatedAt)]
    fn created_at(&self) -> Option<DateTime<Utc>> {
        self.row.created_at.and_then(from_millis)
    }

    /// When its record last changed.
    #[reads(ModifiedAt)]
    fn modified_at(&self) -> Option<DateTime<Utc>> {
        self.row.modified_at.and_then(from_millis)
    }

    /// When it started; null: not yet.
    #[reads(StartedAt)]
    fn started_at(&self) -> Option<DateTime<Utc>> {
        self.row.started_at.and_then(from_millis)
    }

    /// When it ended; null: not yet.
    #[reads(FinishedAt)]
    fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.row.finished_at.and_then(from_millis)
    }

    /// The unit of a chunk in this run: hour, day, month or year.
    #[reads(ChunkUnit)]
    fn chunk_unit(&self) -> Option<&str> {
        self.row.chunk_unit.as_deref()
    }

    /// How many chunk units a chunk simulated in this run.
    #[reads(ChunkSize)]
    fn chunk_size(&self) -> Option<i32> {
        int(self.row.chunk_size)
    }

    /// How many jobs it had, as the history recorded.
    #[reads(Total)]
    fn total_jobs(&self) -> i32 {
        count(self.row.total)
    }

    /// Jobs by status, as the history recorded them when it was last refreshed; of the six statuses that it counts,
    /// those without jobs are left out. What the job list says now is in `Experiment.jobCounts`.
    #[reads(Suspended, Submitted, Queuing, Running, Failed, Completed)]
    fn job_counts(&self) -> Vec<JobCount> {
        let row = &self.row;
        [
            (JobStatus::Suspended, row.suspended),
            (JobStatus::Submitted, row.submitted),
            (JobStatus::Queuing, row.queuing),
            (JobStatus::Running, row.running),
            (JobStatus::Failed, row.failed),
            (JobStatus::Completed, row.completed),
        ]
        .into_iter()
        .filter(|(_, jobs)| *jobs != 0)
        .map(|(status, jobs)| JobCount {
            status,
            count: count(jobs),
        })
        .collect()
    }

    /// The configuration that it recorded, as `ExperimentConfiguration.currentRun` shows that of the newest run; null
    /// when it recorded none.
    #[reads(Id)]
    async fn configuration(
        runs: &[ExperimentRun],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&ExperimentRun) -> Option<JsonText>> {
        let ids: Vec<i64> = runs.iter().map(|run| run.row.id).collect();
        let found = configuration::of_runs(ctx, &ids).await?;
        Ok(move |run: &ExperimentRun| found.get(&run.row.id).cloned())
    }

    /// Its jobs as they were, by name: of each job the newest attempt in this run. A job that was not tried in this run
    /// has none; what the job list says now is in `Experiment.jobs`.
    #[reads()]
    #[allow(clippy::too_many_arguments)]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which jobs, by what the history says of them.")] filter: Option<
            JobFilter,
        >,
        #[graphql(desc = "The first so many, at most 25000; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 25000.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<JobAttemptConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let ahead = ctx.look_ahead();
        let asked = |field| {
            ahead.field("nodes").field(field).exists()
                || ahead.field("edges").field("node").field(field).exists()
        };
        let speed = asked("sypd") || asked("asypd");
        let counted = ctx.wants_total();
        let list = RunJobList::new(filter, &page, speed).map_err(failed)?;
        list.connection(ctx.database()?, &self.level, self.row.id, counted)
            .await
    }

    /// How fast it simulated, and what that cost.
    #[reads()]
    async fn performance(
        runs: &[ExperimentRun],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&ExperimentRun) -> RunPerformance> {
        let levels = runs.iter().map(|run| &run.level);
        let found = Level::children_of_rows(levels, ctx.database()?, &RunPerformanceList).await?;
        Ok(move |run: &ExperimentRun| found.of(run.row.id).copied().unwrap_or_default())
    }
}

/// By what runs can be ordered.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
enum ExperimentRunOrderField {
    /// The number.
    Number,
}

/// An order of runs.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ExperimentRunOrder {
    /// By what.
    field: ExperimentRunOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// A page of the runs of experiments.
#[derive(Clone, Hash, PartialEq, Eq)]
pub(super) struct RunList {
    ordering: Ordering,
    page: Page,
    columns: Columns<experiment_run::Model>,
}

impl RunList {
    /// Checks what was asked for.
    pub fn new(
        order: Option<ExperimentRunOrder>,
        page: &PageArguments,
        columns: Columns<experiment_run::Model>,
    ) -> Result<Self, Failure> {
        let descending = order.is_none_or(|order| match order.field {
            ExperimentRunOrderField::Number => order.direction == OrderDirection::Desc,
        });
        let ordering = runs_read::by_number(descending);
        let page = page.resolve(PAGE, &ordering)?;
        Ok(Self {
            ordering,
            page,
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
    ) -> Result<ExperimentRunConnection> {
        let (slice, runs) = level.children(database, self, experiment.id).await?;
        let total = if count {
            Some(level.children(database, &RunTotal, experiment.id).await?)
        } else {
            None
        };
        let expid = Arc::from(experiment.expid.as_str());
        let slice = slice.map(|row| ExperimentRun::on_level(row, &expid, &runs));
        let ordering = self.ordering.clone();
        Ok(ExperimentRunConnection::new(slice, total, move |run| {
            paging::encode_cursor(&ordering, &runs_read::key(&run.row))
        }))
    }
}

impl ChildList for RunList {
    type Children = (Slice<Arc<experiment_run::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (parents, columns) = (level.parents(), self.columns);
        let slices =
            runs_read::of_experiments(database, parents, &self.ordering, &self.page, columns)
                .await?;
        let runs = run_level(slices.values().flat_map(|slice| &slice.rows), level);
        Ok(slices
            .into_iter()
            .map(|(experiment, slice)| (experiment, (slice, Arc::clone(&runs))))
            .collect())
    }
}

/// The level of runs that were read together, of the experiments of another.
fn run_level<'a>(
    rows: impl Iterator<Item = &'a Arc<experiment_run::Model>>,
    experiments: &Level,
) -> Arc<Level> {
    let runs = rows.map(|row| row.id).collect();
    Level::new(runs, experiments.experiments().to_vec())
}

/// How many runs experiments have had.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct RunTotal;

impl ChildList for RunTotal {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        runs_read::count_of_experiments(database, level.parents()).await
    }
}

/// The newest run of experiments.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
pub(super) struct LastRun(pub Columns<experiment_run::Model>);

impl ChildList for LastRun {
    type Children = Option<(Arc<experiment_run::Model>, Arc<Level>)>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let page = Page::only(1);
        let newest = runs_read::by_number(true);
        let slices =
            runs_read::of_experiments(database, level.parents(), &newest, &page, self.0).await?;
        let runs = run_level(slices.values().flat_map(|slice| &slice.rows), level);
        let newest = |slice: Slice<Arc<experiment_run::Model>>| {
            let row = slice.rows.into_iter().next()?;
            Some((row, Arc::clone(&runs)))
        };
        Ok(slices
            .into_iter()
            .map(|(experiment, slice)| (experiment, newest(slice)))
            .collect())
    }
}
