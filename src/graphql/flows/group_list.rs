//! Groups that belong to workflows.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Result};

use super::group::{RunGroup, RunGroupConnection};
use crate::database::Database;
use crate::entity::flow_group;
use crate::failure::Failure;
use crate::flows::read::groups;
use crate::flows::rights::Asker;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::level::{ChildList, Level};
use crate::graphql::rows::columns_of_page;
use crate::narrow::Columns;
use crate::paging::{self, PAGE, Page, PageArguments, Slice};

/// A page of the groups of workflows.
#[derive(Clone, Hash, PartialEq, Eq)]
pub(super) struct GroupList {
    asker: Asker,
    columns: Columns<flow_group::Model>,
    page: Page,
}

impl GroupList {
    /// Checks what was asked for.
    pub fn new(ctx: &Context<'_>, page: &PageArguments) -> Result<Self> {
        let ordering = groups::newest_first();
        Ok(Self {
            asker: Asker::of(ctx.viewer()?),
            columns: columns_of_page::<RunGroup, _>(ctx),
            page: page.resolve(PAGE, &ordering).map_err(failed)?,
        })
    }

    /// The page of one of the workflows on a level.
    pub async fn connection(
        self,
        ctx: &Context<'_>,
        workflows: &Level,
        workflow: i64,
    ) -> Result<RunGroupConnection> {
        let database = ctx.database()?;
        let (slice, level) = workflows.children(database, &self, workflow).await?;
        let total = if ctx.wants_total() {
            let total = GroupTotal(self.asker);
            Some(workflows.children(database, &total, workflow).await?)
        } else {
            None
        };
        let slice = slice.map(|row| RunGroup::on_level(row, &level));
        Ok(connection(slice, total))
    }
}

/// The page as a connection.
pub(super) fn connection(slice: Slice<RunGroup>, total: Option<i64>) -> RunGroupConnection {
    let ordering = groups::newest_first();
    RunGroupConnection::new(slice, total, move |group| {
        paging::encode_cursor(&ordering, &groups::key(&group.row))
    })
}

impl ChildList for GroupList {
    type Children = (Slice<Arc<flow_group::Model>>, Arc<Level>);

    async fn load(
        &self,
        database: &Database,
        level: &Level,
    ) -> Result<HashMap<i64, Self::Children>, Failure> {
        let (asker, columns) = (self.asker, self.columns);
        let slices = groups::of_workflows(database, asker, level.parents(), columns, &self.page);
        let slices = slices.await?;
        let groups = RunGroup::level(slices.values().flat_map(|slice| &slice.rows));
        let with_level = |(workflow, slice)| (workflow, (slice, Arc::clone(&groups)));
        Ok(slices.into_iter().map(with_level).collect())
    }
}

/// How many groups of workflows somebody may see.
#[derive(Clone, Copy, Hash, PartialEq, Eq)]
struct GroupTotal(Asker);

impl ChildList for GroupTotal {
    type Children = i64;

    async fn load(&self, database: &Database, level: &Level) -> Result<HashMap<i64, i64>, Failure> {
        groups::count_of_workflows(database, self.0, level.parents()).await
    }
}
