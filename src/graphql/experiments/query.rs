//! Questions about experiments.

use async_graphql::{Context, Object, Result};

use super::experiment::{EXPERIMENT_PAGE, Experiment, ExperimentConnection};
use super::filter::{self, ExperimentFilter, ExperimentOrder};
use super::job::Job;
use super::problem::{SourceProblem, SourceProblemConnection};
use crate::experiments::read;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::rows::{columns, columns_of_page};
use crate::paging::{self, PAGE, PageArguments};

/// Questions about experiments.
#[derive(Default)]
pub struct ExperimentsQuery;

#[Object]
impl ExperimentsQuery {
    /// The experiments.
    #[allow(clippy::too_many_arguments)]
    async fn experiments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which experiments.")] filter: Option<ExperimentFilter>,
        #[graphql(desc = "In which order; by expid when absent.")] order_by: Option<
            Vec<ExperimentOrder>,
        >,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<ExperimentConnection> {
        ctx.check_read()?;
        let database = ctx.database()?;
        let filter = filter.unwrap_or_default().try_into().map_err(failed)?;
        let order = filter::experiment_order(order_by);
        let ordering = order.ordering();
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let page = page.resolve(EXPERIMENT_PAGE, &ordering).map_err(failed)?;
        let columns = columns_of_page::<Experiment, _>(ctx);
        let slice = read::experiments::page(database, &filter, &order, &page, columns).await;
        let slice = slice.map_err(failed)?;
        let total = if ctx.wants_total() {
            let count = read::experiments::count(database, &filter).await;
            i64::try_from(count.map_err(failed)?).ok()
        } else {
            None
        };
        let level = Experiment::level(&slice.rows);
        let slice = slice.map(|row| Experiment::on_level(row, &level));
        Ok(ExperimentConnection::new(slice, total, move |experiment| {
            paging::encode_cursor(&ordering, &order.key(&experiment.row))
        }))
    }

    /// One experiment by its expid; null when there is none.
    async fn experiment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The expid, such as `a000`.")] expid: String,
    ) -> Result<Option<Experiment>> {
        ctx.check_read()?;
        if expid.contains('\0') {
            return Ok(None);
        }
        let columns = columns::<Experiment, _>([ctx.field()]);
        let row = read::experiments::by_expid(ctx.database()?, &expid, columns).await;
        Ok(row.map_err(failed)?.map(Experiment::single))
    }

    /// One job by the expid of its experiment and its name; null when there is none.
    async fn job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The expid of its experiment.")] expid: String,
        #[graphql(desc = "Its name.")] name: String,
    ) -> Result<Option<Job>> {
        ctx.check_read()?;
        if expid.contains('\0') {
            return Ok(None);
        }
        Job::find(ctx.database()?, &expid, &name).await
    }

    /// Files that could not be read whole, of all experiments and of the central databases.
    async fn source_problems(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 500; 50 when absent.")] first: Option<i64>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 500.")] last: Option<i64>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<SourceProblemConnection> {
        ctx.check_read()?;
        let database = ctx.database()?;
        let ordering = read::problems::by_file();
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        let page = page.resolve(PAGE, &ordering).map_err(failed)?;
        let slice = read::problems::page(database, &page)
            .await
            .map_err(failed)?;
        let total = if ctx.wants_total() {
            let count = read::problems::count(database).await.map_err(failed)?;
            i64::try_from(count).ok()
        } else {
            None
        };
        let slice = slice.map(SourceProblem::from);
        Ok(SourceProblemConnection::new(slice, total, move |problem| {
            paging::encode_cursor(&ordering, &read::problems::key(problem.row()))
        }))
    }
}
