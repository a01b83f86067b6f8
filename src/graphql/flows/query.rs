//! Questions about workflows, groups, uploads and runs.

use async_graphql::{Context, ID, InputObject, Object, Result};

use super::group::{RunGroup, RunGroupConnection};
use super::group_list;
use super::named;
use super::order::{self, RunOrder};
use super::run::{Run, RunConnection};
use super::run_filter::RunFilter;
use super::run_list;
use super::upload::{self, Upload, UploadConnection};
use super::workflow::{self, Workflow, WorkflowConnection};
use crate::failure::Failure;
use crate::flows::read::groups::{self, GroupFilter};
use crate::flows::read::workflows;
use crate::flows::read::{runs, uploads};
use crate::flows::rights::Asker;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::id::GlobalId;
use crate::graphql::rows::{columns, columns_of_page};
use crate::narrow::Columns;
use crate::paging::{self, PAGE, PageArguments, Slice};
use crate::pattern::Pattern;

/// Which workflows; all conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
struct WorkflowFilter {
    /// Part of the name, without regard to ASCII case; `*` stands for anything, a leading `!` means "not".
    text: Option<String>,
    /// Those of which nobody may start runs any more, or those of which they may; both when absent.
    archived: Option<bool>,
}

/// Which groups; all conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
struct RunGroupFilter {
    /// Of this workflow, by global id or name.
    workflow: Option<ID>,
    /// Part of the name, without regard to ASCII case; `*` stands for anything, a leading `!` means "not".
    text: Option<String>,
}

fn pattern(text: Option<&str>) -> Result<Option<Pattern>, Failure> {
    text.map(|text| Pattern::part("text", text)).transpose()
}

/// Questions about workflows, groups, uploads and runs.
#[derive(Default)]
pub struct FlowsQuery;

#[Object]
impl FlowsQuery {
    /// Workflows in their newest versions, by name.
    async fn workflows(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which workflows.")] filter: Option<WorkflowFilter>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<WorkflowConnection> {
        ctx.check_read()?;
        let (database, filter) = (ctx.database()?, filter.unwrap_or_default());
        let filter = workflows::WorkflowFilter {
            text: pattern(filter.text.as_deref()).map_err(failed)?,
            archived: filter.archived,
        };
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let ordering = workflows::alphabetical();
        let page = page.resolve(PAGE, &ordering).map_err(failed)?;
        let slice = workflows::page(database, &filter, Columns::all(), &page).await;
        let slice = slice.map_err(failed)?;
        let total = if ctx.wants_total() {
            let count = workflows::count(database, &filter).await;
            Some(count.map_err(failed)?)
        } else {
            None
        };
        let columns = columns_of_page::<Workflow, _>(ctx);
        let newest = Workflow::newest(database, slice.rows, columns).await;
        let slice = Slice {
            rows: newest.map_err(failed)?,
            has_previous: slice.has_previous,
            has_next: slice.has_next,
        };
        Ok(WorkflowConnection::new(slice, total, move |workflow| {
            paging::encode_cursor(&ordering, &workflows::key(&workflow.row))
        }))
    }

    /// One workflow, by global id or by name; null when there is none.
    async fn workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id, which names a version. Give either this or the name.")]
        id: Option<ID>,
        #[graphql(desc = "Its name.")] name: Option<String>,
        #[graphql(
            desc = "The number of the version; that of the id when absent, or the newest of the name."
        )]
        version: Option<i32>,
    ) -> Result<Option<Workflow>> {
        ctx.check_read()?;
        let (name, number) = match (id, name) {
            (Some(id), None) => match GlobalId::decode(&id) {
                Some(GlobalId::Workflow(name, number)) => (name, Some(number)),
                _ => return Ok(None),
            },
            (None, Some(name)) => (name, None),
            _ => {
                let message = "give either the id or the name";
                return Err(failed(Failure::bad_input("id", message)));
            }
        };
        let number = version.map(i64::from).or(number);
        let columns = workflow::columns_here(ctx);
        let found = named::numbered(ctx.database()?, &name, number, columns).await;
        let found = found.map_err(failed)?;
        Ok(found.map(|(row, version)| Workflow::single(row, version)))
    }

    /// The groups that you are in, the newest first; all of them for administrators.
    #[allow(clippy::too_many_arguments)]
    async fn groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which groups.")] filter: Option<RunGroupFilter>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<RunGroupConnection> {
        ctx.check_read()?;
        let (database, filter) = (ctx.database()?, filter.unwrap_or_default());
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let page = page.resolve(PAGE, &groups::newest_first());
        let page = page.map_err(failed)?;
        let workflow = match &filter.workflow {
            None => None,
            Some(id) => match named::workflow(database, id).await.map_err(failed)? {
                Some(workflow) => Some(workflow.id),
                None => return Ok(group_list::connection(Slice::default(), None)),
            },
        };
        let filter = GroupFilter {
            workflow,
            text: pattern(filter.text.as_deref()).map_err(failed)?,
        };
        let asker = Asker::of(ctx.viewer()?);
        let columns = columns_of_page::<RunGroup, _>(ctx);
        let slice = groups::page(database, asker, &filter, columns, &page).await;
        let slice = slice.map_err(failed)?;
        let total = if ctx.wants_total() {
            let count = groups::count(database, asker, &filter).await;
            Some(count.map_err(failed)?)
        } else {
            None
        };
        let level = RunGroup::level(&slice.rows);
        let slice = slice.map(|row| RunGroup::on_level(row, &level));
        Ok(group_list::connection(slice, total))
    }

    /// One group; null when there is none that you may see.
    async fn group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id.")] id: ID,
    ) -> Result<Option<RunGroup>> {
        ctx.check_read()?;
        let Some(GlobalId::RunGroup(id)) = GlobalId::decode(&id) else {
            return Ok(None);
        };
        let (asker, columns) = (
            Asker::of(ctx.viewer()?),
            columns::<RunGroup, _>([ctx.field()]),
        );
        let row = groups::by_id(ctx.database()?, asker, id, columns).await;
        Ok(row.map_err(failed)?.map(RunGroup::single))
    }

    /// What you brought without a group, such as archives with templates, the newest first. What groups have is in
    /// `RunGroup.uploads`.
    async fn uploads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<UploadConnection> {
        ctx.check_read()?;
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        upload::own(ctx, &page).await
    }

    /// One file that was brought for runs, or as an archive with a template; null when there is none that you may see.
    async fn upload(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id.")] id: ID,
    ) -> Result<Option<Upload>> {
        ctx.check_read()?;
        let Some(GlobalId::Upload(key)) = GlobalId::decode(&id) else {
            return Ok(None);
        };
        let asker = Asker::of(ctx.viewer()?);
        let row = uploads::by_key(ctx.database()?, asker, &key).await;
        Ok(row.map_err(failed)?.map(Upload::single))
    }

    /// The runs that you may see: those of your groups, and what was made of the best runs where you are in a group.
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
        ctx.check_read()?;
        let (database, asker) = (ctx.database()?, Asker::of(ctx.viewer()?));
        let filter = filter.unwrap_or_default().resolve(database).await;
        let filter = filter.map_err(failed)?;
        let order = order::of_runs(order_by.as_deref()).map_err(failed)?;
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let page = page.resolve(PAGE, &order.ordering()).map_err(failed)?;
        let columns = columns_of_page::<Run, _>(ctx);
        let slice = runs::page(database, asker, &filter, order, columns, &page).await;
        let slice = slice.map_err(failed)?;
        let total = if ctx.wants_total() {
            let count = runs::count(database, asker, &filter).await;
            Some(count.map_err(failed)?)
        } else {
            None
        };
        let level = Run::level(&slice.rows);
        let slice = slice.map(|row| Run::on_level(row, &level));
        Ok(run_list::connection(slice, total, order))
    }

    /// One run; null when there is none that you may see.
    async fn run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id.")] id: ID,
    ) -> Result<Option<Run>> {
        ctx.check_read()?;
        let Some(GlobalId::Run(id)) = GlobalId::decode(&id) else {
            return Ok(None);
        };
        let (asker, columns) = (Asker::of(ctx.viewer()?), columns::<Run, _>([ctx.field()]));
        let row = runs::by_id(ctx.database()?, asker, id, columns).await;
        Ok(row.map_err(failed)?.map(Run::single))
    }
}
