//! The type `Experiment`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::configuration::ExperimentConfiguration;
use super::enums::{ExperimentKind, ExperimentStatus, JobCount};
use super::filter::{JobFilter, JobOrder};
use super::folder::{self, JobFolder, JobGrouping};
use super::graph::{Graph, GraphArguments, GraphGrouping, GraphLayout};
use super::job::{Job, JobConnection, JobList};
use super::log::{AutosubmitLog, AutosubmitLogConnection};
use super::performance::{ExperimentPerformance, PerformanceList};
use super::problem::SourceProblem;
use super::run::{ExperimentRun, ExperimentRunConnection, ExperimentRunOrder, LastRun, RunList};
use super::statistics::{ExperimentStatistics, UserMetric};
use super::summary::{Eta, EtaList, JobSummary, SummaryList};
use super::wrapper::{Wrapper, WrapperList};
use crate::database::Database;
use crate::entity::{experiment, source_problem, wrapper};
use crate::experiments::{read, status};
use crate::failure::Failure;
use crate::graphql::actions::{ActionConnection, ActionList, ActionOrder};
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::{count, int};
use crate::graphql::rows::{Rows, columns, columns_of_page};
use crate::paging::{PAGE, PageArguments};
use crate::time::from_millis;

/// An Autosubmit experiment: a workflow of jobs on supercomputers.
#[derive(Clone)]
pub struct Experiment {
    pub(super) row: Arc<experiment::Model>,
    level: Arc<Level>,
}

connection!(
    ExperimentConnection,
    ExperimentEdge,
    Experiment,
    "A page of experiments.",
    "An experiment in a page."
);

impl Experiment {
    /// An experiment that was asked for alone.
    pub fn single(row: Arc<experiment::Model>) -> Self {
        let level = Self::level(std::slice::from_ref(&row));
        Self { row, level }
    }

    /// The level of experiments that were read together. It keeps their rows at hand, for what has to be known of all of
    /// them before anything of one is read.
    pub fn level(rows: &[Arc<experiment::Model>]) -> Arc<Level> {
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        Level::with_rows(ids.clone(), ids, rows.to_vec())
    }

    /// The id of its row.
    pub fn row_id(&self) -> i64 {
        self.row.id
    }

    /// An experiment of a page, on the level of all in it.
    pub fn on_level(row: Arc<experiment::Model>, level: &Arc<Level>) -> Self {
        Self {
            row,
            level: Arc::clone(level),
        }
    }
}

/// An Autosubmit experiment: a workflow of jobs on supercomputers.
#[row(columns = experiment::Column)]
impl Experiment {
    /// The global id.
    #[reads(Expid)]
    pub fn id(&self) -> ID {
        GlobalId::Experiment(self.row.expid.clone()).encode()
    }

    /// The name that Autosubmit gave it: four characters or more, such as `a000`.
    #[reads(Expid)]
    fn expid(&self) -> &str {
        &self.row.expid
    }

    /// The number that Autosubmit's database gave it.
    #[reads(AutosubmitId)]
    fn autosubmit_id(&self) -> Option<i32> {
        int(Some(self.row.autosubmit_id))
    }

    /// What it is about, in its owner's words.
    #[reads(Description)]
    fn description(&self) -> &str {
        &self.row.description
    }

    /// Whose it is; null when Autosubmit did not record it.
    #[reads(Owner)]
    fn owner(&self) -> Option<&str> {
        self.row.owner.as_deref()
    }

    /// The main platform; null when Autosubmit did not record it.
    #[reads(Hpc)]
    fn hpc(&self) -> Option<&str> {
        self.row.hpc.as_deref()
    }

    /// The version of Autosubmit that made or last upgraded it.
    #[reads(AutosubmitVersion)]
    fn autosubmit_version(&self) -> Option<&str> {
        self.row.autosubmit_version.as_deref()
    }

    /// What it is for.
    #[reads(Kind)]
    fn kind(&self) -> ExperimentKind {
        status::ExperimentKind::from_code(self.row.kind).into()
    }

    /// Whether Autosubmit is at work on it, as the signs of life of its run tell.
    #[reads(Status)]
    fn status(&self) -> ExperimentStatus {
        status::ExperimentStatus::from_code(self.row.status).into()
    }

    /// When it was made; null when Autosubmit did not record it.
    #[reads(CreatedAt)]
    fn created_at(&self) -> Option<DateTime<Utc>> {
        self.row.created_at.and_then(from_millis)
    }

    /// When its job list last changed; null when it has none that could be read.
    #[reads(ModifiedAt)]
    fn modified_at(&self) -> Option<DateTime<Utc>> {
        self.row.modified_at.and_then(from_millis)
    }

    /// When it was found gone from its root; null: it is there.
    #[reads(ArchivedAt)]
    fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.row.archived_at.and_then(from_millis)
    }

    /// How many chunk units a chunk simulates.
    #[reads(ChunkSize)]
    fn chunk_size(&self) -> Option<i32> {
        int(self.row.chunk_size)
    }

    /// The unit of a chunk: hour, day, month or year.
    #[reads(ChunkUnit)]
    fn chunk_unit(&self) -> Option<&str> {
        self.row.chunk_unit.as_deref()
    }

    /// Where the model's source comes from.
    #[reads(Model)]
    fn model(&self) -> Option<&str> {
        self.row.model.as_deref()
    }

    /// The branch of the model's source.
    #[reads(Branch)]
    fn branch(&self) -> Option<&str> {
        self.row.branch.as_deref()
    }

    /// The git commit of the workflow.
    #[reads(WorkflowCommit)]
    fn workflow_commit(&self) -> Option<&str> {
        self.row.workflow_commit.as_deref()
    }

    /// Jobs by status, as the job list has them now; statuses without jobs are left out. What the history recorded is
    /// in `lastRun` and `runs`: after a repair by hand or a new `create` the two differ.
    #[reads(JobCounts)]
    fn job_counts(&self) -> Vec<JobCount> {
        read::jobs::kept_counts(&self.row.job_counts)
            .into_iter()
            .map(|(status, jobs)| JobCount {
                status: status.into(),
                count: count(jobs),
            })
            .collect()
    }

    /// Files of this experiment that could not be read whole.
    #[reads()]
    async fn source_problems(
        experiments: &[Experiment],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Experiment) -> Rows<SourceProblem>> {
        let levels = levels(experiments);
        let found = Level::children_of_rows(levels, ctx.database()?, &ProblemList).await?;
        Ok(move |experiment: &Experiment| {
            let problems = found.of(experiment.row.id).into_iter().flatten();
            problems.cloned().map(Into::into).collect()
        })
    }

    /// What people had Autosubmit do on it, and what made it: your own actions, and everybody's for administrators.
    #[reads()]
    #[allow(clippy::too_many_arguments)]
    async fn actions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order; the newest first when absent.")] order_by: Option<
            ActionOrder,
        >,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<ActionConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let list = ActionList::new(ctx, order_by, &page)?;
        list.connection(ctx.database()?, &self.level, self.row.id, ctx.wants_total())
            .await
    }

    /// The jobs.
    #[reads(JobCounts)]
    #[allow(clippy::too_many_arguments)]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which jobs.")] filter: Option<JobFilter>,
        #[graphql(desc = "In which order; by name when absent.")] order_by: Option<JobOrder>,
        #[graphql(desc = "The first so many, at most 25000; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 25000.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<JobConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let counted = ctx.wants_total();
        let columns = columns_of_page::<Job, _>(ctx);
        let list = JobList::new(filter, order_by, &page, columns).map_err(failed)?;
        list.connection(ctx.database()?, &self.level, &self.row, counted)
            .await
    }

    /// One job by its name; null when there is none.
    #[reads()]
    async fn job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name.")] name: String,
    ) -> Result<Option<Job>> {
        Job::of_experiment(ctx.database()?, &self.row, &name).await
    }

    /// The workflow as a graph, drawn. A drawing is made once and kept for as long as jobs, edges and wrappers stay the
    /// same.
    #[reads(JobCounts)]
    async fn graph(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How it is drawn; DOT when absent.")] layout: Option<GraphLayout>,
        #[graphql(desc = "Which groups there are; NONE when absent.")] group_by: Option<
            GraphGrouping,
        >,
        #[graphql(desc = "The first so many jobs, at most 25000; that many when absent.")]
        first: Option<i64>,
        #[graphql(desc = "Only jobs after this cursor.")] after: Option<String>,
    ) -> Result<Graph> {
        let arguments = GraphArguments {
            layout: layout.unwrap_or_default(),
            grouping: group_by.unwrap_or_default(),
            page: PageArguments {
                first,
                after,
                ..PageArguments::default()
            },
        };
        let (id, expid) = (self.row.id, &self.row.expid);
        Graph::load(ctx, &self.level, id, expid, arguments).await
    }

    /// The jobs in folders, the folders inside of them in their `children`. What is not asked for is not counted: a front-end
    /// opens a folder with its key, as `under` or with `jobFolder`.
    #[reads()]
    async fn job_tree(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "What the folders stand for, the outermost first, each once. When absent: what the key of `under` goes \
                    on with, and without a key DATE, MEMBER, SECTION."
        )]
        by: Option<Vec<JobGrouping>>,
        #[graphql(desc = "Only the folders inside the one with this key.")] under: Option<String>,
    ) -> Result<Rows<JobFolder>> {
        folder::tree(ctx, &self.level, &self.row, by, under).await
    }

    /// One folder of the tree of jobs by its key; null when there are no jobs in it now.
    #[reads()]
    async fn job_folder(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] key: String,
    ) -> Result<Option<JobFolder>> {
        folder::of_key(ctx, &self.level, &self.row, &key).await
    }

    /// The runs, as the history database recorded them.
    #[reads()]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In which order; the newest first when absent.")] order_by: Option<
            ExperimentRunOrder,
        >,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<ExperimentRunConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let counted = ctx.wants_total();
        let columns = columns_of_page::<ExperimentRun, _>(ctx);
        let list = RunList::new(order_by, &page, columns).map_err(failed)?;
        list.connection(ctx.database()?, &self.level, &self.row, counted)
            .await
    }

    /// The newest run, as the history database recorded it; null before the first.
    #[reads()]
    async fn last_run(
        experiments: &[Experiment],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Experiment) -> Option<ExperimentRun>> {
        let list = LastRun(columns::<ExperimentRun, _>([ctx.field()]));
        let found = Level::children_of_rows(levels(experiments), ctx.database()?, &list).await?;
        Ok(move |experiment: &Experiment| {
            let (run, level) = found.of(experiment.row.id)?.as_ref()?;
            let expid = Arc::from(experiment.row.expid.as_str());
            Some(ExperimentRun::on_level(Arc::clone(run), &expid, level))
        })
    }

    /// What it is configured to do, in its files and in its newest run. The files are read when they are asked for.
    #[reads(Description)]
    async fn configuration(&self) -> ExperimentConfiguration {
        ExperimentConfiguration::new(&self.row, &self.level)
    }

    /// The wrappers: jobs that are sent to the scheduler as one.
    #[reads()]
    async fn wrappers(
        experiments: &[Experiment],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Experiment) -> Rows<Wrapper>> {
        let levels = levels(experiments);
        let found = Level::children_of_rows(levels, ctx.database()?, &WrapperList).await?;
        Ok(
            move |experiment: &Experiment| match found.of(experiment.row.id) {
                Some((rows, level)) => {
                    let expid = Arc::from(experiment.row.expid.as_str());
                    let wrapper = |row: &wrapper::Model| Wrapper::new(row.clone(), &expid, level);
                    rows.iter().map(wrapper).collect()
                }
                None => Rows::default(),
            },
        )
    }

    /// How fast it simulates, and what that costs.
    #[reads()]
    async fn performance(
        experiments: &[Experiment],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Experiment) -> ExperimentPerformance> {
        let (levels, list) = (levels(experiments), PerformanceList::of(ctx));
        let found = Level::children_of_rows(levels, ctx.database()?, &list).await?;
        let jobs = |experiment: &Experiment| {
            let performance = found.of(experiment.row.id);
            performance.map_or(0, ExperimentPerformance::job_count)
        };
        ctx.charge(experiments.iter().map(jobs).sum())?;
        Ok(move |experiment: &Experiment| {
            let performance = found.of(experiment.row.id).cloned();
            performance.unwrap_or_default()
        })
    }

    /// What its jobs do now, and how long they take on average.
    #[reads()]
    async fn job_summary(
        experiments: &[Experiment],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Experiment) -> JobSummary> {
        let levels = levels(experiments);
        let found = Level::children_of_rows(levels, ctx.database()?, &SummaryList).await?;
        Ok(move |experiment: &Experiment| {
            let summary = found.of(experiment.row.id).cloned();
            summary.unwrap_or_default()
        })
    }

    /// What its jobs used and wasted, as the files beside them tell. Those are read when this is asked for.
    #[reads(Expid)]
    async fn statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only jobs that started or ended in the last so many hours; 0: all.",
            default = 0
        )]
        last_hours: i32,
        #[graphql(desc = "Only jobs of this section.")] section: Option<String>,
    ) -> Result<ExperimentStatistics> {
        ExperimentStatistics::of(ctx, &self.row, last_hours, section.as_deref()).await
    }

    /// How far the chunks of a section are, and how long they still take; null if the section has none.
    #[reads()]
    async fn eta(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The section.", default = "SIM")] section: String,
    ) -> Result<Option<Eta>> {
        if section.is_empty() || section.contains('\0') {
            return Ok(None);
        }
        let list = EtaList(section);
        self.level
            .children(ctx.database()?, &list, self.row.id)
            .await
    }

    /// The log of a run to which Autosubmit wrote last; null when there is none.
    #[reads()]
    async fn log(&self, ctx: &Context<'_>) -> Result<Option<AutosubmitLog>> {
        AutosubmitLog::of_run(ctx, self.row.id).await
    }

    /// What Autosubmit itself logged: of each command that was given a log, and one with its warnings and errors alone. The
    /// newest first, by the times in their names; those of no one command come last.
    #[reads()]
    async fn autosubmit_logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of this command, such as `run`.")] command: Option<String>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<AutosubmitLogConnection> {
        let page = PageArguments {
            first,
            after,
            ..PageArguments::default()
        };
        AutosubmitLog::page(ctx, &self.row, command, &page).await
    }

    /// The newest log of the process that fetches the logs of jobs, one for each platform, by platform.
    #[reads()]
    async fn recovery_logs(&self, ctx: &Context<'_>) -> Result<Rows<AutosubmitLog>> {
        AutosubmitLog::of_recovery(ctx, self.row.id).await
    }

    /// The values that its jobs reported of themselves, in the order in which they came. They are read from its folder when
    /// this is asked for.
    #[reads(Expid)]
    async fn user_metrics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of the run of this number.")] run: Option<i32>,
    ) -> Result<Rows<UserMetric>> {
        UserMetric::of(ctx, &self.row, run).await
    }
}

fn levels(experiments: &[Experiment]) -> impl Iterator<Item = &Arc<Level>> {
    experiments.iter().map(|experiment| &experiment.level)
}

/// The problems of experiments.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct ProblemList;

impl ChildList for ProblemList {
    type Children = Vec<Arc<source_problem::Model>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        read::problems::of_experiments(database, level.parents()).await
    }
}

/// The pages of lists of experiments.
pub(super) const EXPERIMENT_PAGE: crate::paging::PageSize = PAGE;
