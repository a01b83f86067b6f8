//! The type `Workflow`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Result};
use chrono::{DateTime, Utc};
use macros::row;
use tokio::sync::OnceCell;

use super::group::RunGroupConnection;
use super::group_list::GroupList;
use super::order::RunOrder;
use super::parameter::{Parameter, ParameterGroup};
use super::ranking::{self, RankedRunConnection, RankingOrder};
use super::run::{Run, RunConnection};
use super::run_filter::RunFilter;
use super::run_list::{LastRun, RunList};
use super::settings::WorkflowSettings;
use super::template::{ResultColumn, WorkflowFile, WorkflowOutput, WorkflowStep};
use crate::database::Database;
use crate::entity::{workflow, workflow_version};
use crate::failure::Failure;
use crate::flows::read::runs::{Parent, RunKind};
use crate::flows::read::{versions, workflows};
use crate::flows::sources::SourceKind;
use crate::flows::template::Template;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::datasets::Person;
use crate::graphql::id::GlobalId;
use crate::graphql::json::json_enums;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::number::count;
use crate::graphql::rows::{Rows, columns, columns_of_page};
use crate::narrow::Columns;
use crate::paging::{self, PAGE, Page, PageArguments, Slice};
use crate::time::from_millis;

/// From where a template was taken.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Hash)]
#[graphql(remote = "SourceKind")]
pub enum WorkflowSourceKind {
    /// A folder of the server.
    Folder,
    /// An archive that was uploaded.
    Archive,
    /// A commit of a git repository.
    Git,
}

json_enums!(WorkflowSourceKind);

/// A version of a workflow: steps that run one after the other, with parameters. It never changes. What is said of limits,
/// runs, groups and rankings is that of the workflow in all its versions.
#[derive(Clone)]
pub struct Workflow {
    pub(super) row: Arc<workflow::Model>,
    pub(super) version: Arc<workflow_version::Model>,
    template: Arc<OnceCell<Arc<Template>>>,
    /// By the row ids of the workflows, whatever their versions.
    level: Arc<Level>,
}

connection!(
    WorkflowConnection,
    WorkflowEdge,
    Workflow,
    "A page of workflows.",
    "A workflow in a page."
);

impl Workflow {
    /// A version that was asked for alone.
    pub fn single(row: Arc<workflow::Model>, version: Arc<workflow_version::Model>) -> Self {
        let level = Level::new(vec![row.id], Vec::new());
        Self::on_level(row, version, &level)
    }

    /// One of several, on the level of all their workflows.
    pub fn on_level(
        row: Arc<workflow::Model>,
        version: Arc<workflow_version::Model>,
        level: &Arc<Level>,
    ) -> Self {
        Self {
            row,
            version,
            template: Arc::default(),
            level: Arc::clone(level),
        }
    }

    /// The newest versions of workflows, in the order of these.
    pub(super) async fn newest(
        database: &Database,
        rows: Vec<Arc<workflow::Model>>,
        columns: Columns<workflow_version::Model>,
    ) -> Result<Vec<Self>, Failure> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let level = Level::of_rows(rows.iter().map(|row| row.id));
        let mut newest = versions::latest(database, level.parents(), columns).await?;
        let with_version = |row: Arc<workflow::Model>| {
            let version = newest.remove(&row.id)?;
            Some(Self::on_level(row, version, &level))
        };
        Ok(rows.into_iter().filter_map(with_version).collect())
    }

    /// The versions with these row ids, by row id.
    pub(super) async fn by_versions(
        database: &Database,
        ids: &[i64],
        columns: Columns<workflow_version::Model>,
    ) -> Result<HashMap<i64, Self>, Failure> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = versions::by_ids(database, ids, columns).await?;
        let level = Level::of_rows(found.values().map(|version| version.workflow_id));
        let rows = workflows::by_ids(database, level.parents(), Columns::all()).await?;
        let with_row = |(id, version): (i64, Arc<workflow_version::Model>)| {
            let row = rows.get(&version.workflow_id)?;
            Some((id, Self::on_level(Arc::clone(row), version, &level)))
        };
        Ok(found.into_iter().filter_map(with_row).collect())
    }

    /// The template, which is read once for all fields that show something of it.
    pub(super) async fn template(&self) -> Result<&Template> {
        let read = async || {
            let version = Arc::clone(&self.version);
            // A megabyte of JSON would hold up others for some milliseconds.
            let read = tokio::task::spawn_blocking(move || versions::template(&version));
            let template = read.await.map_err(Failure::from).and_then(|read| read);
            template.map(Arc::new).map_err(failed)
        };
        let template = self.template.get_or_try_init(read).await?;
        Ok(template)
    }
}

/// A version of a workflow: steps that run one after the other, with parameters. It never changes. What is said of limits,
/// runs, groups and rankings is that of the workflow in all its versions.
#[row(columns = workflow_version::Column)]
impl Workflow {
    /// The global id: of this version.
    #[reads(Number)]
    pub fn id(&self) -> ID {
        GlobalId::Workflow(self.row.name.clone(), self.version.number).encode()
    }

    /// Its name. A template of this name becomes the next version.
    #[reads()]
    fn name(&self) -> &str {
        &self.row.name
    }

    /// Counts the versions of the workflow from 1.
    #[reads(Number)]
    fn version(&self) -> i32 {
        count(self.version.number)
    }

    /// The number of the newest version.
    #[reads()]
    fn latest_version(&self) -> i32 {
        count(self.row.latest)
    }

    /// The SHA-256 of all that it consists of, in hexadecimal digits.
    #[reads(Digest)]
    fn digest(&self) -> &str {
        &self.version.digest
    }

    /// When this version was registered.
    #[reads(CreatedAt)]
    fn created_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.version.created_at)
    }

    /// Who registered it; null: somebody at the command line, or who has no account here any more. `creator` is their name.
    #[reads(CreatedBy)]
    async fn created_by(
        workflows: &[Workflow],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Workflow) -> Option<Person>> {
        let users = workflows.iter().filter_map(|it| it.version.created_by);
        let found = ctx.services()?.people.named(users).await;
        let found = found.map_err(failed)?;
        Ok(move |workflow: &Workflow| {
            let user = found.get(&workflow.version.created_by?)?;
            Some(Person::of(user))
        })
    }

    /// The name of who registered it, which stays when the account goes.
    #[reads(Creator)]
    fn creator(&self) -> &str {
        &self.version.creator
    }

    /// From where its template was taken; null: something that this server does not know.
    #[reads(SourceKind)]
    fn source_kind(&self) -> Option<WorkflowSourceKind> {
        SourceKind::from_name(&self.version.source_kind).map(Into::into)
    }

    /// The folder, the name of the archive, or the URL without passwords; null: you are no administrator.
    #[reads(Source)]
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn source(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        let may_know = ctx.administrator().is_ok();
        Ok(self.version.source.as_deref().filter(|_| may_know))
    }

    /// The id of the commit; null: it is not from git.
    #[reads(Revision)]
    fn revision(&self) -> Option<&str> {
        self.version.revision.as_deref()
    }

    /// What it is for, in a few words.
    #[reads(Template)]
    async fn description(&self) -> Result<Option<&str>> {
        Ok(self.template().await?.description.as_deref())
    }

    /// How it is used: Markdown.
    #[reads(Template)]
    async fn instructions(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        let text = self.template().await?.instructions.as_deref();
        ctx.charge_bytes(text.map_or(0, str::len))?;
        Ok(text)
    }

    /// What may be given to a run, in the order of the template.
    #[reads(Template)]
    async fn parameters(&self, ctx: &Context<'_>) -> Result<Rows<Parameter>> {
        let parameters = &self.template().await?.parameters;
        ctx.charge(parameters.iter().map(Parameter::parts).sum())?;
        Ok(parameters.iter().cloned().map(Parameter).collect())
    }

    /// Groups of parameters in forms.
    #[reads(Template)]
    async fn parameter_groups(&self, ctx: &Context<'_>) -> Result<Rows<ParameterGroup>> {
        let groups = &self.template().await?.parameter_groups;
        ctx.charge(groups.len())?;
        Ok(groups.iter().cloned().map(ParameterGroup).collect())
    }

    /// Its steps, in the order in which they run.
    #[reads(Template)]
    async fn steps(&self, ctx: &Context<'_>) -> Result<Rows<WorkflowStep>> {
        let steps = &self.template().await?.workflow.steps;
        ctx.charge(steps.len())?;
        Ok(steps.iter().cloned().map(WorkflowStep).collect())
    }

    /// The files that a run gives.
    #[reads(Template)]
    async fn outputs(&self, ctx: &Context<'_>) -> Result<Rows<WorkflowOutput>> {
        let outputs = &self.template().await?.outputs;
        ctx.charge(outputs.len())?;
        Ok(outputs.iter().cloned().map(WorkflowOutput).collect())
    }

    /// The files that every run is given, by target.
    #[reads(Template)]
    async fn files(&self, ctx: &Context<'_>) -> Result<Rows<WorkflowFile>> {
        let files = &self.template().await?.files;
        ctx.charge(files.len())?;
        Ok(files.iter().cloned().map(WorkflowFile).collect())
    }

    /// The columns of the results of its runs; none: its runs are not ranked.
    #[reads(Template)]
    async fn results(&self, ctx: &Context<'_>) -> Result<Rows<ResultColumn>> {
        let schema = self.template().await?.results.as_ref();
        let columns = schema.map(ResultColumn::of).unwrap_or_default();
        ctx.charge(columns.len())?;
        Ok(columns.into())
    }

    /// The steps by which something is made of the best runs; none: nothing is.
    #[reads(Template)]
    async fn post_processing_steps(&self, ctx: &Context<'_>) -> Result<Rows<WorkflowStep>> {
        let post_processing = self.template().await?.post_processing.as_ref();
        let steps = post_processing.map(|it| it.workflow.steps.as_slice());
        let steps = steps.unwrap_or_default();
        ctx.charge(steps.len())?;
        Ok(steps.iter().cloned().map(WorkflowStep).collect())
    }

    /// How long a run may take, in seconds, as its template says; null: it does not. That of `settings` counts for more.
    #[reads(Template)]
    async fn template_timeout_seconds(&self) -> Result<Option<i32>> {
        Ok(self.template().await?.workflow.timeout_seconds.map(count))
    }

    /// Since when nobody may start runs of it; null: they may.
    #[reads()]
    fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.row.archived_at.and_then(from_millis)
    }

    /// What administrators say of its runs; see `updateWorkflow`.
    #[reads()]
    fn settings(&self) -> WorkflowSettings {
        WorkflowSettings(Arc::clone(&self.row))
    }

    /// All versions of the workflow, the newest first.
    #[reads()]
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<WorkflowConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let ordering = versions::newest_first();
        let list = VersionList {
            columns: columns_of_page::<Workflow, _>(ctx),
            page: page.resolve(PAGE, &ordering).map_err(failed)?,
        };
        let (database, id) = (ctx.database()?, self.row.id);
        let slice = self.level.children(database, &list, id).await?;
        let total = if ctx.wants_total() {
            Some(self.level.children(database, &VersionTotal, id).await?)
        } else {
            None
        };
        let (row, level) = (Arc::clone(&self.row), Arc::clone(&self.level));
        let slice = slice.map(move |version| Self::on_level(Arc::clone(&row), version, &level));
        Ok(WorkflowConnection::new(slice, total, move |workflow| {
            paging::encode_cursor(&ordering, &versions::key(&workflow.version))
        }))
    }

    /// The groups in the workflow that you may see, the newest first.
    #[reads()]
    async fn groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<RunGroupConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let list = GroupList::new(ctx, &page)?;
        list.connection(ctx, &self.level, self.row.id).await
    }

    /// The runs of the workflow that you may see, of all its versions.
    #[reads()]
    #[allow(clippy::too_many_arguments)]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which runs.")] filter: Option<RunFilter>,
        #[graphql(desc = "In which order, one at most; the newest first when absent.")]
        order_by: Option<Vec<RunOrder>>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<RunConnection> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let parent = (Parent::Workflow, &*self.level, self.row.id);
        let list = RunList::new(ctx, parent, filter, order_by, &page).await?;
        list.connection(ctx, &self.level, self.row.id).await
    }

    /// The runs with results in the order of their ranks, of all versions, by the columns of the newest: of each group the best
    /// one. For those who are in a group of the workflow, and for administrators; for others it is empty.
    #[reads(Template)]
    async fn ranking(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "All runs, and not only the best of each group.",
            default_with = "Some(false)"
        )]
        include_all: Option<bool>,
        #[graphql(desc = "By which columns, at most 20; by those of the template when absent.")]
        order_by: Option<Vec<RankingOrder>>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<RankedRunConnection> {
        let includes_all = include_all.unwrap_or_default();
        let page = PageArguments {
            first,
            after,
            ..PageArguments::default()
        };
        ranking::of_workflow(ctx, self, includes_all, order_by, &page).await
    }

    /// The newest run that was made of the best runs of all groups; null: there was none, or you are in no group of the workflow.
    #[reads()]
    async fn post_processing(
        workflows: &[Workflow],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&Workflow) -> Option<Run>> {
        let list = LastRun::new(ctx, Parent::Workflow, RunKind::PostProcessing)?;
        let levels = workflows.iter().map(|workflow| &workflow.level);
        let found = Level::children_of_rows(levels, ctx.database()?, &list).await?;
        Ok(move |workflow: &Workflow| found.of(workflow.row.id).cloned().flatten())
    }
}

/// The columns that the selection of this field needs of the versions that it answers with.
pub(super) fn columns_here(ctx: &Context<'_>) -> Columns<workflow_version::Model> {
    columns::<Workflow, _>([ctx.field()])
}

/// A page of the versions of workflows.
#[derive(Clone, Hash, PartialEq, Eq)]
struct VersionList {
    columns: Columns<workflow_version::Model>,
    page: Page,
}

impl ChildList for VersionList {
    type Children = Slice<Arc<workflow_version::Model>>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        versions::of_workflows(database, level.parents(), self.columns, &self.page).await
    }
}

/// How many versions workflows have.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct VersionTotal;

impl ChildList for VersionTotal {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        versions::count_of_workflows(database, level.parents()).await
    }
}
