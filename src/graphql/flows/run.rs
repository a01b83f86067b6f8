//! The type `Run`.

use std::sync::Arc;

use async_graphql::{Context, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;

use super::arguments::{self, RunArgument};
use super::enums::{RunExecutor, RunKind, RunLogStream, RunReason, RunState};
use super::file::{self, RunFile};
use super::group::RunGroup;
use super::group_of::GroupOf;
use super::log::{self, RunLogConnection};
use super::mover::RunMover;
use super::processed::{self, ProcessedRun};
use super::run_parts::WorkflowOf;
use super::step::{self, RunStep};
use super::workflow::{self, Workflow};
use crate::entity::flow_run;
use crate::flows::read::runs;
use crate::flows::rights::Asker;
use crate::flows::settings::ExecutorName;
use crate::flows::state;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::datasets::Person;
use crate::graphql::id::GlobalId;
use crate::graphql::level::Level;
use crate::graphql::number::{count, int};
use crate::graphql::rows::{Rows, columns};
use crate::links;
use crate::narrow::Columns;
use crate::paging::PageArguments;
use crate::time::from_millis;

/// A run of a workflow. Those who are in its group see it, and administrators; a run that was made of the best runs of all
/// groups, everybody who is in a group of the workflow.
#[derive(Clone)]
pub struct Run {
    pub(super) row: Arc<flow_run::Model>,
    pub(super) level: Arc<Level>,
}

connection!(
    RunConnection,
    RunEdge,
    Run,
    "A page of runs.",
    "A run in a page."
);

/// The rows of runs that were loaded together.
pub(super) type RunRows = Vec<Arc<flow_run::Model>>;

impl Run {
    /// A run that was asked for alone.
    pub fn single(row: Arc<flow_run::Model>) -> Self {
        let level = Self::level([&row]);
        Self { row, level }
    }

    /// One of several, on the level of all of them.
    pub fn on_level(row: Arc<flow_run::Model>, level: &Arc<Level>) -> Self {
        let level = Arc::clone(level);
        Self { row, level }
    }

    /// The level of runs that were loaded together.
    pub(super) fn level<'a>(
        rows: impl IntoIterator<Item = &'a Arc<flow_run::Model>>,
    ) -> Arc<Level> {
        let rows: RunRows = rows.into_iter().map(Arc::clone).collect();
        let mut ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids.dedup();
        Level::with_rows(ids, Vec::new(), rows)
    }

    /// The row with what events leave out: none, if the run is not kept any more.
    async fn whole(&self, ctx: &Context<'_>) -> Result<Option<Arc<flow_run::Model>>> {
        if !self.row.arguments.is_empty() {
            return Ok(Some(Arc::clone(&self.row)));
        }
        let asker = Asker::of(ctx.viewer()?);
        let columns = Columns::of(&[flow_run::Column::Arguments, flow_run::Column::Inputs]);
        let found = runs::by_id(ctx.database()?, asker, self.row.id, columns).await;
        found.map_err(failed)
    }
}

/// A run of a workflow. Those who are in its group see it, and administrators; a run that was made of the best runs of all
/// groups, everybody who is in a group of the workflow.
#[row(columns = flow_run::Column)]
impl Run {
    /// The global id.
    #[reads(Id)]
    pub fn id(&self) -> ID {
        GlobalId::Run(self.row.id).encode()
    }

    /// Counts the runs, as the steps know it by `LABQL_RUN`.
    #[reads(Id)]
    fn number(&self) -> Option<i32> {
        int(Some(self.row.id))
    }

    /// The version of the workflow that it runs; null, in an update: it is not kept any more.
    #[reads(Id, VersionId)]
    async fn workflow(
        runs: &[Run],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Run) -> Option<Workflow>> {
        let list = WorkflowOf(workflow::columns_here(ctx));
        let levels = runs.iter().map(|run| &run.level);
        let found = Level::children_of_rows(levels, ctx.database()?, &list).await?;
        Ok(move |run: &Run| found.of(run.row.id).cloned().flatten())
    }

    /// The group that it belongs to; null: it was made of the best runs of all groups.
    #[reads(Id, GroupId)]
    async fn group(runs: &[Run], ctx: &Context<'_>) -> Result<impl Fn(&Run) -> Option<RunGroup>> {
        let list = GroupOf {
            asker: Asker::of(ctx.viewer()?),
            columns: columns::<RunGroup, _>([ctx.field()]),
        };
        let levels = runs.iter().map(|run| &run.level);
        let found = Level::children_of_rows(levels, ctx.database()?, &list).await?;
        Ok(move |run: &Run| found.of(run.row.id).cloned().flatten())
    }

    /// What it is for; null: something that this server does not know.
    #[reads(Kind)]
    fn kind(&self) -> Option<RunKind> {
        runs::RunKind::from_name(&self.row.kind).map(Into::into)
    }

    /// Where it stands.
    #[reads(State)]
    fn state(&self) -> RunState {
        // A newer server may know more states: what is none of ours is under way.
        let state = state::RunState::from_name(&self.row.state);
        state.unwrap_or(state::RunState::Running).into()
    }

    /// Why it did not end well, for programs; null: it did, or has not ended.
    #[reads(Reason)]
    fn reason(&self) -> Option<RunReason> {
        let reason = self.row.reason.as_deref()?;
        state::Reason::from_name(reason).map(Into::into)
    }

    /// The same for people.
    #[reads(Message)]
    fn message(&self) -> Option<&str> {
        self.row.message.as_deref()
    }

    /// Where its steps are executed; null: somewhere that this server does not know.
    #[reads(Executor)]
    fn executor(&self) -> Option<RunExecutor> {
        ExecutorName::from_name(&self.row.executor).map(Into::into)
    }

    /// The largest goes first.
    #[reads(Priority)]
    fn priority(&self) -> i32 {
        count(self.row.priority)
    }

    /// How long it may take after it has left the queue, in seconds; null: there is no limit but those of its steps.
    #[reads(TimeoutSeconds)]
    fn timeout_seconds(&self) -> Option<i32> {
        int(self.row.timeout_seconds)
    }

    /// How often its steps may run again, if whoever started it said so; null: as often as the workflow says.
    #[reads(RetryLimit)]
    fn retry_limit(&self) -> Option<i32> {
        int(self.row.retry_limit)
    }

    /// When it was started.
    #[reads(CreatedAt)]
    fn created_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.row.created_at)
    }

    /// When anything of it last changed.
    #[reads(UpdatedAt)]
    fn updated_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.row.updated_at)
    }

    /// When it left the queue; null: it has not, or never did.
    #[reads(StartedAt)]
    fn started_at(&self) -> Option<DateTime<Utc>> {
        self.row.started_at.and_then(from_millis)
    }

    /// When it ended; null: it has not.
    #[reads(EndedAt)]
    fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.row.ended_at.and_then(from_millis)
    }

    /// Who started it; null: labql itself, or somebody who has no account here any more. `starter` is their name.
    #[reads(StarterId)]
    async fn started_by(
        runs: &[Run],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Run) -> Option<Person>> {
        let users = runs.iter().filter_map(|run| run.row.starter_id);
        let found = ctx.services()?.people.named(users).await;
        let found = found.map_err(failed)?;
        Ok(move |run: &Run| Some(Person::of(found.get(&run.row.starter_id?)?)))
    }

    /// The name of who started it, which stays when the account goes.
    #[reads(Starter)]
    fn starter(&self) -> &str {
        &self.row.starter
    }

    /// When somebody canceled it; null: nobody did.
    #[reads(CancelRequestedAt)]
    fn cancel_requested_at(&self) -> Option<DateTime<Utc>> {
        self.row.cancel_requested_at.and_then(from_millis)
    }

    /// Who canceled it: the username.
    #[reads(CancelRequestedBy)]
    fn cancel_requested_by(&self) -> Option<&str> {
        self.row.cancel_requested_by.as_deref()
    }

    /// The machine on which its steps run; null: it has not begun, or Slurm says where.
    #[reads(Host)]
    fn host(&self) -> Option<&str> {
        self.row.host.as_deref()
    }

    /// The process of labql that moves it forward, or did until it fell silent: then `leaseUntil` is past. Null: it waits for its
    /// turn, has ended, or was given back and is about to be taken over.
    #[reads(Holder, LeaseUntil)]
    fn mover(&self) -> Option<RunMover> {
        RunMover::of(&self.row)
    }

    /// Has it a result that counts in the ranking?
    #[reads(IsRanked)]
    fn ranked(&self) -> bool {
        self.row.is_ranked
    }

    /// Why it has none although its workflow has results and it ended well.
    #[reads(ResultProblem)]
    fn result_problem(&self) -> Option<&str> {
        self.row.result_problem.as_deref()
    }

    /// What it was given, in the order of names; uploads by their global ids. In an update, for those who may see the run now.
    #[reads(Id, Arguments)]
    async fn arguments(&self, ctx: &Context<'_>) -> Result<Rows<RunArgument>> {
        match self.whole(ctx).await? {
            Some(row) => arguments::of_run(ctx, &row),
            None => Ok(Rows::default()),
        }
    }

    /// The runs of which it was made, the best first; none: somebody started it.
    #[reads(Id, Arguments, Inputs)]
    async fn processed_runs(&self, ctx: &Context<'_>) -> Result<Rows<ProcessedRun>> {
        match self.whole(ctx).await? {
            Some(row) => processed::of_run(ctx, &row),
            None => Ok(Rows::default()),
        }
    }

    /// Its steps, in the order in which they run.
    #[reads(Id, Executor)]
    async fn steps(runs: &[Run], ctx: &Context<'_>) -> Result<impl Fn(&Run) -> Rows<RunStep>> {
        step::of_runs(runs, ctx).await
    }

    /// The files that it gave.
    #[reads(Id, Folder)]
    async fn files(runs: &[Run], ctx: &Context<'_>) -> Result<impl Fn(&Run) -> Rows<RunFile>> {
        file::of_runs(runs, ctx).await
    }

    /// How much its files have together, in bytes; a Float, since GraphQL's Int ends at 2 GiB.
    #[reads(FilesBytes)]
    fn files_bytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
        let bytes = self.row.files_bytes as f64;
        bytes
    }

    /// The path at which this server sends all its files as a `tar.gz`. It needs the same token as everything else.
    #[reads(Id)]
    fn archive_url(&self) -> String {
        links::run_archive(self.row.id)
    }

    /// What its steps printed, in pieces as they came; `runLog` follows it.
    #[reads(Id)]
    #[allow(clippy::too_many_arguments)]
    async fn log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many pieces, at most 500; 50 when absent.")] first: Option<
            i64,
        >,
        #[graphql(desc = "Only those after this cursor, be it of this list or of `runLog`.")]
        after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only of the step of this name.")] step: Option<String>,
        #[graphql(desc = "Only of this stream.")] stream: Option<RunLogStream>,
    ) -> Result<RunLogConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        log::of_run(ctx, self, &page, step, stream).await
    }
}
