//! Runs that belong to workflows and groups.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Result};

use super::order::{self, RunOrder};
use super::run::{Run, RunConnection};
use super::run_filter::RunFilter;
use crate::database::Database;
use crate::entity::flow_run;
use crate::failure::Failure;
use crate::flows::read::runs::{self, Parent, RunsOf};
use crate::flows::rights::Asker;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::error::internal;
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::{columns, columns_of_page};
use crate::narrow::Columns;
use crate::paging::{self, PAGE, Page, PageArguments, Slice};

/// A page of the runs of workflows or groups.
#[derive(Clone, Hash, PartialEq, Eq)]
pub(super) struct RunList {
    runs: RunsOf,
    columns: Columns<flow_run::Model>,
    page: Page,
}

impl RunList {
    /// Checks what was asked for of one of the parents on a level.
    pub async fn new(
        ctx: &Context<'_>,
        (parent, level, row): (Parent, &Level, i64),
        filter: Option<RunFilter>,
        orders: Option<Vec<RunOrder>>,
        page: &PageArguments,
    ) -> Result<Self> {
        let filter = match filter {
            Some(filter) => {
                let found = level.children(ctx.database()?, &filter, row).await?;
                // None of them must not become all.
                let found = found.ok_or_else(|| internal("a list without its row"))?;
                Arc::unwrap_or_clone(found)
            }
            None => runs::RunFilter::default(),
        };
        let order = order::of_runs(orders.as_deref()).map_err(failed)?;
        Ok(Self {
            page: page.resolve(PAGE, &order.ordering()).map_err(failed)?,
            columns: columns_of_page::<Run, _>(ctx),
            runs: RunsOf {
                asker: Asker::of(ctx.viewer()?),
                parent,
                filter,
                order,
            },
        })
    }

    /// The page of one of the parents on a level.
    pub async fn connection(
        self,
        ctx: &Context<'_>,
        parents: &Level,
        parent: i64,
    ) -> Result<RunConnection> {
        let database = ctx.database()?;
        let (slice, level) = parents.children(database, &self, parent).await?;
        let total = if ctx.wants_total() {
            let total = RunTotal(self.runs.clone());
            Some(parents.children(database, &total, parent).await?)
        } else {
            None
        };
        let slice = slice.map(|row| Run::on_level(row, &level));
        let order = self.runs.order;
        Ok(connection(slice, total, order))
    }
}

/// The page as a connection.
pub(super) fn connection(
    slice: Slice<Run>,
    total: Option<i64>,
    order: runs::RunOrder,
) -> RunConnection {
    let ordering = order.ordering();
    RunConnection::new(slice, total, move |run| {
        paging::encode_cursor(&ordering, &order.key(&run.row))
    })
}

impl ChildList for RunList {
    type Children = (Slice<Arc<flow_run::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (parents, columns) = (level.parents(), self.columns);
        let slices = self.runs.page(database, parents, columns, &self.page);
        let slices = slices.await?;
        let runs = Run::level(slices.values().flat_map(|slice| &slice.rows));
        let with_level = |(parent, slice)| (parent, (slice, Arc::clone(&runs)));
        Ok(slices.into_iter().map(with_level).collect())
    }
}

/// How many runs workflows or groups have.
#[derive(Clone, Hash, PartialEq, Eq)]
struct RunTotal(RunsOf);

impl ChildList for RunTotal {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        self.0.count(database, level.parents()).await
    }
}

/// The newest run of a kind of workflows or groups.
#[derive(Clone, Hash, PartialEq, Eq)]
pub(super) struct LastRun {
    runs: RunsOf,
    columns: Columns<flow_run::Model>,
}

impl LastRun {
    /// As much of it as is selected here.
    pub fn new(ctx: &Context<'_>, parent: Parent, kind: runs::RunKind) -> Result<Self> {
        Ok(Self {
            columns: columns::<Run, _>([ctx.field()]),
            runs: RunsOf {
                asker: Asker::of(ctx.viewer()?),
                parent,
                filter: runs::RunFilter {
                    kinds: vec![kind],
                    ..runs::RunFilter::default()
                },
                order: runs::RunOrder::default(),
            },
        })
    }
}

impl ChildList for LastRun {
    type Children = Option<Run>;

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (parents, page) = (level.parents(), Page::only(1));
        let slices = self.runs.page(database, parents, self.columns, &page);
        let slices = slices.await?;
        let runs = Run::level(slices.values().flat_map(|slice| &slice.rows));
        let newest = |(parent, slice): (i64, Slice<Arc<flow_run::Model>>)| {
            let row = slice.rows.into_iter().next();
            (parent, row.map(|row| Run::on_level(row, &runs)))
        };
        Ok(slices.into_iter().map(newest).collect())
    }
}
